# The book.

## The book and the tree
##   make test-examples           the programs of the book
##   make test-text               quotes and outputs in the text are what files and
##                                commands say
##   make diff-stageN FILE=fit.h  what stage N changes in one file
##   make diffstat                how much each stage changes, against the budget
##   make floors STAGE=N          which file of a stage stands on which
##   make lint                    all that can be checked without running
##   make format                  lay out the C files as .clang-format says
##   make setup                   install what tests, book and checks need
##   make clean                   remove build/
.PHONY: docs
docs:
	@common/setup docs
	@BUILD=$(BUILD) docs/build

.PHONY: test-examples
test-examples:
	@BUILD=$(BUILD) docs/examples/test

.PHONY: test-text
test-text: all
	@docs/check-quotes
	@docs/check-output
