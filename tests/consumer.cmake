# Tests: consumer.
