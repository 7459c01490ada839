# Faults planted one at a time.

##   make mutants                 faults planted one at a time, what killed each;
##                                STAGE=N, ALL=1, ONLY=name, EVERY=3: a third
.PHONY: mutants
mutants: $(test_objects)
	@BUILD=$(BUILD) CC='$(CC)' CFLAGS='$(CFLAGS)' COMPILE='$(COMPILE)' common/test/mutants/run \
	  $(if $(ALL),--all) $(if $(STAGE),--stage=$(STAGE)) $(if $(EVERY),--every=$(EVERY)) $(ONLY)
