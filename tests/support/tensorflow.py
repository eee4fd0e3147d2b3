"""TensorFlow, which the tests have and a light install has not."""

import importlib.util

import pytest

INSTALLED = importlib.util.find_spec('tensorflow') is not None
REASON = (
  'TensorFlow is not installed; make setup, or pip install -c '
  "constraints.txt -e '.[tensorflow]', installs it."
)
needs_tensorflow = pytest.mark.skipif(not INSTALLED, reason=REASON)
