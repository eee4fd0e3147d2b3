"""Runs a part of `accelerator.py` that measures JAX in its own process.

  PYTHONPATH=. python benchmarks/accelerator_parts.py PART [--tiny]

It prints its rows as lines of JSON.
"""

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.training import programs

Row = dict[str, Any]


def main() -> None:
  """Runs one part."""
  part, *rest = sys.argv[1:]
  cpu_runtime.prepare()
  rows = {
    'machine': _machine,
    'agreement': _agreement,
    'steps': functools.partial(_steps, [64]),
    'batches': functools.partial(_steps, [16, 128]),
    'repeat': _repeat,
    'digest': _digest,
  }[part]
  for row in rows('--tiny' in rest):
    print(json.dumps(row), flush=True)


def _machine(tiny: bool) -> Iterator[Row]:
  """Measures the peak FLOP/s and the memory bandwidth."""
  import jax

  from afgan_jax import machine

  devices = jax.devices()
  yield {
    'what': 'machine',
    'device': devices[0].device_kind,
    'devices': len(devices),
    'cores': os.cpu_count(),
    'jax': jax.__version__,
    'python': platform.python_version(),
    'driver': _driver(),
    'float32 TFLOP/s': machine.matrix_peak('float32', devices) / 1e12,
    'bfloat16 TFLOP/s': machine.matrix_peak('bfloat16', devices) / 1e12,
    'float32 at full precision, TFLOP/s': _exact_peak(devices) / 1e12,
    'copy, GB/s': machine.bandwidth(devices) / 1e9,
  }


def _exact_peak(devices) -> float:
  import jax

  from afgan_jax import machine

  with jax.default_matmul_precision('highest'):
    return machine.matrix_peak('float32', devices)


def _driver() -> str | None:
  try:
    result = subprocess.run(
      [
        'nvidia-smi',
        '--query-gpu=name,driver_version',
        '--format=csv,noheader',
      ],
      capture_output=True,
      text=True,
      check=True,
    )
  except (OSError, subprocess.CalledProcessError):
    return None
  return result.stdout.strip().splitlines()[0]


def _agreement(tiny: bool) -> Iterator[Row]:
  """Compares the scores of this device and of the CPU for the same weights."""
  import jax

  from afgan_jax.scoring import make_scorer
  from configs import demo
  from datasets import load

  config = demo.get_config()
  if tiny:
    config.data.procedural.num_train = 16
    config.data.procedural.num_test_good = 4
    config.data.procedural.num_test_per_defect = 2
    config.generator.base_features = 4
  # Eq 13, whose latent error is a difference of two outputs of networks.
  config.score.image = 'paper'
  state = _train(config, tiny)
  test = load.load_test(config)
  reference = make_scorer(config, state, jax.devices('cpu')[:1])(test.pixels)
  for precision in ('default', 'tensorfloat32', 'highest'):
    with jax.default_matmul_precision(
      None if precision == 'default' else precision
    ):
      scores = make_scorer(config, state, jax.devices())(test.pixels)
    yield {
      'what': f'scores, {precision} precision',
      'images': len(test.labels),
      'steps trained': int(state.step),
      **_compare_scores(scores, reference, test.labels == 0),
    }


def _train(config, tiny: bool):
  """Trains for some steps; returns the state on the host."""
  import jax

  from afgan_jax import devices as parallel
  from datasets import load

  train, _ = load.load_train(config)
  state = programs.create_state(config)
  steps = programs.map_sampled_steps(config)
  images = parallel.resident(train.images)
  for _ in range(1 if tiny else 8):
    state, _ = steps(state, *images, 2 if tiny else 64)
  return jax.device_get(state)


def _compare_scores(scores, reference, good: np.ndarray) -> Row:
  """Returns the maximum differences of scores and maps, relative."""
  row = {}
  for name in ('score', 'reconstruction_error', 'latent_error'):
    spread = reference[name][good].std(ddof=1)
    apart = np.abs(scores[name] - reference[name]).max()
    row[f'{name}: apart, of the spread of good images'] = float(apart / spread)
  apart = np.abs(scores['map'] - reference['map']).max()
  largest = reference['map'].max()
  return row | {'map: apart, of its largest value': float(apart / largest)}


def _steps(batches, tiny: bool) -> Iterator[Row]:
  """Times the train step and scoring by dtype and batch size."""
  from afgan_jax.benchmark import run
  from benchmarks.workload import paper_config

  size = (32, 4) if tiny else (256, 64)
  for batch in batches:
    for dtype in ('float32', 'bfloat16'):
      config = paper_config(*size, batch)
      config.dtype = dtype
      config.benchmark.num_images = max(batch, 64)
      figures = run.benchmark(config, lambda *_: None)['runs'][0]
      for mode in ('train', 'score', 'input'):
        part = figures[mode]
        # Only the networks in training use `dtype`; the rest is float32.
        name = dtype if mode == 'train' else 'float32'
        yield {
          'what': f'{mode}, {name}, batch {batch}',
          'images/s': part['images_per_second'],
          's/step': part['seconds_per_step'],
          'p95': part['seconds_per_step_p95'],
          'TFLOP/s': part.get('flops_per_second', 0) / 1e12 or None,
          'of the matrix peak': part.get('share_of_peak'),
          'compile, s': part.get('compile_seconds'),
          'memory, GiB': part.get('program_memory_bytes', 0) / 2**30 or None,
        }


def _repeat(tiny: bool) -> Iterator[Row]:
  """Checks whether training is reproducible to the bit across processes."""
  runs = {
    'as it is': '',
    'deterministic': '--xla_gpu_deterministic_ops=true',
    'deterministic, no autotuning': '--xla_gpu_deterministic_ops=true '
    '--xla_gpu_autotune_level=0',
  }
  for name, flags in runs.items():
    environment = os.environ | {
      'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} {flags}'.strip(),
      # Processes must not share compiled programs.
      'JAX_COMPILATION_CACHE_DIR': '',
    }
    command = [sys.executable, __file__, 'digest', *(['--tiny'] * tiny)]
    processes = [
      subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True
      )
      for _ in range(2)
    ]
    first, second = (json.loads(p.communicate()[0]) for p in processes)
    yield {
      'what': name,
      'XLA_FLAGS': flags,
      'twice in a process': first['digests'][0] == first['digests'][1],
      'in two processes': first['digests'][0] == second['digests'][0],
      **{name: first[name] for name in ('compile, s', 's/step')},
    }


def _digest(tiny: bool) -> Iterator[Row]:
  """Trains twice from the same seed and hashes the weights."""
  import jax

  from afgan_jax import devices as parallel
  from afgan_jax.benchmark.run import random_images
  from configs import demo

  config = demo.get_config()
  if tiny:
    config.image_size = 16
    config.generator.base_features = 4
  steps = programs.map_sampled_steps(config)
  images = parallel.resident(random_images(64, config.image_size))
  digests, seconds = [], []
  count = 2 if tiny else 64
  for _ in range(2):
    state = programs.create_state(config)
    begin = time.perf_counter()
    state, _ = steps(state, *images, count)
    jax.block_until_ready(state)
    seconds.append(time.perf_counter() - begin)
    leaves = jax.tree.leaves(jax.device_get(state))
    content = b''.join(np.asarray(leaf).tobytes() for leaf in leaves)
    digests.append(hashlib.sha256(content).hexdigest())
  yield {
    'digests': digests,
    'compile, s': seconds[0] - seconds[1],
    's/step': seconds[1] / count,
  }


if __name__ == '__main__':
  main()
