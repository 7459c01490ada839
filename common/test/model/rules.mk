# Random operations beside a model of what an allocator promises, and beside predicted addresses.

model = $(BUILD)/model
model_sources = $(wildcard common/test/model/*.c)
model_headers = $(wildcard common/test/model/*.h common/view/*.h)
model_objects = $(model_sources:common/test/model/%.c=$(model)/%.o) $(BUILD)/view/script.o

$(model)/%.o: common/test/model/%.c $(model_headers) $(interface)
	$(call build,CC,-c -Istage1-bump)

$(STAGES:%=$(model)/stage%): $(model)/%: $(model_objects) $(BUILD)/%/libma.a
	$(call build,LD,-pthread)

# The program of the reader's own stands where one of the chosen stage would.
$(STAGES:%=$(model)/mine/stage%): $(model_objects) $(BUILD)/mine/libma.a
	$(call build,LD,-pthread)

model_stages = $(if $(STAGE),$(filter $(STAGES),$(STAGE)),$(STAGES))
model_dir = $(model)$(if $(MINE),/mine)

.PHONY: need-model-stage
need-model-stage:
	@if [ -z '$(model_stages)' ] || { [ -n '$(MINE)' ] && [ -z '$(STAGE)' ]; }; then \
	  echo 'usage: make $(MAKECMDGOALS) [SEED=N] [OPS=N] [STAGE=N] [MINE=dir STAGE=N]   (N is 1 to 5)' >&2; \
	  exit 2; fi

##   make test-model              random operations beside a model; SEED=N, OPS=N,
##                                STAGE=N, MINE=dir
##   make test-placement          the addresses of stages 3 and 4 as predicted
##   make test-model-teeth        faults that the two must find, and shrink
.PHONY: test-model test-placement test-model-teeth
test-model: need-model-stage $(model_stages:%=$(model_dir)/stage%) $(model)/replay-trace \
  $(model)/replay-script
	@SEED='$(SEED)' OPS='$(OPS)' MINE='$(MINE)' common/test/model/run $(model_dir) model $(model_stages)

test-placement: need-model-stage $(patsubst %,$(model_dir)/stage%,$(filter 3 4,$(model_stages)))
	@SEED='$(SEED)' OPS='$(OPS)' MINE='$(MINE)' common/test/model/run $(model_dir) placement \
	  $(filter 3 4,$(model_stages))

test-model-teeth: $(model_objects)
	@CC='$(CC)' BUILD=$(BUILD) common/test/model/teeth
