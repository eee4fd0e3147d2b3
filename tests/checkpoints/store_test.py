"""Checkpoints that a disk, a copy or a person has damaged."""

import shutil

import jax
import numpy as np
import pytest

from afgan_jax.checkpoints import store as checkpoints
from afgan_jax.system.errors import UsageError
from afgan_jax.training import loop
from tests.support.saved import saved_state
from tests.support.tiny import tiny_config

FIELDS = {'checkpoint.every_epochs': 1, 'checkpoint.max_to_keep': 3}


def train_briefly(workdir, num_epochs):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (6, 16, 16, 3), np.uint8)  # As loop_test.
  config = tiny_config(num_epochs=num_epochs, **FIELDS)
  return jax.device_get(loop.train(config, workdir, images, None))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A run with checkpoints of the steps 2, 4 and 6, and its last state."""
  workdir = tmp_path_factory.mktemp('run')
  return workdir, train_briefly(workdir, 3)


def _files(workdir, step, part):
  folder = workdir / 'checkpoints' / str(step) / part
  return sorted(p for p in folder.rglob('*') if p.is_file())


def _flip(path):
  """Changes bytes all over a file, its length stays."""
  content = bytearray(path.read_bytes())
  for position in range(len(content) // 3, len(content), 97):
    content[position] ^= 0x55
  path.write_bytes(content)


DAMAGES = {
  'flipped': lambda w, step: [_flip(p) for p in _files(w, step, 'state')],
  'cut': lambda w, step: [
    p.write_bytes(p.read_bytes()[: p.stat().st_size // 2])
    for p in _files(w, step, 'state')
  ],
  'missing files': lambda w, step: [
    p.unlink() for p in _files(w, step, 'state')
  ],
  'no config': lambda w, step: [
    p.write_text('{"format') for p in _files(w, step, 'config')
  ],
}


def _flip_one(workdir, step):
  """Changes one byte in the middle of the largest file of arrays."""
  path = max(_files(workdir, step, 'state'), key=lambda p: p.stat().st_size)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


@pytest.mark.parametrize('damage', DAMAGES)
def test_the_one_before_is_taken_and_said_to_be(copy, caplog, damage):
  DAMAGES[damage](copy, 6)
  _, state = checkpoints.restore(copy)
  assert int(state.step) == 4
  error = caplog.text
  assert f'{copy}/checkpoints/6 is damaged' in error
  # Nothing is moved by looking.
  assert (copy / 'checkpoints' / '6').is_dir()


@pytest.mark.parametrize('damage', [_flip_one, DAMAGES['missing files']])
def test_training_goes_on_from_the_one_before_to_the_same_end(
  copy, trained, damage
):
  damage(copy, 6)
  state = train_briefly(copy, 3)
  for x, y in zip(
    jax.tree.leaves(state), jax.tree.leaves(trained[1]), strict=True
  ):
    np.testing.assert_array_equal(x, y)
  # Nothing is lost, and the new one stands where the damaged one was.
  assert (copy / 'damaged' / '6').is_dir()
  assert int(checkpoints.restore(copy)[1].step) == 6


def test_where_all_are_damaged_that_is_said(copy):
  for step in (2, 4, 6):
    DAMAGES['cut'](copy, step)
  with pytest.raises(UsageError, match='no checkpoint that can be read'):
    checkpoints.restore(copy)
  with pytest.raises(UsageError, match='no checkpoint that can be read'):
    train_briefly(copy, 3)


def test_damage_is_told_by_the_name_of_the_file(copy, caplog):
  path = _files(copy, 6, 'state')[-1]
  _flip(path)
  checkpoints.restore(copy)
  name = path.relative_to(copy / 'checkpoints' / '6')
  assert f'({name} does not match its checksum).' in caplog.text


def test_a_checkpoint_under_the_name_of_another_step_is_damage(copy, caplog):
  shutil.copytree(copy / 'checkpoints' / '4', copy / 'checkpoints' / '8')
  _, state = checkpoints.restore(copy)
  assert int(state.step) == 6
  assert (
    '8 is damaged; the previous checkpoint is used '
    '(it holds the state of step 4).'
  ) in caplog.text


def test_whole_checkpoints_are_not_complained_of(trained, caplog):
  _, state = checkpoints.restore(trained[0])
  assert int(state.step) == 6
  assert 'damaged' not in caplog.text


def test_weights_that_are_no_numbers_are_damage(copy, caplog):
  state = saved_state(copy)
  spoilt = jax.tree.map(
    lambda x: x * np.nan if x.dtype == np.float32 else x, state
  )
  with checkpoints.Checkpoints(copy, 9) as manager:
    manager.save(
      spoilt.replace(step=state.step + 1), tiny_config(num_epochs=3, **FIELDS)
    )
  _, state = checkpoints.restore(copy)
  assert int(state.step) == 6
  assert 'a weight is not finite' in caplog.text


def test_a_full_disk_is_named_and_nothing_is_lost(copy, monkeypatch):
  def usage(path):
    return shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)

  monkeypatch.setattr(shutil, 'disk_usage', usage)
  with pytest.raises(UsageError, match='could not be written.* 0 MB are free'):
    train_briefly(copy, 4)
  assert int(checkpoints.restore(copy)[1].step) == 6


def test_a_save_that_fails_is_named_and_nothing_is_lost(copy, monkeypatch):
  def fail(self, *args, **kwargs):
    raise ValueError('RESOURCE_EXHAUSTED: no space\nand more of it')

  monkeypatch.setattr(checkpoints.ocp.CheckpointManager, 'save', fail)
  with pytest.raises(UsageError, match=r'EXHAUSTED: no space\); .* 6 is kept'):
    train_briefly(copy, 4)
  assert int(checkpoints.restore(copy)[1].step) == 6
