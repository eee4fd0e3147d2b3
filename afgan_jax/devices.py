"""Maps pure functions over devices; the only module that calls `pmap`.

Every function has an argument `devices`, the devices to use; None for all, also
those of other processes. For several processes the functions are mapped by
`shard_map`, since the results of `pmap` are local to a process.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from afgan_jax.placing import (
  AXIS,
  Devices,
  count,
  create_replicated,
  mesh_of,
  over,
  own_rows,
  prefetch,
  replicate,
  replicated,
  resident,
  shard,
  split,
  unshard,
)

__all__ = [
  'AXIS',
  'Devices',
  'count',
  'create_replicated',
  'own_rows',
  'prefetch',
  'replicate',
  'replicated',
  'resident',
  'shard',
  'unshard',
]

# Limit for one call of `map_sampled_updates`'s function.
MAX_STEPS = 64


def connect() -> None:
  """Connects all devices; every process calls this at the same point.

  The first collective opens connections, for which the others must be there
  within half a minute on CPUs; later they may come late.
  """
  add = _map(lambda one: lax.psum(one, AXIS), (0,), None, None)
  mesh = mesh_of(None)
  ones = split(np.ones(mesh.size, np.float32), over(mesh))
  jax.block_until_ready(add(ones))


def over_devices(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function over the leading axis of an array, one row a device."""
  return _map(function, (0,), 0, devices)


def map_batches(function: Callable, devices: Devices = None) -> Callable:
  """Maps a function of replicated variables and a sharded batch.

  Args:
    function: takes variables and one device's shard of a batch.
    devices: that share the batch.

  Returns:
    A function of the variables and a sharded batch; results keep the leading
    axis of devices.
  """
  mapped = _map(function, (None, 0), 0, devices)
  if not _several_processes():
    return mapped
  # All processes need all results.
  return jax.jit(mapped, out_shardings=replicated(devices))


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
  return _map(
    lambda images, device, step: sample(images, step, device),
    (None, 0, None),
    0,
    devices,
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
  return _map(update, in_axes, None, devices, donate_argnums=(0,))


def _map(
  function: Callable,
  in_axes: tuple[int | None, ...],
  out_axis: int | None,
  devices: Devices,
  donate_argnums: tuple[int, ...] = (),
) -> Callable:
  """Maps a function over devices.

  Args:
    function: of one device's rows.
    in_axes: for each argument 0, to take one row, or None, to take all.
    out_axis: 0 for results with an axis of devices, None for equal results.
    devices: to map over.
    donate_argnums: numbers of the arguments that are donated.
  """
  if not _several_processes():
    return jax.pmap(
      function,
      axis_name=AXIS,
      in_axes=in_axes,
      out_axes=out_axis,
      donate_argnums=donate_argnums,
      devices=devices,
    )

  def on_rows(*args: Any) -> Any:
    rows = [
      arg if axis is None else jax.tree.map(lambda x: x[0], arg)
      for arg, axis in zip(args, in_axes, strict=True)
    ]
    results = function(*rows)
    if out_axis is None:
      return results
    return jax.tree.map(lambda x: x[None], results)

  def spec(axis: int | None) -> PartitionSpec:
    return PartitionSpec() if axis is None else PartitionSpec(AXIS)

  mapped = jax.shard_map(
    on_rows,
    mesh=mesh_of(devices),
    in_specs=tuple(spec(axis) for axis in in_axes),
    out_specs=spec(out_axis),
    check_vma=False,  # `pmean` makes equal what it cannot prove equal.
  )
  return jax.jit(mapped, donate_argnums=donate_argnums)


def _several_processes() -> bool:
  return jax.process_count() > 1
