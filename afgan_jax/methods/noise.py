"""Draws random numbers that do not depend on the number of devices."""

from collections.abc import Callable

import jax
from jax import lax
from ml_collections import ConfigDict

# Tells the keys of train steps from those of weights and batches, which derive
# from the same seed.
_STEPS = 2


def step_key(config: ConfigDict, step: jax.Array) -> jax.Array:
  """Derives the key of a train step from `config.seed`."""
  key = jax.random.fold_in(jax.random.key(config.seed), _STEPS)
  return jax.random.fold_in(key, step)


def draw_share(
  draw: Callable[[jax.Array, int], jax.Array],
  key: jax.Array,
  share: int,
  axis_name: str | None,
) -> jax.Array:
  """Draws numbers for the whole batch and returns those of this device.

  Args:
    draw: maps a key and a number of images to an array with that many rows.
    key: the same on all devices.
    share: number of images of this device.
    axis_name: mapped axis of the devices; None outside a map.
  """
  if axis_name is None:
    return draw(key, share)
  whole = draw(key, share * lax.axis_size(axis_name))
  start = share * lax.axis_index(axis_name)
  return lax.dynamic_slice_in_dim(whole, start, share)
