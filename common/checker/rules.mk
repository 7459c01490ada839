##   make test-checker            use after free in a heap of ours, seen by
##                                AddressSanitizer and valgrind
.PHONY: test-checker
test-checker:
	@CC=$(CC) BUILD=$(BUILD) common/checker/test
