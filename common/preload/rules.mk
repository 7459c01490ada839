# malloc and its relatives for whole programs.

# Other systems preload in other ways, and have no malloc.h.
preloads = $(if $(linux),$(STAGES:%=$(BUILD)/preload/stage%.so))

# initfirst: handlers for fork that the program's libraries register must run around ours.
preload_flags = -fPIC -shared -Wl,-z,initfirst -fvisibility=hidden -ftls-model=initial-exec \
  $(no_builtin) -pthread

$(STAGES:%=$(BUILD)/preload/stage%.so): $(BUILD)/preload/stage%.so: common/preload/preload.c \
  $$(call files,$$*) $(flags)
	$(call build,SO,$(preload_flags) $(region_$*) -I$(dir_$*))

$(BUILD)/preload/mine.so: common/preload/preload.c $(mine) $(flags)
	$(call build,SO,$(preload_flags) $(mine_source))

$(BUILD)/preload/test_contract: common/preload/test_contract.c $(flags)
	$(call build,LD)

## Whole programs
##   make test-programs           real programs on every stage, compared with libc
.PHONY: $(STAGES:%=run-stage%) run-mine
$(STAGES:%=run-stage%) run-mine: run-%: $(BUILD)/preload/%.so
	@common/preload/run $< '$(subst ','\'',$(value CMD))'

.PHONY: test-programs
test-programs: $(preloads) $(BUILD)/preload/test_contract
	@common/setup programs
	@BUILD=$(BUILD) common/preload/test-programs
