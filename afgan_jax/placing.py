"""Puts arrays on devices, also on those of several processes.

Each process puts what is on its own devices; nothing is sent between them.
Every function with an argument `devices` takes None for all, those of other
processes too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = 'batch'

Devices = Sequence[jax.Device] | None


def count(devices: Devices = None) -> int:
  """Returns the number of devices."""
  return jax.device_count() if devices is None else len(devices)


def replicated(devices: Devices = None) -> NamedSharding:
  """Returns the sharding of replicated arrays."""
  return NamedSharding(mesh_of(devices), PartitionSpec())


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


def replicate(tree: Any, devices: Devices = None) -> Any:
  """Replicates arrays, the same in all processes, on all devices."""
  return put_replicated(tree, replicated(devices))


def shard(batch: Any, devices: Devices = None) -> Any:
  """Shards the leading axis of every array over the devices.

  Args:
    batch: a pytree of arrays [batch, ...], the same in all processes; `batch`
      is a multiple of the number of devices.
    devices: to shard over.

  Returns:
    The arrays as [devices, batch / devices, ...], each row on its device.
  """
  mesh = mesh_of(devices)

  def put(array: np.ndarray) -> jax.Array:
    array = array.reshape(mesh.size, -1, *array.shape[1:])
    return split(array, over(mesh))

  return jax.tree.map(put, batch)


def own_rows(batch_size: int, devices: Devices = None) -> np.ndarray:
  """Returns the rows of a batch that are on devices of this process.

  Args:
    batch_size: a multiple of the number of devices.
    devices: that share the batch.

  Returns:
    Ascending row numbers, int64 [n].
  """
  mesh = mesh_of(devices)
  rows = np.arange(batch_size).reshape(mesh.size, -1)
  return rows[on_own_devices(mesh)].ravel()


def unshard(array: jax.Array) -> np.ndarray:
  """Concatenates the shards of an array."""
  return np.concatenate(np.asarray(array))


def prefetch(
  batches: Iterable[Any], devices: Devices = None
) -> Iterator[tuple[Any]]:
  """Prefetches sharded batches to the devices.

  Args:
    batches: pytrees of arrays [rows, ...], the `own_rows` of each batch.
    devices: to shard over.

  Yields:
    The arguments of `map_update`'s function after the state.
  """
  mesh = mesh_of(devices)
  num_own = len(on_own_devices(mesh))

  def put(array: np.ndarray) -> jax.Array:
    array = array.reshape(num_own, -1, *array.shape[1:])
    return split_own(array, over(mesh))

  ready = None
  for batch in batches:
    # Transfers are asynchronous, so this does not wait.
    upcoming = (jax.tree.map(put, batch),)
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
  mesh = mesh_of(devices)
  return (
    replicate(images, devices),
    split(np.arange(mesh.size), over(mesh)),
  )


def over(mesh: Mesh) -> NamedSharding:
  """Returns the sharding of the leading axis."""
  return NamedSharding(mesh, PartitionSpec(AXIS))


def mesh_of(devices: Devices) -> Mesh:
  """Returns the mesh of devices, of one axis."""
  return Mesh(np.array(jax.devices() if devices is None else devices), (AXIS,))


def on_own_devices(mesh: Any) -> np.ndarray:
  """Returns the positions of this process's devices in a mesh, ascending."""
  own = jax.process_index()
  return np.flatnonzero([d.process_index == own for d in mesh.devices.flat])


def put_replicated(tree: Any, sharding: NamedSharding) -> Any:
  """Puts the same arrays on all devices.

  Args:
    tree: a pytree of arrays, the same in all processes.
    sharding: replicated.

  Returns:
    The arrays; those that are there already stay.
  """
  if sharding.is_fully_addressable:
    return jax.device_put(tree, sharding)

  def put(array: Any) -> jax.Array:
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
      return array
    value = np.asarray(array)
    return jax.make_array_from_callback(
      value.shape, sharding, lambda index: value
    )

  return jax.tree.map(put, tree)


def split(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
  """Puts each row of an array on its device.

  Args:
    array: [devices, ...], the same in all processes.
    sharding: of the leading axis.
  """
  if sharding.is_fully_addressable:
    return jax.device_put(array, sharding)
  return jax.make_array_from_callback(
    array.shape, sharding, lambda index: array[index]
  )


def split_own(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
  """Puts each row of an array on one of this process's devices.

  Args:
    array: [own devices, ...], rows as in `on_own_devices`.
    sharding: of the leading axis over the devices of all processes.

  Returns:
    The array of all processes, [devices, ...].
  """
  if sharding.is_fully_addressable:
    return jax.device_put(array, sharding)
  own = on_own_devices(sharding.mesh)
  shape = (sharding.mesh.size, *array.shape[1:])

  def find(index: Any) -> np.ndarray:
    row = int(np.searchsorted(own, index[0].start or 0))
    return array[row : row + 1]

  return jax.make_array_from_callback(shape, sharding, find)
