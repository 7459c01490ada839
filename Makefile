# Malloc, in five stages: `make help` lists the commands.
#
# One file, no recursion; the rules of each stage come from stage_rules. For the command line:
#   CC=clang   CFLAGS='-O3 -g'   BUILD=build/other   WERROR=-Werror   V=1 (shows the commands)
# Objects do not know with which flags they were made: give other flags another BUILD.

BUILD ?= build
CFLAGS ?= -O2 -g
WERROR ?=

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align \
  -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2 -Wwrite-strings \
  -Wnull-dereference $(WERROR)
COMPILE = $(CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(CFLAGS)

STAGES = 1 2 3 4 5
dir_1 = stage1-bump
dir_2 = stage2-free
dir_3 = stage3-bestfit
dir_4 = stage4-coalesce
dir_5 = stage5-threads

# Stage 1 cannot grow: for whole programs its region is 1 GiB.
preload_1 = -DMA_HEAP_SIZE=1073741824

Q = $(if $(V),,@)
say = @$(if $(V),true,printf >&2 '  %-4s %s\n')

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

## make                              build all that needs only a C compiler and make
.PHONY: all
all: $(foreach n,$(STAGES),$(BUILD)/stage$(n)/libma.a) $(preloads)

views = $(foreach n,$(STAGES),$(BUILD)/view/stage$(n))

# Other systems preload in other ways, and have no malloc.h.
preloads = $(if $(filter Linux,$(shell uname -s)),$(foreach n,$(STAGES),$(BUILD)/preload/stage$(n).so))

## make help                         list these commands
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make tour                         see the five stages at work, in five minutes
.PHONY: tour
tour: $(views) $(BUILD)/view/threads-stage4 $(BUILD)/view/threads-stage5
	@common/view/tour $(BUILD)/view

# --- the stages, their tests and their tools ------------------------------------------------------

test_sources = $(wildcard common/test/*.c)
test_objects = $(test_sources:common/test/%.c=$(BUILD)/test/%.o)
view_sources = $(filter-out common/view/threads.c,$(wildcard common/view/*.c))
view_objects = $(view_sources:common/view/%.c=$(BUILD)/view/%.o)

# check is asked for when the recipe runs: `make test` may just have installed it.
$(BUILD)/test/%.o: common/test/%.c stage1-bump/allocator.h $(wildcard common/test/*.h) | check
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Istage1-bump $$(pkg-config --cflags check) -c $< -o $@

$(BUILD)/view/%.o: common/view/%.c stage1-bump/allocator.h $(wildcard common/view/*.h)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Istage1-bump -c $< -o $@

.PHONY: check
check:
	@common/setup test

view_options = $(if $(FORMAT),--format=$(FORMAT)) $(if $(WIDTH),--width=$(WIDTH)) \
  $(if $(BRIEF),--brief)

define stage_rules
$(BUILD)/stage$(1)/allocator.o: $(dir_$(1))/allocator.c $(dir_$(1))/allocator.h
	$$(say) CC $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) -c $$< -o $$@

$(BUILD)/stage$(1)/libma.a: $(BUILD)/stage$(1)/allocator.o
	$$(say) AR $$@
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$<

$(BUILD)/preload/stage$(1).so: common/preload/preload.c $(dir_$(1))/allocator.c \
  $(dir_$(1))/allocator.h
	$$(say) SO $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) $$(preload_flags) $$(preload_$(1)) -I$(dir_$(1)) -shared \
	  common/preload/preload.c $(dir_$(1))/allocator.c -o $$@ -pthread

$(BUILD)/view/stage$(1): $(view_objects) $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -pthread

$(BUILD)/view/threads-stage$(1): $(BUILD)/view/threads.o $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -pthread

$(BUILD)/test/stage$(1): $(test_objects) $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ $$$$(pkg-config --libs check) -pthread

.PHONY: test-stage$(1) view-stage$(1) run-stage$(1)
test-stage$(1): $(BUILD)/test/stage$(1)
	@$(BUILD)/test/stage$(1) $(1)

view-stage$(1): $(BUILD)/view/stage$(1)
	@$(BUILD)/view/stage$(1) $$(view_options) $$(SCRIPT)

run-stage$(1): $(BUILD)/preload/stage$(1).so
	@common/preload/run $$< '$$(subst ','\'',$$(value CMD))'
endef

## make test                         the check suite on all stages (installs check if it may)
## make test-stageN                  the check suite on one stage
.PHONY: test
test: $(foreach n,$(STAGES),test-stage$(n))

## make matrix                       which stage can do what, from a run just made
## make diff-stageN                  what stage N changes in the stage before it
## make diffstat                     how much that is, against the budget
## make view-stageN SCRIPT=file      run a small script, draw the heap after every step; FORMAT=svg,
##                                   WIDTH=columns, BRIEF=1 (no tables)
## make run-stageN CMD='git log'     run a real program on stage N instead of libc's malloc
## make test-mine MINE=dir STAGE=N   the suite against your own allocator.c, at the level of stage N
## make view-mine run-mine           as view-stageN and run-stageN, with MINE=dir
## make test-programs                real programs on every stage, compared with libc
## make test-race                    what ThreadSanitizer says about two threads on every stage
## make test-view test-examples      the heap maps on every sample script; the programs of the book
## make test-text                    the quotes and outputs in the text are what files and commands say
## make docs                         the book, as build/docs/html/index.html
## make lint                         all that can be checked without running: style, quotes, headers
## make format                       lay out the C files as .clang-format says
## make setup                        install what tests, documentation and checks need
## make clean                        remove build/

$(foreach n,$(STAGES),$(eval $(call stage_rules,$(n))))

.PHONY: test-race
test-race:
	@CC=$(CC) BUILD=$(BUILD) common/test/race/run

.PHONY: matrix
matrix: $(foreach n,$(STAGES),$(BUILD)/test/stage$(n))
	@BUILD=$(BUILD) common/test/show-matrix

# --- the differences between stages ---------------------------------------------------------------

define diff_rule
.PHONY: diff-stage$(2)
diff-stage$(2):
	@common/diff $(dir_$(1))/allocator.c $(dir_$(2))/allocator.c
endef

$(eval $(call diff_rule,1,2))
$(eval $(call diff_rule,2,3))
$(eval $(call diff_rule,3,4))
$(eval $(call diff_rule,4,5))

.PHONY: diff-stage1
diff-stage1:
	@echo 'Stage 1 has no stage before it. Read $(dir_1)/README.md, then make diff-stage2.'

.PHONY: diffstat
diffstat:
	@common/diff --stat $(foreach n,$(STAGES),$(dir_$(n))/allocator.c)

# --- the rest -------------------------------------------------------------------------------------

# initfirst: handlers for fork that the program's libraries register must run around ours.
preload_flags = -fPIC -Wl,-z,initfirst -fvisibility=hidden -ftls-model=initial-exec \
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free

need_mine = @if [ ! -f '$(MINE)/allocator.c' ]; then \
	  echo 'MINE=dir is missing, or there is no dir/allocator.c' >&2; exit 2; fi

.PHONY: test-mine
test-mine: $(test_objects)
	$(need_mine)
	@if ! expr '$(STAGE)' : '[1-5]$$' >/dev/null; then \
	  echo 'usage: make test-mine MINE=dir STAGE=N   (N is 1 to 5)' >&2; exit 2; fi
	$(Q)mkdir -p $(BUILD)/test-mine
	$(Q)$(COMPILE) -I'$(MINE)' -Istage1-bump -c '$(MINE)/allocator.c' -o $(BUILD)/test-mine/allocator.o
	$(Q)$(CC) $(CFLAGS) $^ $(BUILD)/test-mine/allocator.o -o $(BUILD)/test-mine/suite \
	  $$(pkg-config --libs check) -pthread
	@$(BUILD)/test-mine/suite $(STAGE)

$(BUILD)/preload/test_contract: common/preload/test_contract.c
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $< -o $@

# The reader's own allocator in the heap maps, and under real programs.
$(BUILD)/test-mine/view: $(view_objects) FORCE
	$(need_mine)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -I'$(MINE)' -Istage1-bump '$(MINE)/allocator.c' $(view_objects) -o $@ -pthread

$(BUILD)/test-mine/preload.so: common/preload/preload.c FORCE
	$(need_mine)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(preload_flags) -I'$(MINE)' -Istage1-bump -shared common/preload/preload.c \
	  '$(MINE)/allocator.c' -o $@ -pthread

.PHONY: view-mine run-mine FORCE
FORCE:
view-mine: $(BUILD)/test-mine/view
	@$< $(view_options) $(SCRIPT)

run-mine: $(BUILD)/test-mine/preload.so
	@common/preload/run $< '$(subst ','\'',$(value CMD))'

.PHONY: test-programs
test-programs: $(preloads) $(BUILD)/preload/test_contract
	@common/setup programs
	@BUILD=$(BUILD) common/preload/test-programs

.PHONY: test-view
test-view: $(views) $(BUILD)/view/threads-stage4 $(BUILD)/view/threads-stage5
	@common/view/test $(BUILD)/view

.PHONY: test-examples
test-examples:
	@BUILD=$(BUILD) docs/examples/test

.PHONY: test-text
test-text: all
	@docs/check-quotes
	@docs/check-output

.PHONY: docs
docs:
	@common/setup docs
	@BUILD=$(BUILD) docs/build

c_files = $(wildcard stage*/*.[ch] common/*/*.[ch] common/*/*/*.[ch] docs/examples/*.[ch])

.PHONY: lint
lint:
	@common/setup lint
	@C_FILES='$(c_files)' WARNINGS='-std=c11 $(WARNINGS)' common/lint

.PHONY: format
format:
	clang-format -i $(c_files)

.PHONY: setup
setup:
	@common/setup

.PHONY: clean
clean:
	rm -rf $(BUILD)
