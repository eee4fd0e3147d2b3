"""Checkpoints damaged anywhere: a state that was saved, or a sentence."""

import shutil

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afgan_jax.checkpoints import store as checkpoints
from afgan_jax.config.store import digest
from afgan_jax.system.errors import UsageError
from tests.checkpoints.store_test import train_briefly

pytestmark = pytest.mark.training


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """A run with checkpoints of steps 2, 4 and 6, and what each of them holds."""
  folder = tmp_path_factory.mktemp('saved')
  train_briefly(folder / 'run', 3)
  shutil.copytree(folder / 'run', folder / 'copy')
  states = {}
  for step in (6, 4, 2):
    states[step] = _restore(folder / 'copy')
    shutil.rmtree(folder / 'copy' / 'checkpoints' / str(step))
  return folder, states


def _restore(workdir):
  config, state = checkpoints.restore(workdir)
  leaves = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]
  return digest(config), leaves


@st.composite
def damages(draw):
  """Draws what happens to which file, in relative numbers of [0, 1)."""
  part = st.floats(0, 1, exclude_max=True)
  return (
    draw(st.sampled_from([6, 4, 2])),
    draw(part),
    draw(st.sampled_from([_flip_bit, _cut, _append, _delete, _make_folder])),
    draw(part),
    draw(st.integers(0, 7)),
  )


def _flip_bit(path, place, bit):
  content = bytearray(path.read_bytes())
  content[int(place * len(content))] ^= 1 << bit
  path.write_bytes(content)


def _cut(path, place, bit):
  content = path.read_bytes()
  path.write_bytes(content[: int(place * len(content))])


def _append(path, place, bit):
  with path.open('ab') as file:
    file.write(bytes([bit]))


def _delete(path, place, bit):
  path.unlink()


def _make_folder(path, place, bit):
  path.unlink()
  path.mkdir()


@settings(
  max_examples=40,
  deadline=None,
  derandomize=True,
  suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn=st.lists(damages(), min_size=1, max_size=4))
def test_what_is_restored_was_saved_and_the_rest_is_a_sentence(saved, drawn):
  folder, states = saved
  shutil.rmtree(folder / 'copy', ignore_errors=True)
  shutil.copytree(folder / 'run', folder / 'copy')
  for step, which, damage, place, bit in drawn:
    root = folder / 'copy' / 'checkpoints' / str(step)
    files = sorted(path for path in root.rglob('*') if path.is_file())
    if len(drawn) > 1:  # Without checksums no other damage can be told.
      files.remove(root / 'SHA256SUMS')
    damage(files[int(which * len(files))], place, bit)
  hit = {step for step, *_ in drawn}
  try:
    restored = _restore(folder / 'copy')
  except UsageError as error:
    assert hit == set(states)
    assert str(folder / 'copy') in str(error) and '\n' not in str(error)
  else:
    newest = max(set(states) - hit, default=0)
    assert any(restored == states[step] for step in states if step >= newest)
