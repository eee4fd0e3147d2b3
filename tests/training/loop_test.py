import signal
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.checkpoints import store as checkpoints
from afgan_jax.system.errors import Interrupted, UsageError
from afgan_jax.tracking.event_reader import read_scalars
from afgan_jax.tracking.event_writer import EventWriter
from afgan_jax.tracking.history import read_history
from afgan_jax.training import loop, programs
from tests.support.tensorflow import needs_tensorflow
from tests.support.tiny import tiny_config


def _images(num_images=6):
  # With batches of four an epoch's last step falls inside a permutation.
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, 16, 16, 3), np.uint8)


def _make_batches(config, images):
  if config.data.placement == 'device':
    return None
  from datasets.pipeline import train_batches

  return lambda start, stop: train_batches(images, config, start, stop)


def _train(config, workdir, images=None):
  images = _images() if images is None else images
  return loop.train(config, workdir, images, _make_batches(config, images))


def _assert_same_bits(a, b):
  a, b = jax.device_get((a, b))
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A run of three epochs with all there is to look at, and its last state."""
  workdir = tmp_path_factory.mktemp('run')
  return workdir, jax.device_get(_train(_shown_config(), workdir))


def _shown_config(**fields):
  fields = {
    'num_epochs': 3,
    'checkpoint.max_to_keep': 2,
    'log.every_steps': 1,
    'log.panel_every_epochs': 3,
    **fields,
  }
  return tiny_config(**fields)


@pytest.mark.training
@pytest.mark.parametrize(
  'placement',
  [
    pytest.param('host', marks=[needs_tensorflow, pytest.mark.training]),
    'device',
  ],
)
def test_a_run_in_two_parts_ends_as_the_run_in_one(tmp_path, placement):
  fields = {'data.placement': placement}
  whole = _train(tiny_config(num_epochs=3, **fields), tmp_path / 'a')
  _train(tiny_config(num_epochs=1, **fields), tmp_path / 'b')
  parts = _train(tiny_config(num_epochs=3, **fields), tmp_path / 'b')

  assert int(whole.step) == 6
  _assert_same_bits(whole, parts)


def test_training_changes_all_weights_and_both_optimizers(trained):
  before = jax.device_get(programs.create_state(_shown_config()))
  after = trained[1]

  for network in ('generator', 'discriminator'):
    old, new = before.networks[network], after.networks[network]
    for x, y in zip(
      jax.tree.leaves(old.params), jax.tree.leaves(new.params), strict=True
    ):
      assert not np.array_equal(x, y)
    assert int(new.opt_state[0].count) == 6


def test_a_finished_run_is_left_as_it_is(trained):
  workdir, first = trained
  files = {p: p.read_bytes() for p in workdir.rglob('*') if p.is_file()}
  _assert_same_bits(first, _train(_shown_config(), workdir))
  for path, content in files.items():
    assert path.read_bytes() == content


def test_more_epochs_and_another_path_may_change(copy):
  fields = {'data.path': 'elsewhere', 'log.every_steps': 10}
  state = _train(_shown_config(num_epochs=4, **fields), copy)
  assert int(state.step) == 8


def test_what_weights_depend_on_may_not_change(trained):
  fields = {'generator.fusion': 'concat', 'seed': 3}
  with pytest.raises(UsageError) as error:
    _train(_shown_config(**fields), trained[0])
  assert 'config.generator.fusion' in str(error.value)
  assert "'aff'" in str(error.value) and "'concat'" in str(error.value)
  assert 'config.seed' in str(error.value)


def test_only_the_newest_checkpoints_are_kept(trained):
  steps = sorted(int(p.name) for p in (trained[0] / 'checkpoints').iterdir())
  assert steps == [4, 6]


@pytest.mark.training
def test_infinite_loss_stops_and_keeps_the_last_good_checkpoint(copy):
  def make_batches(start, stop):
    for _ in range(start, stop):
      image = np.full((4, 16, 16, 3), np.inf, np.float32)
      yield {'image': image, 'input': image}

  config = _shown_config(num_epochs=4)
  with pytest.raises(UsageError, match='step 7.*checkpoint of step 6 is kept'):
    loop.train(config, copy, _images(), make_batches)
  _, state = checkpoints.restore(copy)
  assert int(state.step) == 6
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


@pytest.mark.training
def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
  # The loss of the only step is finite, the update is not.
  fields = {'optimizer.learning_rate': 1e38, 'generator.fusion': 'none'}
  config = tiny_config(num_epochs=1, **fields)
  with pytest.raises(UsageError, match='stopped, no checkpoint was saved'):
    _train(config, tmp_path, _images(num_images=4))


@pytest.mark.training
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_continue(tmp_path, signum):
  images = _images()
  config = tiny_config(num_epochs=50)

  def make_batches(start, stop):
    for step in range(start, stop):
      if step == 5:
        signal.raise_signal(signum)
      image = np.zeros((4, 16, 16, 3), np.float32)
      yield {'image': image, 'input': image}

  before = signal.getsignal(signum)
  with pytest.raises(Interrupted, match='step .* and saved') as caught:
    loop.train(config, tmp_path, images, make_batches)
  assert caught.value.exit_code == 128 + signum
  assert signal.getsignal(signum) is before
  _, state = checkpoints.restore(tmp_path)
  assert 3 <= int(state.step) <= 6


@pytest.mark.training
def test_a_signal_at_the_last_step_is_heard_too(tmp_path):
  def make_batches(start, stop):
    for _ in range(start, stop):
      image = np.zeros((4, 16, 16, 3), np.float32)
      yield {'image': image, 'input': image}
    signal.raise_signal(signal.SIGINT)

  config = tiny_config(num_epochs=1)
  with pytest.raises(Interrupted, match='step 2 of 2'):
    loop.train(config, tmp_path, _images(), make_batches)
  assert int(checkpoints.restore(tmp_path)[1].step) == 2


def test_checkpoint_of_four_devices_opens_on_one(trained):
  workdir, state = trained
  assert jax.device_count() == 4
  leaf = float(
    np.abs(jax.tree.leaves(state.networks['generator'].params)[0]).sum()
  )
  program = f"""
import pathlib, sys
import jax, numpy as np
from afgan_jax.checkpoints import store as checkpoints
config, state = checkpoints.restore(pathlib.Path({str(workdir)!r}))
assert jax.device_count() == 1 and int(state.step) == 6
leaf = np.asarray(jax.tree.leaves(state.networks['generator'].params)[0])
np.testing.assert_allclose(np.abs(leaf).sum(), {leaf!r}, rtol=1e-6)
"""
  subprocess.run(
    [sys.executable, '-c', program], check=True, env={'JAX_PLATFORMS': 'cpu'}
  )


def test_tensorboard_reads_losses_and_panel(trained):
  from tensorboard.backend.event_processing import event_accumulator

  events = event_accumulator.EventAccumulator(str(trained[0] / 'tensorboard'))
  events.Reload()
  steps = [event.step for event in events.Scalars('loss/reconstruction')]
  assert steps == [1, 2, 3, 4, 5, 6]
  panel = events.Images('panel')[-1]
  assert (panel.step, panel.height, panel.width) == (6, 4 * 16, 5 * 16)


def test_history_holds_what_tensorboard_shows(trained):
  workdir = trained[0]
  history = read_history(workdir)
  assert history['reconstruction'][0] == [1, 2, 3, 4, 5, 6]
  assert history == read_scalars(workdir / 'tensorboard', 'loss/')


@pytest.mark.training
def test_history_of_a_run_in_two_parts_is_that_of_the_run_in_one(tmp_path):
  _train(_shown_config(num_epochs=2), tmp_path / 'a')
  for num_epochs in (1, 2):
    _train(_shown_config(num_epochs=num_epochs), tmp_path / 'b')
    if num_epochs == 1:  # As an older version leaves a run.
      (tmp_path / 'b' / 'history.jsonl').unlink()
  assert read_history(tmp_path / 'a') == read_history(tmp_path / 'b')


def test_curves_are_read_back_also_where_a_run_was_cut_off(tmp_path):
  folder = tmp_path / 'tensorboard'
  with EventWriter(folder) as writer:
    writer.scalars(1, {'loss/a': 0.5, 'other': 9.0})
    writer.image(1, 'panel', np.zeros((64, 64, 3), np.uint8))
    writer.scalars(2, {'loss/a': 0.25, 'loss/b': float('nan')})
    writer.scalars(3, {'loss/a': 7.0})
  (path,) = folder.iterdir()
  assert read_scalars(folder, 'loss/') == {'a': ([1, 2, 3], [0.5, 0.25, 7.0])}
  path.write_bytes(path.read_bytes()[:-3])  # Killed while it wrote.
  assert read_scalars(folder, 'loss/')['a'][0] == [1, 2]
  # Step 2 was made again from a checkpoint.
  with EventWriter(folder) as writer:
    writer.scalars(2, {'loss/a': 0.125})
  assert read_scalars(folder, 'loss/') == {'a': ([1, 2], [0.5, 0.125])}
  assert read_scalars(tmp_path / 'none', 'loss/') == {}


def test_large_panels_are_passed_over(tmp_path):
  noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
  with EventWriter(tmp_path) as writer:
    writer.image(1, 'panel', noise)
    writer.scalars(2, {'loss/a': 0.5})
  assert read_scalars(tmp_path, 'loss/') == {'a': ([2], [0.5])}


def test_interrupt_handler_is_for_the_main_thread_only(tmp_path):
  # Training in a notebook's or a server's thread must not fail over signals.
  results = []
  thread = threading.Thread(
    target=lambda: results.append(_train(tiny_config(num_epochs=1), tmp_path))
  )
  thread.start()
  thread.join()
  assert len(results) == 1
