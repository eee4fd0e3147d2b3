import pytest

from afgan_jax.jobs.train import train
from afgan_jax.system.errors import UsageError
from tests.support.tiny import tiny_config


class _Loading(Exception):
  """Raised once the config has passed all checks."""


class _Data:
  def load_train(self, config):
    raise _Loading


def test_groups_that_do_not_divide_stop_new_runs_alone(tmp_path):
  config = tiny_config(**{'norm.kind': 'group'})
  with pytest.raises(UsageError, match='config.norm.group_size is 16'):
    train(config, tmp_path, _Data())
  # A run of an earlier version, which goes on as it began.
  (tmp_path / 'checkpoints' / '5').mkdir(parents=True)
  with pytest.raises(_Loading):
    train(config, tmp_path, _Data())
