# Tests: lint.
