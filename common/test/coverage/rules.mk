## make coverage                     lines and branches that the suite reaches; what is not has a reason
.PHONY: coverage
coverage: need-check
	@common/setup trust
	@BUILD=$(BUILD) MAKE='$(MAKE)' STAGES='$(STAGE)' common/test/coverage/run
