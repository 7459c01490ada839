# Heap maps.

view_sources = $(filter-out common/view/threads.c,$(wildcard common/view/*.c))
view_objects = $(view_sources:common/view/%.c=$(BUILD)/view/%.o)
views = $(STAGES:%=$(BUILD)/view/stage%)
view_threads = $(BUILD)/view/threads-stage4 $(BUILD)/view/threads-stage5

$(BUILD)/view/%.o: common/view/%.c $(wildcard common/view/*.h) $(interface)
	$(call build,CC,-c -Istage1-bump)

$(views) $(BUILD)/view/mine: $(BUILD)/view/%: $(view_objects) $(BUILD)/%/libma.a
	$(call build,LD,-pthread)

$(view_threads): $(BUILD)/view/threads-%: $(BUILD)/view/threads.o $(BUILD)/%/libma.a
	$(call build,LD,-pthread)

## Look, further
##   make view-stageN SCRIPT=file
##                                a script of your own; FORMAT=svg, WIDTH=columns,
##                                BRIEF=1: no tables
##   make test-view               the heap maps on every sample script
.PHONY: tour
tour: $(views) $(view_threads)
	@common/view/tour $(BUILD)/view

view_options = $(if $(FORMAT),--format=$(FORMAT)) $(if $(WIDTH),--width=$(WIDTH)) \
  $(if $(BRIEF),--brief) $(if $(SIZE),--size=$(SIZE))

.PHONY: $(STAGES:%=view-stage%) view-mine
$(STAGES:%=view-stage%) view-mine: view-%: $(BUILD)/view/%
	@common/view/show $< '$(SCRIPT)' $(view_options)

.PHONY: test-view
test-view: $(views) $(view_threads)
	@common/view/test $(BUILD)/view
