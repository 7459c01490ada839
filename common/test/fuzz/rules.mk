# Fuzzing, which is clang's, with flags of its own.

fuzz = $(BUILD)/fuzz
fuzz_headers = $(wildcard common/test/fuzz/*.h common/test/model/*.h common/view/*.h common/trace/*.h) \
  $(interface)
fuzz_model = $(filter-out %/main.c %/trial.c %/placement.c,$(model_sources)) common/view/script.c
fuzz_trace = common/test/fuzz/fuzz_trace.c common/trace/trace.c common/trace/table.c
fuzz_script = common/test/fuzz/fuzz_script.c common/view/script.c
fuzz_sanitizers = -fsanitize=address,undefined
SECONDS = 60

$(fuzz)/%: COMPILE = $(FUZZ_CC) -std=c11 $(WARNINGS) $(CPPFLAGS) -O1 -g -fno-omit-frame-pointer \
  -fno-sanitize-recover=all $(fuzz_sanitizers)

$(STAGES:%=$(fuzz)/stage%): $(fuzz)/stage%: common/test/fuzz/fuzz_stage.c $(fuzz_model) \
  $$(call files,$$*) $(fuzz_headers) | need-clang
	$(call build,LD,-fsanitize=fuzzer -I$(dir_$*) -DMA_HEAP_SIZE=67108864 -pthread)

$(STAGES:%=$(fuzz)/shrink-stage%): $(fuzz)/shrink-stage%: $(model_sources) common/view/script.c \
  $$(call files,$$*) $(fuzz_headers) | need-clang
	$(call build,LD,-I$(dir_$*) -pthread)

$(fuzz)/trace: $(fuzz_trace) $(fuzz_headers) | need-clang
	$(call build,LD,-fsanitize=fuzzer -Istage1-bump)

$(fuzz)/script: $(fuzz_script) $(fuzz_headers) | need-clang
	$(call build,LD,-fsanitize=fuzzer -Istage1-bump)

# What the parsers once failed on is read again by any compiler's programs, in `make test-model`.
$(model)/replay-trace: common/test/fuzz/replay.c $(fuzz_trace) $(fuzz_headers)
	$(call build,LD,-Istage1-bump)

$(model)/replay-script: common/test/fuzz/replay.c $(fuzz_script) $(fuzz_headers)
	$(call build,LD,-Istage1-bump)

.PHONY: need-clang
need-clang:
	@common/test/fuzz/has-clang $(FUZZ_CC)

##   make fuzz-stageN             libFuzzer and sanitizers on stage N; SECONDS=60
##   make fuzz-trace fuzz-script  the same on the parsers
##   make fuzz                    the same on all
.PHONY: fuzz $(STAGES:%=fuzz-stage%) fuzz-trace fuzz-script
fuzz: $(STAGES:%=fuzz-stage%) fuzz-trace fuzz-script

$(STAGES:%=fuzz-stage%): fuzz-%: $(fuzz)/% $(fuzz)/shrink-%
	@common/test/fuzz/run $(fuzz) $* '$(SECONDS)'

fuzz-trace fuzz-script: fuzz-%: $(fuzz)/%
	@common/test/fuzz/run $(fuzz) $* '$(SECONDS)'
