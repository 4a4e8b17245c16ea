# Tests: aggregator.
retrywatch_test(unit rule aggregator)
retrywatch_test(unit decision aggregator)
retrywatch_test(unit evidence aggregator)
retrywatch_test(unit partition aggregator)
retrywatch_test(unit review aggregator)
retrywatch_test(unit review_decisions aggregator)
retrywatch_test(unit packet aggregator)
