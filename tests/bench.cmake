# Tests: bench.
