# Faults: memory refused, limits, fork, signals, dying threads, C++, dlopen.

faults = $(BUILD)/faults
faults_linked = refuse limited signals phases

# On systems that preload in the way of Linux; the program in C++ where there is a compiler for it.
faults_preloaded = $(if $(linux),$(faults)/library.so $(faults)/dlopen $(faults)/atfork \
  $(if $(shell command -v $(CXX)),$(faults)/objects))

$(faults)/%.o: common/test/faults/%.c common/test/faults/faults.h $(interface)
	$(call build,CC,-c $(no_builtin) -Istage1-bump)

# NAME-stageN: a program for every stage.
define faults_rule
$(STAGES:%=$(faults)/$(1)-stage%): $(faults)/$(1)-%: $(faults)/$(1).o $(faults)/faults.o \
  $(BUILD)/%/libma.a
	$$(call build,LD,-pthread -ldl)
endef
$(foreach name,$(faults_linked) threads soak,$(eval $(call faults_rule,$(name))))

$(faults)/library.so: common/test/faults/library.c $(flags)
	$(call build,SO,-fPIC -shared $(no_builtin) -pthread)

faults_rpath = -Wl,-rpath,'$$ORIGIN'

$(faults)/dlopen: $(faults)/dlopen.o $(faults)/faults.o
	$(call build,LD,-pthread -ldl)

$(faults)/atfork: $(faults)/atfork.o $(faults)/faults.o $(faults)/library.so
	$(call build,LD,$(faults)/library.so $(faults_rpath) -pthread)

$(faults)/objects: common/test/faults/objects.cc $(flags)
	$(say) CXX $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR) $(CFLAGS) $< -o $@ \
	  -pthread

##   make test-faults             memory refused, limits, fork, signals, threads
##                                that die, C++, dlopen
##   make soak MINUTES=10         a mixed load on stages 4 and 5: memory stays flat
.PHONY: test-faults soak
test-faults: $(preloads) $(faults_preloaded) $(faults)/threads-stage5 \
  $(foreach name,$(faults_linked),$(STAGES:%=$(faults)/$(name)-stage%))
	@BUILD=$(BUILD) common/test/faults/run $(FAULTS)

soak: $(preloads) $(faults)/soak-stage4 $(faults)/soak-stage5
	@BUILD=$(BUILD) MINUTES='$(MINUTES)' common/test/faults/soak
