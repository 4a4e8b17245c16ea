# Tests: codec.
retrywatch_test(unit forbidden codec)
retrywatch_test(unit url codec)
