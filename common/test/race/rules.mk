## make test-race                    what ThreadSanitizer says about two threads on every stage
.PHONY: test-race
test-race:
	@CC=$(CC) BUILD=$(BUILD) common/test/race/run
