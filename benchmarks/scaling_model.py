"""Prints the tables of docs/scaling.md: what data parallelism would cost.

  PYTHONPATH=. python benchmarks/scaling_model.py

The numbers of values come from the networks of `configs/default.py`, without
computing anything. `tests/benchmark/scaling_model_test.py` compares them with
the program of a train step.
"""

import dataclasses
import math

import jax
from ml_collections import ConfigDict

from afgan_jax.methods.registry import build_method
from configs import default

# Measured: seconds of a train step at 256 px, 64 features, batches of 64.
MEASURED = (
  ('H100, float32', 37.8e-3),
  ('H200, float32', 34.3e-3),
  ('H200, bfloat16', 22.4e-3),
)
BATCH = 64
# Bytes per second in each direction, of the data sheets; see docs/scaling.md.
NVLINK = 900e9 / 2
INFINIBAND = 400e9 / 8
NODE = 8  # GPUs that NVLink connects.
# Measured: bytes a second that an H100 copies. The update of all weights reads
# or writes seven arrays: gradients once, weights and two moments twice.
COPY, ACCESSES = 2457e9, 7
# Assumed, not measured: share of the data sheet's rate that is reached, and
# seconds that a small reduction takes within a node and over nodes.
REACHED = 0.8
LATENCY = {'node': 15e-6, 'nodes': 40e-6}
# Passes through a network in a step that reduce statistics of its batch norms:
# forward and backward of the generator; of the discriminator three times so,
# and once more forward alone.
PASSES = {'generator': 2, 'discriminator': 7}
VALUE = 4  # Bytes: gradients and statistics are float32 whatever the dtype.


@dataclasses.dataclass(frozen=True)
class Reductions:
  """What all devices sum up in a train step.

  Attributes:
    gradients: values, the weights of both networks.
    statistics: values of batch norms.
    losses: values.
    calls: reductions of statistics, each of which the next layer waits for.
  """

  gradients: int
  statistics: int
  losses: int
  calls: int

  @property
  def num_bytes(self) -> int:
    """Bytes that each device contributes."""
    return VALUE * (self.gradients + self.statistics + self.losses)


def count(config: ConfigDict) -> Reductions:
  """Counts the reductions of a step of AFGAN from the shapes of its networks.

  Args:
    config: see `configs/default.py`, with `method` 'afgan'.
  """
  state = jax.eval_shape(build_method(config).init)
  statistics = calls = gradients = 0
  for name, passes in PASSES.items():
    network = state.networks[name]
    leaves = jax.tree.leaves(network.batch_stats)
    gradients += _values(network.params)
    statistics += passes * _values(network.batch_stats)
    calls += passes * len(leaves) // 2  # A mean and a variance of each norm.
  return Reductions(gradients, statistics, 5, calls)


def _values(tree: object) -> int:
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def communication(reductions: Reductions, devices: int) -> tuple[float, float]:
  """Computes the seconds of sending bytes, and of waiting for small sums.

  A ring of n devices sends 2 (n - 1) / n times the bytes from each. Over
  several nodes each GPU sums its part within the node, sends that part over its
  own InfiniBand port, and collects the others within the node again.

  Args:
    reductions: of a step.
    devices: number of GPUs, in full nodes if they are more than `NODE`.

  Returns:
    Both in seconds; 0 for one device.
  """
  if devices == 1:
    return 0.0, 0.0
  within = min(devices, NODE)
  nodes = devices // within
  size = reductions.num_bytes / REACHED
  seconds = 2 * (within - 1) / within * size / NVLINK
  seconds += 2 * (nodes - 1) / nodes * size / within / INFINIBAND
  latency = LATENCY['nodes' if nodes > 1 else 'node']
  return seconds, latency * reductions.calls


def step_seconds(
  single: float, reductions: Reductions, devices: int, batch: int
) -> float:
  """Computes the seconds of a step.

  Args:
    single: seconds of a step with `BATCH` images on one device.
    reductions: of a step.
    devices: number of GPUs.
    batch: images of a step over all devices.

  Returns:
    The time if computing, but for the update of the weights, is proportional to
    a device's images, and nothing is sent while something is computed.
  """
  update = ACCESSES * VALUE * reductions.gradients / COPY
  computing = update + (single - update) * batch / devices / BATCH
  return computing + sum(communication(reductions, devices))


def main() -> None:
  """Prints the tables in Markdown."""
  config = default.get_config()
  reductions = count(config)
  print('| reduced in a step | values | MB |')
  print('| --- | --- | --- |')
  for name in ('gradients', 'statistics', 'losses'):
    values = getattr(reductions, name)
    print(f'| {name} | {values:,} | {VALUE * values / 1e6:.3f} |')
  print(f'\n{reductions.calls} reductions of statistics.\n')
  print('| GPUs | bytes, ms | waiting, ms |')
  print('| --- | --- | --- |')
  for devices in (2, 4, 8, 16, 64):
    sent, waiting = communication(reductions, devices)
    print(f'| {devices} | {1e3 * sent:.2f} | {1e3 * waiting:.2f} |')
  for fixed in (True, False):
    of = f'{BATCH} images in all' if fixed else f'{BATCH} images a GPU'
    print(f'\n| {of} | GPUs | ms a step | images/s | efficiency |')
    print('| --- | --- | --- | --- | --- |')
    for name, single in MEASURED:
      for devices in (1, 2, 4, 8, 16, 64):
        batch = BATCH if fixed else BATCH * devices
        seconds = step_seconds(single, reductions, devices, batch)
        efficiency = single * batch / BATCH / devices / seconds
        print(
          f'| {name} | {devices} | {1e3 * seconds:.1f} | '
          f'{batch / seconds:,.0f} | {efficiency:.0%} |'
        )


if __name__ == '__main__':
  main()
