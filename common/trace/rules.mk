# Traces: what programs ask of their allocator.

trace = $(BUILD)/trace
trace_recorder = $(if $(linux),$(trace)/record.so)
trace_replays = $(STAGES:%=$(trace)/replay-stage%)

$(trace)/%.o: common/trace/%.c $(wildcard common/trace/*.h) $(interface)
	$(call build,CC,-c -Istage1-bump)

# Only malloc and its relatives are exported, and gcc must not call calloc within calloc.
$(trace)/record.so: common/trace/record.c common/trace/table.c $(wildcard common/trace/*.h) $(flags)
	$(call build,SO,-fPIC -shared -fvisibility=hidden $(no_builtin) -pthread -ldl)

$(trace)/generate: $(trace)/generate.o
	$(call build,LD)

$(trace)/convert: $(trace)/convert.o $(trace)/trace.o $(trace)/table.o
	$(call build,LD)

$(trace_replays): $(trace)/replay-%: $(trace)/replay.o $(trace)/trace.o $(trace)/table.o \
  $(BUILD)/%/libma.a
	$(call build,LD,-pthread)

## Traces
##   make trace CMD='git log' OUT=file
##                                record what a program asks of its allocator
##   make generate TRACE=churn OUT=file
##                                make up a trace; SEED=1, OPS=100000; without
##                                TRACE: a list
##   make replay TRACE=file STAGE=N
##                                replay it, contents and invariants checked
##   make convert TRACE=file      a trace of any dialect in the plain format
##   make test-trace              parser, recorder, generators, replay
.PHONY: trace generate convert replay
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

.PHONY: test-trace
test-trace: $(trace)/generate $(trace)/convert $(trace_replays) $(trace_recorder)
	@CC='$(CC)' BUILD=$(BUILD) common/trace/test
