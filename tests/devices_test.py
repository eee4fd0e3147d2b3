import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.methods.afgan.init import create_state
from afgan_jax.methods.afgan.step import make_train_step
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.training import programs
from datasets.procedural import ProceduralSource
from datasets.split import read_split
from tests.support.tiny import tiny_config


@pytest.mark.training
def test_four_devices_give_the_losses_of_one():
  config = tiny_config(
    image_size=32,
    batch_size=32,
    **{'generator.max_features': 32, 'discriminator.max_features': 32},
  )
  images = read_split(
    ProceduralSource(num_train=32).train(), Preprocessor(32)
  ).images
  image = images.astype(np.float32) / 127.5 - 1
  batch = {'image': image, 'input': np.roll(image, 5, axis=2)}

  state = jax.jit(lambda: create_state(config))()
  one_step = jax.jit(make_train_step(config))
  states = programs.create_state(config)
  four_step = programs.map_train_step(config)
  assert jax.device_count() == 4

  for step in range(5):
    state, one = one_step(state, batch)
    states, four = four_step(states, parallel.shard(batch))
    for name in one:
      np.testing.assert_allclose(
        four[name], one[name], rtol=1e-4, err_msg=f'{name}, step {step}'
      )
    if step == 0:
      # Adam hides a wrong scale of the gradients; its first moment does not.
      jax.tree.map(
        lambda x, y: np.testing.assert_allclose(
          x, y, rtol=1e-3, atol=1e-3 * np.abs(y).max() + 1e-9
        ),
        jax.device_get(states.networks['generator'].opt_state[0].mu),
        jax.device_get(state.networks['generator'].opt_state[0].mu),
      )


def test_shard_keeps_the_order_of_the_batch():
  batch = np.arange(8 * 3).reshape(8, 3)
  sharded = parallel.shard(batch)
  assert sharded.shape == (4, 2, 3)
  assert len(sharded.sharding.device_set) == 4
  np.testing.assert_array_equal(np.asarray(sharded).reshape(8, 3), batch)


def test_prefetch_yields_every_batch_in_order():
  batches = [{'image': np.full((4, 1), i)} for i in range(5)]
  got = [int(b['image'][0, 0, 0]) for (b,) in parallel.prefetch(batches)]
  assert got == [0, 1, 2, 3, 4]


def test_prefetch_of_nothing_is_nothing():
  assert list(parallel.prefetch([])) == []
