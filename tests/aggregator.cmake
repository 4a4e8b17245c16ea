# Tests: aggregator.
