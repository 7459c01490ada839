# Small programs that misuse malloc.

misuse = $(BUILD)/misuse
misuse_probes = probe double_free wrong_pointer overflow late_write correct_use
misuse_messages = $(STAGES:%=$(misuse)/messages-stage%)

$(misuse)/probe: $(misuse_probes:%=common/test/misuse/%.c) common/test/misuse/probe.h $(flags)
	$(call build,LD,$(no_builtin) -pthread)

$(misuse)/observe: common/test/misuse/observe.c $(flags)
	$(call build,LD)

$(misuse_messages): $(misuse)/messages-stage%: common/test/misuse/messages.c $$(call files,$$*) $(flags)
	$(call build,LD,-DMA_NO_WARNINGS $(no_builtin) -I$(dir_$*) -pthread)

##   make misuse-table            how the stages and other allocators end misuse;
##                                SUMS=1: only sums
##   make misuse-hardening        what each mechanism against misuse costs, and what it
##                                alone finds
.PHONY: test-misuse misuse-table misuse-hardening
test-misuse: $(preloads) $(misuse)/probe $(misuse)/observe $(misuse_messages)
	@BUILD=$(BUILD) common/test/misuse/run

misuse-table: $(preloads) $(misuse)/probe $(misuse)/observe
	@BUILD=$(BUILD) common/test/misuse/table $(if $(SUMS),--sums)

misuse-hardening: $(misuse)/probe $(misuse)/observe
	@CC='$(CC)' CFLAGS='$(CFLAGS)' BUILD=$(BUILD) common/test/misuse/hardening
