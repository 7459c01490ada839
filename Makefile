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

views = $(foreach n,$(STAGES),$(BUILD)/view/stage$(n))

# Other systems preload in other ways, and have no malloc.h.
preloads = $(if $(filter Linux,$(shell uname -s)),$(foreach n,$(STAGES),$(BUILD)/preload/stage$(n).so))

## make                              build all that needs only a C compiler and make
.PHONY: all
all: $(foreach n,$(STAGES),$(BUILD)/stage$(n)/libma.a) $(preloads)

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
  $(if $(BRIEF),--brief) $(if $(SIZE),--size=$(SIZE))

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
## make test-faults                  memory refused, limits, fork, signals, dying threads, C++, dlopen
## make soak MINUTES=10              a mixed load on stages 4 and 5: memory stays flat
## make test-asan test-tsan test-valgrind test-levels test-m32
##                                   the suite under sanitizers and valgrind, at -O0 and -O3, programs
##                                   in 32 bits; COMPILERS='gcc clang', LEVELS='-O0 -O3', STAGE='4 5'
## make coverage                     lines and branches that the suite reaches; what is not has a reason
## make test-race                    what ThreadSanitizer says about two threads on every stage
## make test-checker                 use after free in a heap of ours, as AddressSanitizer and valgrind see it
## make mutants                      faults planted one at a time: does the suite fail? a table of what
##                                   killed each; STAGE=N, ALL=1 (every stage), ONLY=name, EVERY=3 (a third)
## make test-misuse                  more than 300 small programs that misuse malloc, on every stage
## make misuse-table                 how all stages and the other allocators end them; SUMS=1: only sums
## make test-view test-examples      the heap maps on every sample script; the programs of the book
## make test-text                    the quotes and outputs in the text are what files and commands say
## make bench                        all stages, libc and other allocators on real programs: time, memory
## make bench-threads bench-growth bench-latency
##                                   threads that free each other's blocks; many live blocks; single
##                                   calls; QUICK=1 for each of the four: under a minute
## make bench-instructions           instructions per malloc/free pair, counted by callgrind; fails if a
##                                   stage got more than 3 % worse; UPDATE=1 commits the new figures
## make trace CMD='git log' OUT=file record what a real program asks of its allocator
## make generate TRACE=churn OUT=f   make up a trace; SEED=1, OPS=100000; without TRACE: a list
## make replay TRACE=file STAGE=N    replay it on one stage, contents and invariants checked
## make convert TRACE=file           a trace of any dialect in the plain format, with a summary
## make test-trace                   parser, recorder, generators, replay
## make test-bench                   the bench itself: its arithmetic, its tables, its programs
## make test-model SEED=N OPS=N STAGE=N  random operations on several heaps beside a model; all optional
## make test-placement SEED=N OPS=N  each address of stages 3 and 4 beside a prediction
## make test-model-teeth             planted faults that the two must find, and shrink to a few lines
## make fuzz-stageN SECONDS=60       libFuzzer with sanitizers on stage N; fuzz-trace and fuzz-script: the
##                                   parsers; make fuzz: all of them
## make docs                         the book, as build/docs/html/index.html
## make lint                         all that can be checked without running: style, quotes, headers
## make format                       lay out the C files as .clang-format says
## make setup                        install what tests, documentation and checks need
## make clean                        remove build/

$(foreach n,$(STAGES),$(eval $(call stage_rules,$(n))))

.PHONY: test-race
test-race:
	@CC=$(CC) BUILD=$(BUILD) common/test/race/run

.PHONY: test-checker
test-checker:
	@CC=$(CC) BUILD=$(BUILD) common/checker/test

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

# --- traces ---------------------------------------------------------------------------------------

trace = $(BUILD)/trace
trace_headers = stage1-bump/allocator.h $(wildcard common/trace/*.h)
trace_no_builtin = -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
trace_recorder = $(if $(filter Linux,$(shell uname -s)),$(trace)/record.so)
trace_programs = $(trace)/generate $(trace)/convert $(foreach n,$(STAGES),$(trace)/replay-stage$(n))

$(trace)/%.o: common/trace/%.c $(trace_headers)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Istage1-bump -c $< -o $@

# Only malloc and its relatives are exported, and gcc must not call calloc within calloc.
$(trace)/record.so: common/trace/record.c common/trace/table.c $(trace_headers)
	$(say) SO $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -fvisibility=hidden $(trace_no_builtin) $(filter %.c,$^) -o $@ \
	  -pthread -ldl

$(trace)/generate: $(trace)/generate.o
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $^ -o $@

$(trace)/convert: $(trace)/convert.o $(trace)/trace.o $(trace)/table.o
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $^ -o $@

define replay_rule
$(trace)/replay-stage$(1): $(trace)/replay.o $(trace)/trace.o $(trace)/table.o \
  $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -pthread
endef

$(foreach n,$(STAGES),$(eval $(call replay_rule,$(n))))

.PHONY: trace generate convert replay test-trace
trace: $(trace)/record.so
	@common/trace/record $< '$(subst ','\'',$(value CMD))' '$(OUT)'

generate: $(trace)/generate
	@if [ -z '$(TRACE)' ]; then $< --list; else \
	  $< $(if $(SEED),--seed=$(SEED)) $(if $(OPS),--operations=$(OPS)) $(if $(OUT),--out='$(OUT)') '$(TRACE)'; fi

convert: $(trace)/convert
	@$< $(if $(TRACE),'$(TRACE)')

replay: $(if $(filter $(STAGES),$(STAGE)),$(trace)/replay-stage$(STAGE))
	@if [ -z '$<' ] || [ -z '$(TRACE)' ]; then \
	  echo 'usage: make replay TRACE=x.trace STAGE=N   (N is 1 to 5)' >&2; exit 2; fi
	@$< '$(TRACE)'

test-trace: $(trace_programs) $(trace_recorder)
	@CC='$(CC)' BUILD=$(BUILD) common/trace/test

# --- the bench ------------------------------------------------------------------------------------

bench = $(BUILD)/bench
bench_headers = stage1-bump/allocator.h $(wildcard common/bench/*.h common/trace/*.h)
# The compiler knows malloc, and would leave calls of it out.
bench_flags = -fno-builtin-malloc -fno-builtin-calloc \
  -fno-builtin-realloc -fno-builtin-free -pthread -ldl

$(bench)/%: common/bench/%.c common/bench/measure.c common/trace/trace.c common/trace/table.c \
  $(bench_headers)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(bench_flags) $(filter %.c,$^) -o $@

$(bench)/stage5-nocache.so: common/preload/preload.c $(dir_5)/allocator.c $(dir_5)/allocator.h
	$(say) SO $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(preload_flags) -DMA_THREAD_CACHE=0 -I$(dir_5) -shared $(filter %.c,$^) -o $@ -pthread

# With the allocator in the same program; stage 1 with a region that holds all it is asked for. Older
# valgrinds cannot read what clang writes for debuggers by default.
define instructions_rule
$(bench)/instructions-stage$(1): common/bench/instructions.c common/bench/measure.c \
  $(dir_$(1))/allocator.c $(bench_headers)
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) $$(bench_flags) -gdwarf-4 -I$(dir_$(1)) $$(preload_$(1)) \
	  $$(filter %.c,$$^) -o $$@
endef
$(foreach n,$(STAGES),$(eval $(call instructions_rule,$(n))))

$(bench)/instructions-libc: common/bench/instructions.c common/bench/measure.c $(bench_headers)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(bench_flags) -gdwarf-4 -Istage1-bump -Dma_malloc=malloc -Dma_free=free \
	  -Wl,-z,now $(filter %.c,$^) -o $@

bench_run = BUILD=$(BUILD) common/bench/run $(if $(QUICK),--quick)

.PHONY: bench bench-threads bench-growth bench-latency
bench: $(preloads) $(trace_recorder) $(trace)/generate $(bench)/replay $(bench)/large
	@$(bench_run) replay

bench-threads: $(preloads) $(bench)/stage5-nocache.so $(bench)/threads
	@$(bench_run) threads

bench-growth: $(preloads) $(bench)/growth
	@$(bench_run) growth

bench-latency: $(preloads) $(bench)/latency
	@$(bench_run) latency

bench_programs = $(foreach name,replay large growth threads latency,$(bench)/$(name))

.PHONY: test-bench
test-bench: $(preloads) $(bench_programs)
	@BUILD=$(BUILD) common/bench/test

.PHONY: bench-instructions
bench-instructions: $(foreach n,$(STAGES),$(bench)/instructions-stage$(n)) $(bench)/instructions-libc
	@CC='$(CC)' CFLAGS='$(CFLAGS)' BUILD=$(BUILD) common/bench/instructions $(if $(UPDATE),--update)

# --- mutants --------------------------------------------------------------------------------------

.PHONY: mutants
mutants: $(test_objects)
	@BUILD=$(BUILD) CC='$(CC)' CFLAGS='$(CFLAGS)' COMPILE='$(COMPILE)' common/test/mutants/run \
	  $(if $(ALL),--all) $(if $(STAGE),--stage=$(STAGE)) $(if $(EVERY),--every=$(EVERY)) $(ONLY)

# --- faults ---------------------------------------------------------------------------------------

faults = $(BUILD)/faults
faults_header = common/test/faults/faults.h
faults_linked = refuse limited signals phases
faults_flags = -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
CXX ?= c++

# On systems that preload in the way of Linux; the program in C++ where there is a compiler for it.
faults_preloaded = $(if $(preloads),$(faults)/library.so $(faults)/dlopen $(faults)/atfork \
  $(if $(shell command -v $(CXX)),$(faults)/objects))

$(faults)/%.o: common/test/faults/%.c $(faults_header) stage1-bump/allocator.h
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(faults_flags) -Istage1-bump -c $< -o $@

define faults_rule
$(faults)/%-stage$(1): $(faults)/%.o $(faults)/faults.o $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -pthread -ldl
endef
$(foreach n,$(STAGES),$(eval $(call faults_rule,$(n))))

$(faults)/library.so: common/test/faults/library.c
	$(say) SO $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 $(WARNINGS) $(CFLAGS) $(faults_flags) -fPIC -shared $< -o $@ -pthread

$(faults)/dlopen: $(faults)/dlopen.o $(faults)/faults.o
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -pthread -ldl

$(faults)/atfork: $(faults)/atfork.o $(faults)/faults.o $(faults)/library.so
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -Wl,-rpath,'$$ORIGIN' -pthread

$(faults)/objects: common/test/faults/objects.cc
	$(say) CXX $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR) $(CFLAGS) $< -o $@ \
	  -pthread

.PHONY: test-faults
test-faults: $(preloads) $(faults_preloaded) $(faults)/threads-stage5 \
  $(foreach n,$(STAGES),$(foreach name,$(faults_linked),$(faults)/$(name)-stage$(n)))
	@BUILD=$(BUILD) common/test/faults/run $(FAULTS)

# --- misuse ---------------------------------------------------------------------------------------

misuse = $(BUILD)/misuse
probe_names = probe double_free wrong_pointer overflow late_write correct_use
misuse_programs = $(misuse)/probe $(misuse)/observe

# The compiler knows malloc and free, and would warn of the misuse or leave it out.
$(misuse)/probe: $(probe_names:%=common/test/misuse/%.c) common/test/misuse/probe.h
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(trace_no_builtin) $(filter %.c,$^) -o $@ -pthread

$(misuse)/observe: common/test/misuse/observe.c
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $< -o $@

define misuse_rule
$(misuse)/messages-stage$(1): common/test/misuse/messages.c $(dir_$(1))/allocator.c $(dir_$(1))/allocator.h
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) $$(trace_no_builtin) -I$(dir_$(1)) $$(filter %.c,$$^) -o $$@ -pthread
endef
$(foreach n,$(STAGES),$(eval $(call misuse_rule,$(n))))

.PHONY: test-misuse misuse-table
test-misuse: $(preloads) $(misuse_programs) $(foreach n,$(STAGES),$(misuse)/messages-stage$(n))
	@BUILD=$(BUILD) common/test/misuse/run

misuse-table: $(preloads) $(misuse_programs)
	@BUILD=$(BUILD) common/test/misuse/table $(if $(SUMS),--sums)

# --- model and fuzzing ----------------------------------------------------------------------------

model = $(BUILD)/model
model_sources = $(wildcard common/test/model/*.c)
model_objects = $(model_sources:common/test/model/%.c=$(model)/%.o) $(BUILD)/view/script.o
model_stages = $(if $(STAGE),$(filter $(STAGE),$(STAGES)),$(STAGES))

$(model)/%.o: common/test/model/%.c stage1-bump/allocator.h $(wildcard common/test/model/*.h common/view/*.h)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -Istage1-bump -c $< -o $@

define model_rule
$(model)/stage$(1): $(model_objects) $(BUILD)/stage$(1)/libma.a
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS) $$^ -o $$@ -pthread

$(model)/mine/stage$(1): $(model_objects) FORCE
	$$(need_mine)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) -I'$$(MINE)' -Istage1-bump '$$(MINE)/allocator.c' $(model_objects) -o $$@ -pthread
endef
$(foreach n,$(STAGES),$(eval $(call model_rule,$(n))))

model_dir = $(model)$(if $(MINE),/mine)
model_usage = @if [ -z '$(model_stages)' ] || { [ -n '$(MINE)' ] && [ -z '$(STAGE)' ]; }; then \
	  echo 'usage: make $@ [SEED=N] [OPS=N] [STAGE=N] [MINE=dir STAGE=N]   (N is 1 to 5)' >&2; exit 2; fi

# Fuzzing is clang's. The directory has a name of its own, for the flags do.
fuzz = $(BUILD)/fuzz
fuzz_flags = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
fuzz_model = $(filter-out %/main.c %/trial.c %/placement.c,$(model_sources)) common/view/script.c
fuzz_headers = stage1-bump/allocator.h $(wildcard common/test/model/*.h common/view/*.h common/trace/*.h)
fuzz_parsers = trace script
fuzz_trace = common/test/fuzz/fuzz_trace.c common/trace/trace.c common/trace/table.c
fuzz_script = common/test/fuzz/fuzz_script.c common/view/script.c
FUZZ_CC = clang
fuzz_compile = $(FUZZ_CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(fuzz_flags) -Istage1-bump
SECONDS = 60

.PHONY: fuzz fuzz-clang
fuzz-clang:
	@common/test/fuzz/has-clang $(FUZZ_CC)

define fuzz_stage_rule
$(fuzz)/stage$(1): common/test/fuzz/fuzz_stage.c $(fuzz_model) $(dir_$(1))/allocator.c $(fuzz_headers) | fuzz-clang
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(fuzz_compile) -DMA_HEAP_SIZE=67108864 -fsanitize=fuzzer,address,undefined \
	  $$(filter %.c,$$^) -o $$@ -pthread

$(fuzz)/shrink-stage$(1): $(model_sources) common/view/script.c $(dir_$(1))/allocator.c $(fuzz_headers) | fuzz-clang
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(fuzz_compile) -fsanitize=address,undefined $$(filter %.c,$$^) -o $$@ -pthread

.PHONY: fuzz-stage$(1)
fuzz-stage$(1): $(fuzz)/stage$(1) $(fuzz)/shrink-stage$(1)
	@common/test/fuzz/run $(fuzz) stage$(1) '$$(SECONDS)'
endef
$(foreach n,$(STAGES),$(eval $(call fuzz_stage_rule,$(n))))

# The parsers' regressions run with any compiler.
define fuzz_parser_rule
$(fuzz)/$(1): $(fuzz_$(1)) $(fuzz_headers) | fuzz-clang
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(fuzz_compile) -fsanitize=fuzzer,address,undefined $$(filter %.c,$$^) -o $$@

$(model)/replay-$(1): common/test/fuzz/replay.c $(fuzz_$(1)) $(fuzz_headers)
	$$(say) LD $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(COMPILE) -Istage1-bump $$(filter %.c,$$^) -o $$@

.PHONY: fuzz-$(1)
fuzz-$(1): $(fuzz)/$(1)
	@common/test/fuzz/run $(fuzz) $(1) '$$(SECONDS)'
endef
$(foreach name,$(fuzz_parsers),$(eval $(call fuzz_parser_rule,$(name))))

fuzz: $(foreach n,$(STAGES),fuzz-stage$(n)) $(fuzz_parsers:%=fuzz-%)

.PHONY: test-model test-placement test-model-teeth
test-model: $(model_stages:%=$(model_dir)/stage%) $(fuzz_parsers:%=$(model)/replay-%)
	$(model_usage)
	@SEED='$(SEED)' OPS='$(OPS)' common/test/model/run $(model_dir) model $(model_stages)

test-placement: $(patsubst %,$(model_dir)/stage%,$(filter 3 4,$(model_stages)))
	$(model_usage)
	@SEED='$(SEED)' OPS='$(OPS)' common/test/model/run $(model_dir) placement $(filter 3 4,$(model_stages))

test-model-teeth: $(model_objects)
	@CC='$(CC)' BUILD=$(BUILD) common/test/model/teeth

.PHONY: soak
soak: $(preloads) $(faults)/soak-stage4 $(faults)/soak-stage5
	@BUILD=$(BUILD) MINUTES='$(MINUTES)' common/test/faults/soak

# --- sanitizers and coverage ----------------------------------------------------------------------

under = BUILD=$(BUILD) MAKE='$(MAKE)' COMPILERS='$(COMPILERS)' LEVELS='$(LEVELS)' STAGES='$(STAGE)' \
  EXCLUDE='$(EXCLUDE)' common/test/under

.PHONY: test-asan test-tsan test-valgrind test-levels test-m32 coverage
test-asan test-tsan test-valgrind test-levels: check
	@common/setup trust
	@$(under) $(@:test-%=%)

test-m32:
	@common/setup trust
	@$(under) m32

coverage: check
	@common/setup trust
	@BUILD=$(BUILD) MAKE='$(MAKE)' STAGES='$(STAGE)' common/test/coverage/run

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
