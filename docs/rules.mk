# The book.

## make docs                         the book, as build/docs/html/index.html
.PHONY: docs
docs:
	@common/setup docs
	@BUILD=$(BUILD) docs/build

## make test-examples                the programs of the book
.PHONY: test-examples
test-examples:
	@BUILD=$(BUILD) docs/examples/test

## make test-text                    the quotes and outputs in the text are what files and commands say
.PHONY: test-text
test-text: all
	@docs/check-quotes
	@docs/check-output
