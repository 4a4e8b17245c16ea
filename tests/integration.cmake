# Tests: integration.
