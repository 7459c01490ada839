##   make coverage                lines and branches that the suite reaches
.PHONY: coverage
coverage: need-check
	@common/setup trust
	@BUILD=$(BUILD) MAKE='$(MAKE)' STAGES='$(STAGE)' common/test/coverage/run
