"""Random numbers of a step, however many devices share it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from afgan_jax.methods.noise import draw_share, step_key
from tests.support.tiny import tiny_config


def _draw(key, count):
  return jax.random.normal(key, (count, 3))


def test_devices_draw_their_part_of_what_one_draws():
  key = jax.random.key(0)
  whole = draw_share(_draw, key, 8, None)
  draw = functools.partial(draw_share, _draw, key, 2, 'batch')
  shares = jax.vmap(lambda _: draw(), axis_name='batch')(jnp.arange(4))
  np.testing.assert_array_equal(shares.reshape(8, 3), whole)
  assert len(np.unique(np.asarray(whole))) == 24


def test_steps_and_seeds_draw_otherwise():
  keys = {
    (*_data(step_key(tiny_config(seed=seed), jnp.int32(step))),)
    for seed in (0, 1)
    for step in range(3)
  }
  assert len(keys) == 6


def _data(key):
  return jax.random.key_data(key).tolist()
