## make test-checker                 use after free in a heap of ours, as AddressSanitizer and valgrind see it
.PHONY: test-checker
test-checker:
	@CC=$(CC) BUILD=$(BUILD) common/checker/test
