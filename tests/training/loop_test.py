import signal
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.errors import Interrupted, UsageError
from afgan_jax.training import checkpoints, loop, parallel
from afgan_jax.training.event_reader import read_scalars
from afgan_jax.training.event_writer import EventWriter
from tests.tiny import tiny_config


def _images(num_images=8, size=16):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, size, size, 3), np.uint8)


def _make_batches(config, images):
  from datasets.pipeline import train_batches

  if config.data.placement == 'device':
    return None
  return lambda start, stop: train_batches(images, config, start, stop)


def _train(config, workdir, images=None):
  images = _images() if images is None else images
  return loop.train(config, workdir, images, _make_batches(config, images))


def _assert_same_bits(a, b):
  a, b = jax.device_get((a, b))
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('placement', ['host', 'device'])
def test_a_run_in_two_parts_ends_as_the_run_in_one(tmp_path, placement):
  # Six images and batches of four: the stop falls inside a permutation.
  images = _images(num_images=6)
  fields = {'data.placement': placement}
  whole = _train(tiny_config(num_epochs=3, **fields), tmp_path / 'a', images)
  _train(tiny_config(num_epochs=1, **fields), tmp_path / 'b', images)
  parts = _train(tiny_config(num_epochs=3, **fields), tmp_path / 'b', images)

  assert int(whole.step) == 6
  _assert_same_bits(whole, parts)


def test_training_changes_all_weights_and_both_optimizers(tmp_path):
  config = tiny_config()
  before = jax.device_get(parallel.create_replicated_state(config))
  after = jax.device_get(_train(config, tmp_path))

  for network in ('generator', 'discriminator'):
    old, new = getattr(before, network), getattr(after, network)
    for x, y in zip(
      jax.tree.leaves(old.params), jax.tree.leaves(new.params), strict=True
    ):
      assert not np.array_equal(x, y)
    assert int(new.opt_state[0].count) == 4


def test_a_finished_run_is_left_as_it_is(tmp_path):
  first = _train(tiny_config(), tmp_path)
  second = _train(tiny_config(), tmp_path)
  _assert_same_bits(first, second)


def test_more_epochs_and_another_path_may_change(tmp_path):
  _train(tiny_config(num_epochs=1), tmp_path)
  fields = {'data.path': 'elsewhere', 'log.every_steps': 1}
  assert int(_train(tiny_config(num_epochs=2, **fields), tmp_path).step) == 4


def test_what_weights_depend_on_may_not_change(tmp_path):
  _train(tiny_config(num_epochs=1), tmp_path)
  fields = {'generator.fusion': 'concat', 'seed': 3}
  with pytest.raises(UsageError) as error:
    _train(tiny_config(**fields), tmp_path)
  assert 'config.generator.fusion' in str(error.value)
  assert "'aff'" in str(error.value) and "'concat'" in str(error.value)
  assert 'config.seed' in str(error.value)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
  config = tiny_config(num_epochs=4, **{'checkpoint.max_to_keep': 2})
  _train(config, tmp_path)
  steps = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  assert steps == [6, 8]


def test_infinite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path):
  config = tiny_config(num_epochs=3)
  _train(tiny_config(num_epochs=1), tmp_path)

  def make_batches(start, stop):
    for _ in range(start, stop):
      image = np.full((4, 16, 16, 3), np.inf, np.float32)
      yield {'image': image, 'input': image}

  with pytest.raises(UsageError, match='step 3.*checkpoint of step 2 is kept'):
    loop.train(config, tmp_path, _images(), make_batches)
  _, state = checkpoints.restore(tmp_path)
  assert int(state.step) == 2
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
  # The loss of the only step is finite, the update is not.
  config = tiny_config(num_epochs=1, **{'optimizer.learning_rate': 1e38})
  with pytest.raises(UsageError, match='no checkpoint had been saved'):
    _train(config, tmp_path, _images(num_images=4))


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
  with pytest.raises(Interrupted, match='the same command continues') as caught:
    loop.train(config, tmp_path, images, make_batches)
  assert caught.value.exit_code == 128 + signum
  assert signal.getsignal(signum) is before
  _, state = checkpoints.restore(tmp_path)
  assert 3 <= int(state.step) <= 6


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


def test_checkpoint_of_four_devices_opens_on_one(tmp_path):
  assert jax.device_count() == 4
  state = jax.device_get(_train(tiny_config(num_epochs=1), tmp_path))
  leaf = float(np.abs(jax.tree.leaves(state.generator.params)[0]).sum())
  program = f"""
import pathlib, sys
import jax, numpy as np
from afgan_jax.training import checkpoints
config, state = checkpoints.restore(pathlib.Path({str(tmp_path)!r}))
assert jax.device_count() == 1 and int(state.step) == 2
leaf = np.asarray(jax.tree.leaves(state.generator.params)[0])
np.testing.assert_allclose(np.abs(leaf).sum(), {leaf!r}, rtol=1e-6)
"""
  subprocess.run(
    [sys.executable, '-c', program], check=True, env={'JAX_PLATFORMS': 'cpu'}
  )


def test_tensorboard_reads_losses_and_panel(tmp_path):
  from tensorboard.backend.event_processing import event_accumulator

  _train(tiny_config(**{'log.every_steps': 1}), tmp_path)
  events = event_accumulator.EventAccumulator(str(tmp_path / 'tensorboard'))
  events.Reload()
  steps = [event.step for event in events.Scalars('loss/reconstruction')]
  assert steps == [1, 2, 3, 4]
  panel = events.Images('panel')[-1]
  assert (panel.step, panel.height, panel.width) == (4, 4 * 16, 4 * 16)


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
