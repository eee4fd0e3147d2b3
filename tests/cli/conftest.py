"""Fixtures of the tests of the command line."""

import pytest

from tests.support.quick_run import method_allowed, train_quickly


@pytest.fixture(scope='module')
def quick_method():
  """Lets runs of the tests' own method be restored without a config."""
  with method_allowed():
    yield


@pytest.fixture(scope='module')
def trained(quick_method, tmp_path_factory):
  """Returns the workdir of a quick run, and its data set beside it."""
  root = tmp_path_factory.mktemp('trained')
  return train_quickly(root), root / 'data'
