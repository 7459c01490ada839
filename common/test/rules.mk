# The suite, on every stage and on an allocator of the reader's own.

test_sources = $(wildcard common/test/*.c)
test_objects = $(test_sources:common/test/%.c=$(BUILD)/test/%.o)
tests = $(STAGES:%=$(BUILD)/test/stage%)

# check is asked for when the recipe runs: `make test` may just have installed it.
$(BUILD)/test/%.o: common/test/%.c $(wildcard common/test/*.h) $(interface) | need-check
	$(call build,CC,-c -DMA_NO_WARNINGS -Istage1-bump $$(pkg-config --cflags check))

$(tests) $(BUILD)/test/mine: $(BUILD)/test/%: $(test_objects) $(BUILD)/%/libma.a
	$(call build,LD,$$(pkg-config --libs check) -pthread)

.PHONY: need-check
need-check:
	@common/setup test

## Prove, further
##   make check                   as make test
##   make test-asan test-tsan test-valgrind test-levels test-m32
##                                the suite under sanitizers and valgrind, at -O0
##                                and -O3, programs in 32 bits; STAGE='4 5',
##                                COMPILERS='gcc clang', LEVELS='-O0 -O3'
.PHONY: test check $(STAGES:%=test-stage%)
test check: $(STAGES:%=test-stage%)

$(STAGES:%=test-stage%): test-stage%: $(BUILD)/test/stage%
	@$< $*

.PHONY: matrix
matrix: $(tests)
	@BUILD=$(BUILD) common/test/show-matrix

# --- the reader's own -----------------------------------------------------------------------------

.PHONY: test-mine
test-mine: need-mine need-stage $(BUILD)/test/mine
	@$(BUILD)/test/mine '--mine=$(MINE)' $(STAGE)

.PHONY: need-stage
need-stage:
	@if [ -z '$(filter $(STAGES),$(STAGE))' ]; then \
	  echo 'usage: make $(MAKECMDGOALS) MINE=dir STAGE=N   (N is 1 to 5)' >&2; exit 2; fi

# --- under tools ----------------------------------------------------------------------------------

test_tools = test-asan test-tsan test-valgrind test-levels test-m32
.PHONY: $(test_tools)
$(test_tools): test-%: need-check
	@common/setup trust
	@BUILD=$(BUILD) MAKE='$(MAKE)' COMPILERS='$(COMPILERS)' LEVELS='$(LEVELS)' STAGES='$(STAGE)' \
	  EXCLUDE='$(EXCLUDE)' common/test/under $*
