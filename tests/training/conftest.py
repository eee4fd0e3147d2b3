"""What the tests of training share."""

import shutil

import pytest


@pytest.fixture
def copy(trained, tmp_path):
  """Returns a copy, to change, of the run that the module's `trained` made."""
  shutil.copytree(trained[0], tmp_path / 'run')
  return tmp_path / 'run'
