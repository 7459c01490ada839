##   make test-race               what ThreadSanitizer says of two threads
.PHONY: test-race
test-race:
	@CC=$(CC) BUILD=$(BUILD) common/test/race/run
