#!/usr/bin/env bash
# python.sh - run an integration test with the Python of a venv: python.sh VENV SCRIPT.
# SPDX-License-Identifier: Apache-2.0
python=$1/bin/python
[ -x "$python" ] || python=python3 # no Java: the test says that it is skipped
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec "$python" -u "$2"
