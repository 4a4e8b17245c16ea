# Tests: aggregator.
retrywatch_test(unit rule aggregator)
retrywatch_test(unit decision aggregator)
retrywatch_test(unit evidence aggregator)
retrywatch_test(unit partition aggregator)
