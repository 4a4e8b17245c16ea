# Tests: codec.
