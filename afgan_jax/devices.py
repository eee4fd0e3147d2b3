"""Pure functions mapped over devices; the only place that calls `pmap`.

Every function takes `devices`, those that share the work; None for all.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from afgan_jax.augment.sampler import make_sampler
from afgan_jax.methods.afgan import make_train_step
from afgan_jax.methods.scoring import make_score
from afgan_jax.methods.state import GanState, create_state

AXIS = 'batch'
# Of one call of `map_sampled_steps`'s function.
MAX_STEPS = 64

Devices = Sequence[jax.Device] | None


def replicated(devices: Devices = None) -> NamedSharding:
  """Returns the sharding of what every device holds whole."""
  return NamedSharding(_mesh(devices), PartitionSpec())


def create_replicated_state(
  config: ConfigDict, devices: Devices = None
) -> GanState:
  """Draws the initial state on every device.

  Args:
    config: see `configs/default.py`.
    devices: to draw on.

  Returns:
    The state at step 0.
  """
  # Compiled as a whole: op by op it takes several times as long.
  create = jax.jit(
    lambda: create_state(config), out_shardings=replicated(devices)
  )
  return create()


def shard(batch: Any, devices: Devices = None) -> Any:
  """Divides the leading axis of every array among the devices.

  Args:
    batch: a pytree of arrays [batch, ...]; the devices divide `batch`.
    devices: among which.

  Returns:
    The arrays as [devices, batch / devices, ...], each row on its device.
  """
  mesh = _mesh(devices)
  sharding = NamedSharding(mesh, PartitionSpec(AXIS))

  def put(array: np.ndarray) -> jax.Array:
    array = array.reshape(mesh.size, -1, *array.shape[1:])
    return jax.device_put(array, sharding)

  return jax.tree.map(put, batch)


def prefetch(
  batches: Iterable[Any], devices: Devices = None
) -> Iterator[tuple[Any]]:
  """Shards each batch while the devices work on the one before.

  Args:
    batches: pytrees as `shard` takes them.
    devices: likewise.

  Yields:
    The arguments after the state of `map_train_step`'s function.
  """
  ready = None
  for batch in batches:
    # Transfers are asynchronous, so this starts one and does not wait for it.
    coming = (shard(batch, devices),)
    if ready is not None:
      yield ready
    ready = coming
  if ready is not None:
    yield ready


def resident(
  images: np.ndarray, devices: Devices = None
) -> tuple[jax.Array, jax.Array]:
  """Puts the training set on every device.

  Args:
    images: uint8 [n, size, size, 3].
    devices: to put it on.

  Returns:
    What `map_sampler`'s function and `map_sampled_steps`'s take: the images and
    the numbers of the devices.
  """
  return (
    jax.device_put(images, replicated(devices)),
    shard(np.arange(_mesh(devices).size), devices)[:, 0],
  )


def map_train_step(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps the train step for batches made on the host.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    A function from the state, which it consumes, and a sharded batch to the
    next state and the metrics over the whole batch.
  """
  return _map_updates(make_train_step(config, AXIS), (None, 0), devices)


def map_sampler(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps the making of batches alone.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    A function from what `resident` returns and a step to its sharded batch.
  """
  return jax.pmap(
    lambda images, device, step: _sampler(config, devices)(
      images, step, device
    ),
    axis_name=AXIS,
    in_axes=(None, 0, None),
    devices=devices,
  )


def map_sampled_steps(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps several train steps together with the making of their batches.

  The number of steps is an argument, not part of the program as it would be
  with `lax.scan`: a call may end where a checkpoint is due, and still only one
  program is compiled.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    A function from the state, which it consumes, what `resident` returns and
    the number of steps, up to `MAX_STEPS`, to the next state and the metrics of
    each step over its whole batch, [MAX_STEPS], 0 where there was no step.
  """
  sample = _sampler(config, devices)
  train_step = make_train_step(config, AXIS)

  # Traced once, for the shapes of its metrics and for the loop.
  @functools.partial(jax.jit, inline=True)
  def step(state, images, device):
    return train_step(state, sample(images, state.step, device))

  def steps(state, images, device, num_steps):
    _, shapes = jax.eval_shape(step, state, images, device)
    history = jax.tree.map(
      lambda metric: jnp.zeros((MAX_STEPS, *metric.shape), metric.dtype), shapes
    )

    def add_step(number, carry):
      state, history = carry
      state, metrics = step(state, images, device)
      history = jax.tree.map(
        lambda values, value: values.at[number].set(value), history, metrics
      )
      return state, history

    return lax.fori_loop(0, num_steps, add_step, (state, history))

  return _map_updates(steps, (None, None, 0, None), devices)


def map_score(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps scoring.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    `make_score`'s function of the networks' variables and a sharded batch of
    images; results keep the leading axis of devices.
  """
  return jax.pmap(
    make_score(config), axis_name=AXIS, in_axes=(None, 0), devices=devices
  )


def map_each(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function of one array over the leading axis, a device for each."""
  return jax.pmap(function, devices=devices)


def _map_updates(
  update: Callable, in_axes: tuple[int | None, ...], devices: Devices
) -> Callable:
  """Maps what takes a state, and consumes it, to the next and to metrics."""
  return jax.pmap(
    update,
    axis_name=AXIS,
    in_axes=in_axes,
    out_axes=(None, None),
    donate_argnums=0,
    devices=devices,
  )


def _sampler(config: ConfigDict, devices: Devices) -> Callable:
  return make_sampler(config, _mesh(devices).size)


def _mesh(devices: Devices) -> Mesh:
  return Mesh(np.array(jax.devices() if devices is None else devices), (AXIS,))
