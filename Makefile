# Malloc, in five stages: `make help` lists the commands.
#
# No recursion: the rules of each part stand in its rules.mk, included below. For the command line:
#   CC=clang   CFLAGS='-O3 -g'   BUILD=build/other   WERROR=-Werror   V=1 (shows the commands)
# What was made with other flags is made anew.

BUILD ?= build
CFLAGS ?= -O2 -g
WERROR ?=

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align \
  -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2 -Wwrite-strings \
  -Wnull-dereference $(WERROR)
FUZZ_CC = clang
COMPILE = $(CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(CFLAGS)

# For code that calls malloc or is malloc: else the compiler, which knows it, leaves calls of it out.
no_builtin = -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free

STAGES = 1 2 3 4 5
dir_1 = stage1-bump
dir_2 = stage2-free
dir_3 = stage3-bestfit
dir_4 = stage4-coalesce
dir_5 = stage5-threads

# Of what stage $(1) consists; only allocator.c is compiled, and includes the rest.
files = $(dir_$(1))/allocator.c $(wildcard $(dir_$(1))/*.h)

# Stage 1 cannot grow: for whole programs its region is 1 GiB.
region_1 = -DMA_HEAP_SIZE=1073741824

# What all that is compiled depends on. The interface is the same in all stages.
flags = $(BUILD)/flags
interface = stage1-bump/allocator.h $(flags)

# All that is built is built by this: $(call build,WORD FOR THE READER,MORE FLAGS). What is compiled
# and linked are the C files, objects and libraries among the prerequisites.
define build
$(say) $(1) $@
$(Q)mkdir -p $(@D)
$(Q)$(COMPILE) $(filter %.c %.o %.a,$^) -o $@ $(2)
endef

Q = $(if $(V),,@)
say = @$(if $(V),true,printf >&2 '  %-4s %s\n')

linux = $(filter Linux,$(shell uname -s))

.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION: # for $$(call files,$$*): the files of the stage whose number the target has
.SUFFIXES:

## Look
##   make tour                    the five stages at work, in five minutes
##   make view-stageN             draw a heap step by step; SCRIPT=coalesce
##   make run-stageN CMD='git log'
##                                a real program on stage N, not on libc's malloc
## Read
##   make diff-stageN             what stage N changes in the stage before it
##   make docs                    the book, as build/docs/html/index.html
## Prove
##   make test test-stageN        the suite on all stages, or on one
##   make matrix                  which stage can do what, from a run just made
##   make test-misuse             300 programs that misuse malloc, on all stages
## Measure
##   make bench                   time and memory beside libc, jemalloc and others;
##                                QUICK=1: in a minute
## Your own
##   make test-mine MINE=dir STAGE=N
##                                the suite on dir/allocator.c, as stage N
##   make view-mine run-mine      as view-stageN and run-stageN, with MINE=dir
##
## N is 1 to 5. make alone builds the stages.
##   make help help-all           this list, and the rest

.PHONY: all
all: $(STAGES:%=$(BUILD)/stage%/libma.a) $$(preloads)

.PHONY: help help-all
help:
	@sed -n 's/^## \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

help-all: help
	@echo
	@sed -n 's/^## \{0,1\}//p' $(wordlist 2,99,$(MAKEFILE_LIST))

# What no rule makes: a command that does not exist, or a file that is missing.
.DEFAULT:
	@$(if $(filter $@,$(MAKECMDGOALS)),common/unknown '$@' $(MAKEFILE_LIST),\
	  echo >&2 '$@ is missing, and no rule makes it'; exit 2)

# --- the stages -----------------------------------------------------------------------------------

$(STAGES:%=$(BUILD)/stage%/allocator.o): $(BUILD)/stage%/allocator.o: $$(call files,$$*) $(flags)
	$(call build,CC,-c)

$(BUILD)/%/libma.a: $(BUILD)/%/allocator.o
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $<

# An allocator of the reader's own, MINE=dir, takes the place of a stage: dir/allocator.c and whatever
# it includes. What that is make cannot know: it is compiled anew each time. Of ours it sees allocator.h.
mine = need-mine $(BUILD)/include/allocator.h
mine_source = -I'$(MINE)' -I$(BUILD)/include '$(MINE)/allocator.c'

$(BUILD)/mine/allocator.o: $(mine)
	$(call build,CC,-c $(mine_source))

$(BUILD)/include/allocator.h: stage1-bump/allocator.h
	@mkdir -p $(@D)
	@cp $< $@

.PHONY: need-mine
need-mine:
	@if [ -z '$(MINE)' ]; then echo 'MINE=dir is missing: the directory of your allocator.c' >&2; exit 2; \
	elif [ ! -f '$(MINE)/allocator.c' ]; then echo 'there is no $(MINE)/allocator.c' >&2; exit 2; fi

# Written only if what is made was made with other flags.
flags_now := $(COMPILE) - $(CXX) - $(FUZZ_CC)
ifneq ($(strip $(flags_now)),$(strip $(shell cat $(flags) 2>/dev/null)))
$(flags): FORCE
endif
$(flags):
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_now))' >$@

.PHONY: FORCE
FORCE:

# --- the parts: each uses only what stands before it ----------------------------------------------

parts = view preload trace test test/faults test/misuse test/model test/fuzz test/mutants test/race \
  test/coverage checker bench
include $(parts:%=common/%/rules.mk) docs/rules.mk

# --- small tools ----------------------------------------------------------------------------------

.PHONY: $(STAGES:%=diff-stage%) diffstat
diff-stage1:
	@echo 'Stage 1 has no stage before it. Read $(dir_1)/README.md, then make diff-stage2.'

diff-stage2: before = $(dir_1)
diff-stage3: before = $(dir_2)
diff-stage4: before = $(dir_3)
diff-stage5: before = $(dir_4)
diff-stage2 diff-stage3 diff-stage4 diff-stage5: diff-stage%:
	@common/diff $(before) $(dir_$*) $(FILE)

diffstat:
	@common/diff --stat $(foreach n,$(STAGES),$(dir_$(n)))

.PHONY: floors
floors:
	@if [ -z '$(dir_$(STAGE))' ]; then \
	  echo 'usage: make floors STAGE=N   (N is 1 to 5)' >&2; exit 2; fi
	@common/floors $(dir_$(STAGE))

c_files = $(wildcard stage*/*.[ch] common/*/*.[ch] common/*/*/*.[ch] docs/examples/*.[ch])

.PHONY: lint format
lint:
	@common/setup lint
	@C_FILES='$(c_files)' WARNINGS='-std=c11 $(WARNINGS)' common/lint

format:
	clang-format -i $(c_files)

.PHONY: setup clean
setup:
	@common/setup

clean:
	rm -rf $(BUILD)
