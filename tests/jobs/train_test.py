import pytest

from afgan_jax.config.store import to_json
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


def test_a_config_that_cannot_continue_stops_before_images_are_read(tmp_path):
  (tmp_path / 'checkpoints' / '5').mkdir(parents=True)
  stored = to_json(tiny_config(seed=1))
  (tmp_path / 'config.json').write_text(stored)
  with pytest.raises(UsageError, match='config.seed'):
    train(tiny_config(seed=2), tmp_path, _Data())
  with pytest.raises(_Loading):
    train(tiny_config(seed=1), tmp_path, _Data())
  assert (tmp_path / 'config.json').read_text() == stored
