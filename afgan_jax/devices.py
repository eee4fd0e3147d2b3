"""Maps pure functions over devices; the only module that calls `pmap`.

Every function has an argument `devices`, the devices to use; None for all.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = 'batch'
# Limit for one call of `map_sampled_updates`'s function.
MAX_STEPS = 64

Devices = Sequence[jax.Device] | None


def count(devices: Devices = None) -> int:
  """Returns the number of devices."""
  return jax.device_count() if devices is None else len(devices)


def replicated(devices: Devices = None) -> NamedSharding:
  """Returns the sharding of replicated arrays."""
  return NamedSharding(_mesh(devices), PartitionSpec())


def create_replicated(
  create: Callable[[], Any], devices: Devices = None
) -> Any:
  """Creates replicated arrays by calling a function on every device.

  Args:
    create: returns a pytree of arrays; compiled as a whole, since op by op it
      takes several times as long.
    devices: to compute on.

  Returns:
    The pytree, replicated.
  """
  return jax.jit(create, out_shardings=replicated(devices))()


def shard(batch: Any, devices: Devices = None) -> Any:
  """Shards the leading axis of every array over the devices.

  Args:
    batch: a pytree of arrays [batch, ...]; `batch` is a multiple of the number
      of devices.
    devices: to shard over.

  Returns:
    The arrays as [devices, batch / devices, ...], each row on its device.
  """
  mesh = _mesh(devices)
  sharding = NamedSharding(mesh, PartitionSpec(AXIS))

  def put(array: np.ndarray) -> jax.Array:
    array = array.reshape(mesh.size, -1, *array.shape[1:])
    return jax.device_put(array, sharding)

  return jax.tree.map(put, batch)


def unshard(array: jax.Array) -> np.ndarray:
  """Concatenates the shards of an array."""
  return np.concatenate(np.asarray(array))


def prefetch(
  batches: Iterable[Any], devices: Devices = None
) -> Iterator[tuple[Any]]:
  """Prefetches sharded batches to the devices.

  Args:
    batches: pytrees as in `shard`.
    devices: to shard over.

  Yields:
    The arguments of `map_update`'s function after the state.
  """
  ready = None
  for batch in batches:
    # Transfers are asynchronous, so this does not wait.
    upcoming = (shard(batch, devices),)
    if ready is not None:
      yield ready
    ready = upcoming
  if ready is not None:
    yield ready


def resident(
  images: np.ndarray, devices: Devices = None
) -> tuple[jax.Array, jax.Array]:
  """Replicates the training set on all devices.

  Args:
    images: uint8 [n, size, size, 3].
    devices: to put it on.

  Returns:
    The images and the device numbers, arguments of the functions of
    `map_sampler` and `map_sampled_updates`.
  """
  return (
    jax.device_put(images, replicated(devices)),
    shard(np.arange(_mesh(devices).size), devices)[:, 0],
  )


def over_devices(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function over the leading axis of an array, one row a device."""
  return jax.pmap(function, devices=devices)


def map_batches(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function of replicated variables and a sharded batch.

  Args:
    function: takes variables and one device's shard of a batch.
    devices: that share the batch.

  Returns:
    A function of the variables and a sharded batch; results keep the leading
    axis of devices.
  """
  return jax.pmap(function, axis_name=AXIS, in_axes=(None, 0), devices=devices)


def map_update(update: Callable, devices: Devices = None) -> Callable:
  """Maps a train step for batches made on the host.

  Args:
    update: maps a state and a device's shard of a batch to the next state and
      metrics, both averaged over `AXIS`.
    devices: that share the batch.

  Returns:
    A function from the state, which is donated, and a sharded batch to the next
    state and the metrics of the whole batch.
  """
  return _map_updates(update, (None, 0), devices)


def map_sampler(sample: Callable, devices: Devices = None) -> Callable:
  """Maps the sampling of batches, without updates.

  Args:
    sample: maps the training set, the step and a device number to the device's
      shard of the batch.
    devices: that share the batch.

  Returns:
    A function from the arrays of `resident` and a step to its sharded batch.
  """
  return jax.pmap(
    lambda images, device, step: sample(images, step, device),
    axis_name=AXIS,
    in_axes=(None, 0, None),
    devices=devices,
  )


def map_sampled_updates(
  update: Callable, sample: Callable, devices: Devices = None
) -> Callable:
  """Maps several train steps together with the sampling of their batches.

  The number of steps is an argument, not part of the program as with
  `lax.scan`: a call may end at the step of a checkpoint, and still only one
  program is compiled.

  Args:
    update: as in `map_update`; the state has a `step`.
    sample: as in `map_sampler`.
    devices: that share the batch.

  Returns:
    A function from the state, which is donated, the two arrays of `resident`
    and the number of steps, up to `MAX_STEPS`, to the next state and the
    metrics of each step for its whole batch, [MAX_STEPS], with 0 for steps
    beyond the number.
  """

  # Traced once, for both the shapes of the metrics and the loop.
  @functools.partial(jax.jit, inline=True)
  def step(state, images, device):
    return update(state, sample(images, state.step, device))

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


def _map_updates(
  update: Callable, in_axes: tuple[int | None, ...], devices: Devices
) -> Callable:
  """Maps a function from a donated state to the next state and metrics."""
  return jax.pmap(
    update,
    axis_name=AXIS,
    in_axes=in_axes,
    out_axes=(None, None),
    donate_argnums=0,
    devices=devices,
  )


def _mesh(devices: Devices) -> Mesh:
  return Mesh(np.array(jax.devices() if devices is None else devices), (AXIS,))
