"""Pure functions mapped over all devices; the only place that calls `pmap`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from afgan_jax.augment.sampler import make_sampler
from afgan_jax.detection.scoring import make_score
from afgan_jax.training.state import GanState, create_state
from afgan_jax.training.step import make_train_step

AXIS = 'batch'


def replicated() -> NamedSharding:
  """Returns the sharding of what every device holds whole."""
  return NamedSharding(_mesh(), PartitionSpec())


def create_replicated_state(config: ConfigDict) -> GanState:
  """Draws the initial state on every device.

  Args:
    config: see `configs/default.py`.

  Returns:
    The state at step 0.
  """
  # Compiled as a whole: op by op it takes several times as long.
  create = jax.jit(lambda: create_state(config), out_shardings=replicated())
  return create()


def shard(batch: Any) -> Any:
  """Divides the leading axis of every array among the devices.

  Args:
    batch: a pytree of arrays [batch, ...]; the devices divide `batch`.

  Returns:
    The arrays as [devices, batch / devices, ...], each row on its device.
  """
  sharding = NamedSharding(_mesh(), PartitionSpec(AXIS))
  num_devices = jax.device_count()

  def put(array: np.ndarray) -> jax.Array:
    array = array.reshape(num_devices, -1, *array.shape[1:])
    return jax.device_put(array, sharding)

  return jax.tree.map(put, batch)


def prefetch(batches: Iterable[Any]) -> Iterator[tuple[Any]]:
  """Shards each batch while the devices work on the one before.

  Args:
    batches: pytrees as `shard` takes them.

  Yields:
    The arguments after the state of `map_train_step`'s function.
  """
  ready = None
  for batch in batches:
    # Transfers are asynchronous, so this starts one and does not wait for it.
    coming = (shard(batch),)
    if ready is not None:
      yield ready
    ready = coming
  if ready is not None:
    yield ready


def resident(images: np.ndarray) -> tuple[jax.Array, jax.Array]:
  """Puts the training set on every device.

  Args:
    images: uint8 [n, size, size, 3].

  Returns:
    The arguments after the state of `map_sampled_step`'s function: the images
    and the numbers of the devices.
  """
  return (
    jax.device_put(images, replicated()),
    shard(np.arange(jax.device_count()))[:, 0],
  )


def map_train_step(config: ConfigDict) -> Callable:
  """Maps the train step for batches made on the host.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from the state, which it consumes, and a sharded batch to the
    next state and the metrics over the whole batch.
  """
  return jax.pmap(
    make_train_step(config, AXIS),
    axis_name=AXIS,
    in_axes=(None, 0),
    out_axes=(None, None),
    donate_argnums=0,
  )


def map_sampled_step(config: ConfigDict) -> Callable:
  """Maps the train step together with the making of its batch.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from the state, which it consumes, and what `resident` returns
    to the next state and the metrics over the whole batch.
  """
  sample = make_sampler(config, jax.device_count())
  train_step = make_train_step(config, AXIS)

  def step(state, images, device):
    return train_step(state, sample(images, state.step, device))

  return jax.pmap(
    step,
    axis_name=AXIS,
    in_axes=(None, None, 0),
    out_axes=(None, None),
    donate_argnums=0,
  )


def map_score(config: ConfigDict) -> Callable:
  """Maps scoring.

  Args:
    config: see `configs/default.py`.

  Returns:
    `make_score`'s function of the networks' variables and a sharded batch of
    images; results keep the leading axis of devices.
  """
  return jax.pmap(make_score(config), axis_name=AXIS, in_axes=(None, 0))


def _mesh() -> Mesh:
  return Mesh(np.array(jax.devices()), (AXIS,))
