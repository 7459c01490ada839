# The stages beside libc and other allocators.

bench = $(BUILD)/bench
bench_files = common/bench/measure.c common/trace/trace.c common/trace/table.c \
  $(wildcard common/bench/*.h common/trace/*.h) $(interface)
bench_programs = $(patsubst %,$(bench)/%,replay large growth threads latency stall)

$(bench_programs): $(bench)/%: common/bench/%.c $(bench_files)
	$(call build,LD,$(no_builtin) -pthread -ldl)

$(bench)/stage5-nocache.so: common/preload/preload.c $(call files,5) $(flags)
	$(call build,SO,$(preload_flags) -DMA_THREAD_CACHE=0 -I$(dir_5))

bench_run = BUILD=$(BUILD) common/bench/run $(if $(QUICK),--quick)

## Measure, further; QUICK=1: in a minute
##   make bench-threads           threads that free each other's blocks
##   make bench-growth            many live blocks
##   make bench-latency           single calls
##   make bench-goals             the goals, and what the benches found
##   make bench-instructions      instructions, counted: of a malloc/free pair, of
##                                real programs; fails if pairs are 3 % worse;
##                                UPDATE=1 notes the figures
##   make test-bench              the bench itself: arithmetic, tables, programs
.PHONY: bench bench-threads bench-growth bench-latency bench-goals
bench: $(preloads) $(trace_recorder) $(trace)/generate $(bench)/replay $(bench)/large
	@$(bench_run) replay

bench-threads: $(preloads) $(bench)/stage5-nocache.so $(bench)/threads
	@$(bench_run) threads

bench-growth: $(preloads) $(bench)/growth
	@$(bench_run) growth

bench-latency: $(preloads) $(bench)/latency $(bench)/stall
	@$(bench_run) latency

bench-goals:
	@$(bench_run) goals

# --- instructions, counted ------------------------------------------------------------------------

# Pairs: with the allocator in the same program; stage 1 with a region that holds all it is asked for.
instructions_files = common/bench/instructions.c common/bench/measure.c common/bench/measure.h $(interface)
instructions_flags = $(no_builtin) -pthread -ldl
instructions_libc = -Dma_malloc=malloc -Dma_free=free -Wl,-z,now
instructions = $(STAGES:%=$(bench)/instructions-stage%)

$(instructions): $(bench)/instructions-stage%: $(instructions_files) $$(call files,$$*)
	$(call build,LD,$(instructions_flags) $(region_$*) -I$(dir_$*))

$(bench)/instructions-libc: $(instructions_files)
	$(call build,LD,$(instructions_flags) -Istage1-bump $(instructions_libc))

.PHONY: bench-instructions
bench-instructions: $(instructions) $(bench)/instructions-libc $(preloads) $(trace_recorder) $(bench)/replay
	@CC='$(CC)' CFLAGS='$(CFLAGS)' BUILD=$(BUILD) common/bench/instructions $(if $(UPDATE),--update)

.PHONY: test-bench
test-bench: $(preloads) $(bench_programs)
	@BUILD=$(BUILD) common/bench/test
