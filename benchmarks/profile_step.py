"""Profiles the operations of a train step on a CPU.

  PYTHONPATH=. python benchmarks/profile_step.py [SIZE [BASE_FEATURES [BATCH]]]

Prints two lower bounds of the time on this machine: FLOPs over the FLOP/s of a
matrix product, and bytes over bandwidth. Then prints the time of the compiled
step's operations from JAX's profiler, summed by purpose. The shares are of the
threads' time; the profiler does not see work that a product hands to other
threads, so products take more than their share.
"""

import collections
import glob
import re
import sys
import tempfile
import time

import jax
import numpy as np

from afgan_jax import machine
from afgan_jax.benchmark.run import clean_batch, random_images
from afgan_jax.methods.registry import build_method
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.training import programs
from benchmarks.workload import parse_config

_STEPS = 2
# Purpose by text in an operation's name; the first match counts.
_PARTS = {
  'optimizer': 'optimizer',
  'fusion_': 'attention feature fusion',
  'norm_': 'norms',
  'conv_': 'convolutions',
  'latent': 'latent and head',
  'head': 'latent and head',
  'leaky_relu': 'activations, sums of gradients',
  'select_n': 'activations, sums of gradients',
  'add_any': 'activations, sums of gradients',
}
_PRODUCTS = ('dot', 'dot_general', 'ynn_fusion', 'convolution')
# The profiler's own events about threads.
_NOT_OPERATIONS = ('Thunk', 'Threadpool', 'SlinkyThreadPool', 'end: ')


def main() -> None:
  """Prints both bounds, the time of a step and a row for each purpose."""
  config = parse_config(sys.argv[1:])
  size, batch_size = config.image_size, config.batch_size
  cpu_runtime.prepare()
  devices = jax.devices()[:1]
  peak = machine.matrix_peak('float32', devices)
  bandwidth = machine.bandwidth(devices)
  state = programs.create_state(config, devices)
  batch = clean_batch(random_images(batch_size, size), devices)
  step = programs.map_train_step(config, devices).lower(state, batch).compile()

  work = build_method(config).train_flops() * batch_size
  moved = step.cost_analysis()['bytes accessed']
  base_features = config.generator.base_features
  print(f'{size} px, {base_features} features, batch {batch_size}')
  print(
    f'{work / 1e9:.0f} GFLOP at {peak / 1e9:.0f} GFLOP/s: {work / peak:.2f} s'
  )
  print(
    f'{moved / 1e9:.1f} GB at {bandwidth / 1e9:.1f} GB/s: '
    f'{moved / bandwidth:.2f} s'
  )
  seconds, totals = _profile(step, state, batch)
  print(f'a step: {seconds:.2f} s (median, not profiled)')
  whole = sum(totals.values())
  for (part, kind), value in totals.most_common():
    if value / whole > 0.005:
      print(f'{part:32}{kind:18}{value / whole:6.1%}')


def _profile(step, state, batch):
  """Returns the seconds of a step, and nanoseconds by purpose and kind."""
  times = []
  for _ in range(5):
    begin = time.perf_counter()
    state, metrics = step(state, batch)
    jax.block_until_ready(metrics)
    times.append(time.perf_counter() - begin)
  names = _operation_names(step.as_text())
  options = jax.profiler.ProfileOptions()
  options.python_tracer_level = 0
  totals = collections.Counter()
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder, profiler_options=options):
      for _ in range(_STEPS):
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)
    (path,) = glob.glob(f'{folder}/plugins/profile/*/*.xplane.pb')
    for plane in jax.profiler.ProfileData.from_file(path).planes:
      for line in plane.lines:
        for event in line.events:
          known = event.name in names
          if known and not event.name.startswith(_NOT_OPERATIONS):
            kind = event.name.split('.')[0]
            totals[
              _part(names[event.name]),
              'matrix products' if kind in _PRODUCTS else 'the rest',
            ] += event.duration_ns
  return float(np.median(times)), totals


def _operation_names(program: str) -> dict[str, str]:
  """Returns the module path of each operation of a compiled program."""
  names = {}
  for line in program.splitlines():
    defined = re.match(r'\s*(?:ROOT )?%?([\w.\-]+) = ', line)
    if defined:
      path = re.search(r'op_name="([^"]*)"', line)
      names[defined[1]] = path[1] if path else ''
  return names


def _part(path: str) -> str:
  for text, part in _PARTS.items():
    if text in path:
      return part
  return 'losses, copies and others'


if __name__ == '__main__':
  main()
