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

AXIS = 'batch'
# Of one call of `map_sampled_updates`'s function.
MAX_STEPS = 64

Devices = Sequence[jax.Device] | None


def count(devices: Devices = None) -> int:
  """Returns the number of devices."""
  return jax.device_count() if devices is None else len(devices)


def replicated(devices: Devices = None) -> NamedSharding:
  """Returns the sharding of arrays that every device holds whole."""
  return NamedSharding(_mesh(devices), PartitionSpec())


def create_replicated(
  create: Callable[[], Any], devices: Devices = None
) -> Any:
  """Calls a function of no arguments on every device.

  Args:
    create: returns a pytree of arrays; compiled as a whole, for op by op it
      takes several times as long.
    devices: to compute on.

  Returns:
    The pytree, replicated.
  """
  return jax.jit(create, out_shardings=replicated(devices))()


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


def unshard(array: jax.Array) -> np.ndarray:
  """Joins the axes of devices and of a device's share of the batch."""
  return np.concatenate(np.asarray(array))


def prefetch(
  batches: Iterable[Any], devices: Devices = None
) -> Iterator[tuple[Any]]:
  """Shards each batch while the devices work on the one before.

  Args:
    batches: pytrees as `shard` takes them.
    devices: likewise.

  Yields:
    The arguments after the state of `map_update`'s function.
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
    The images and the numbers of the devices, as `map_sampler`'s function and
    `map_sampled_updates`'s take them.
  """
  return (
    jax.device_put(images, replicated(devices)),
    shard(np.arange(_mesh(devices).size), devices)[:, 0],
  )


def over_devices(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function of one array over the leading axis, a device for each."""
  return jax.pmap(function, devices=devices)


def map_batches(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function of replicated variables and of a batch.

  Args:
    function: of variables and a device's share of a batch.
    devices: that share the batch.

  Returns:
    The function of variables and a sharded batch; results keep the leading
    axis of devices.
  """
  return jax.pmap(function, axis_name=AXIS, in_axes=(None, 0), devices=devices)


def map_update(update: Callable, devices: Devices = None) -> Callable:
  """Maps a train step for batches made on the host.

  Args:
    update: of a state and a device's share of a batch to the next state and
      metrics, both averaged over `AXIS`.
    devices: that share the batch.

  Returns:
    A function from the state, which it consumes, and a sharded batch to the
    next state and the metrics over the whole batch.
  """
  return _map_updates(update, (None, 0), devices)


def map_sampler(sample: Callable, devices: Devices = None) -> Callable:
  """Maps the making of batches alone.

  Args:
    sample: of the training set, the step and the number of a device to its
      share of the batch.
    devices: that share the batch.

  Returns:
    A function from what `resident` returns and a step to its sharded batch.
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
  """Maps several train steps together with the making of their batches.

  The number of steps is an argument, not part of the program as it would be
  with `lax.scan`: a call may end where a checkpoint is due, and still only one
  program is compiled.

  Args:
    update: as in `map_update`; the state has a `step`.
    sample: as in `map_sampler`.
    devices: that share the batch.

  Returns:
    A function from the state, which it consumes, the two arrays of `resident`
    and the number of steps, up to `MAX_STEPS`, to the next state and the
    metrics of each step over its whole batch, [MAX_STEPS], 0 where there was
    no step.
  """

  # Traced once, for the shapes of its metrics and for the loop.
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
  """Maps a function of a state, which it consumes, to the next and metrics."""
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
