"""Comparison of trees of arrays."""

import numpy as np
from flax import traverse_util


def assert_close(actual, expected, tolerance: float) -> None:
  """Compares two trees.

  The tolerance is relative to each array's largest number, but to no less than
  0.01: some gradients are what is left where terms of size 1 cancel.
  """
  actual = traverse_util.flatten_dict(actual, sep='/')
  expected = traverse_util.flatten_dict(expected, sep='/')
  assert actual.keys() == expected.keys()
  for name in expected:
    np.testing.assert_allclose(
      actual[name],
      expected[name],
      rtol=0,
      atol=tolerance * max(np.abs(expected[name]).max(), 0.01),
      err_msg=name,
    )
