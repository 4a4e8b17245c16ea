# Tests: consumer.
retrywatch_test(unit digest consumer)
retrywatch_test(unit config consumer)
retrywatch_test(unit config_errors consumer)
retrywatch_test(unit log consumer)
retrywatch_test(unit registry consumer)
retrywatch_test(unit nearest consumer)
retrywatch_test(unit cli consumer)
retrywatch_fuzz(config consumer)
