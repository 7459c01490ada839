# Faults: memory refused, limits, blocked ways, fork, signals, dying threads, C++, dlopen.

faults = $(BUILD)/faults
faults_linked = refuse limited signals phases blocked giveback threads caches stall soak

# Of these, the ones that `make test-faults` runs: NAME-stageN.
faults_run = $(foreach name,refuse limited signals phases,$(STAGES:%=$(name)-stage%)) \
  $(foreach stage,2 3 4 5,blocked-stage$(stage)) giveback-stage4 giveback-stage5 \
  threads-stage5 caches-stage5 stall-stage5

# On systems that preload in the way of Linux; the program in C++ where there is a compiler for it.
faults_preloaded = $(if $(linux),$(faults)/nohints.so $(faults)/library.so $(faults)/dlopen \
  $(faults)/atfork $(faults)/unload $(if $(shell command -v $(CXX)),$(faults)/objects))

$(faults)/%.o: common/test/faults/%.c common/test/faults/faults.h $(interface)
	$(call build,CC,-c $(no_builtin) -Istage1-bump)

# NAME-stageN: a program for every stage.
define faults_rule
$(STAGES:%=$(faults)/$(1)-stage%): $(faults)/$(1)-%: $(faults)/$(1).o $(faults)/faults.o \
  $(BUILD)/%/libma.a
	$$(call build,LD,-pthread -ldl)
endef
$(foreach name,$(faults_linked),$(eval $(call faults_rule,$(name))))

$(faults)/library.so $(faults)/nohints.so: $(faults)/%.so: common/test/faults/%.c $(flags)
	$(call build,SO,-fPIC -shared $(no_builtin) -pthread)

faults_rpath = -Wl,-rpath,'$$ORIGIN'

$(faults)/dlopen $(faults)/unload: $(faults)/%: $(faults)/%.o $(faults)/faults.o
	$(call build,LD,-pthread -ldl)

$(faults)/atfork: $(faults)/atfork.o $(faults)/faults.o $(faults)/library.so
	$(call build,LD,$(faults)/library.so $(faults_rpath) -pthread)

$(faults)/objects: common/test/faults/objects.cc $(flags)
	$(say) CXX $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR) $(CFLAGS) $< -o $@ \
	  -pthread

##   make test-faults             memory refused, limits, a blocked way, fork, signals,
##                                threads that die, C++, dlopen
##   make soak MINUTES=10         a mixed load on stages 4 and 5: memory stays flat
.PHONY: test-faults soak
test-faults: $(preloads) $(faults_preloaded) $(faults_run:%=$(faults)/%)
	@BUILD=$(BUILD) common/test/faults/run $(FAULTS)

soak: $(preloads) $(faults)/soak-stage4 $(faults)/soak-stage5
	@BUILD=$(BUILD) MINUTES='$(MINUTES)' common/test/faults/soak
