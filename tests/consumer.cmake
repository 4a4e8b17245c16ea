# Tests: consumer.
retrywatch_test(unit digest consumer)
