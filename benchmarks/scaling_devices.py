"""Measures a train step and its reductions alone on parts of a CPU.

  XLA_FLAGS=--xla_force_host_platform_device_count=4 JAX_PLATFORMS=cpu \\
    PYTHONPATH=. python benchmarks/scaling_devices.py [ROUNDS]

For 1, 2 and 4 devices, in turns: a step of 64 px, 16 features, 16 images in
all; the reduction of as many values, in one call; and of as few as a batch norm
has, as often as in a step, each needing the one before. The devices share the
processor, so computing does not get faster: what a step takes longer is the
cost of dividing it.
"""

import sys
import time

import jax
import jax.numpy as jnp
from jax import lax

from afgan_jax import devices as device_mapping
from afgan_jax.benchmark.run import clean_batch, random_images
from afgan_jax.system import cpu
from benchmarks import scaling_model
from configs import default

COUNTS = (1, 2, 4)
SMALL = 128  # Values: mean and mean square of 64 features.


def main() -> None:
  """Prints the shortest times in Markdown."""
  cpu.prepare()
  rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
  config = default.get_config()
  config.image_size, config.batch_size = 64, 16
  config.generator.base_features = 16
  counted = scaling_model.count(config)
  calls = {count: make_calls(config, counted, count) for count in COUNTS}
  least = {(n, part): float('inf') for n in COUNTS for part in range(3)}
  for _ in range(rounds):
    for count in COUNTS:
      for part, call in enumerate(calls[count]):
        begin = time.perf_counter()
        jax.block_until_ready(call())
        seconds = time.perf_counter() - begin
        least[count, part] = min(least[count, part], seconds)
  megabytes = counted.num_bytes / 1e6
  print(f'{megabytes:.1f} MB, {counted.calls} small reductions')
  print('| devices | step, ms | bytes alone, ms | small ones alone, ms |')
  print('| --- | --- | --- | --- |')
  for count in COUNTS:
    cells = (f'{1e3 * least[count, part]:.1f}' for part in range(3))
    print(f'| {count} | ' + ' | '.join(cells) + ' |')


def make_calls(config, counted, count: int):
  """Returns functions without arguments: the step, and both reductions."""
  from afgan_jax.training import programs

  chosen = jax.devices()[:count]
  state = [programs.create_state(config, chosen)]
  images = random_images(config.batch_size, config.image_size)
  batch = clean_batch(images, chosen)
  update = programs.map_train_step(config, chosen)

  def step():
    state[0], losses = update(state[0], batch)
    return losses

  def wait(values):
    for _ in range(counted.calls):
      values = lax.pmean(values, device_mapping.AXIS) + 1
    return values

  many = device_mapping.shard(
    jnp.ones((count, counted.num_bytes // scaling_model.VALUE)), chosen
  )
  few = device_mapping.shard(jnp.ones((count, SMALL)), chosen)
  mean = device_mapping.over_devices(
    lambda x: lax.pmean(x, device_mapping.AXIS), chosen
  )
  chain = device_mapping.over_devices(wait, chosen)
  calls = (step, lambda: mean(many), lambda: chain(few))
  for call in calls:
    jax.block_until_ready(call())
  return calls


if __name__ == '__main__':
  main()
