"""Compares runtimes of exported models with JAX, images in memory.

  python -m benchmarks.export_speed --config=configs/screw.py --size=256

Random weights. Each runtime runs in a process of its own, so that the peak of
memory is its own, and they take turns `--rounds` times, since other programs
may be running; the table has the best time of each.
"""

import argparse
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

RUNTIMES = ('onnxruntime', 'openvino', 'jax')


def load_config(path: str, size: int):
  """Returns the configuration of a file, at a size in pixels."""
  spec = importlib.util.spec_from_file_location('config', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  config = module.get_config()
  config.image_size = config.tile_size = size
  return config


def random_variables(config):
  """Draws weights with as much variance as keeps activations finite."""
  import jax

  from afgan_jax.methods.registry import build_method

  rng = np.random.default_rng(0)

  def draw(path, leaf):
    name = path[-1].key
    if name != 'kernel':
      return np.full(leaf.shape, name in ('var', 'scale'), np.float32)
    width = 1.4 / np.sqrt(np.prod(leaf.shape[:-1]))
    return rng.normal(0, width, leaf.shape).astype(np.float32)

  shapes = jax.eval_shape(lambda: build_method(config).init())
  return jax.tree.map_with_path(draw, shapes.scoring_variables)


def export(config, folder: pathlib.Path) -> None:
  """Writes the model for all runtimes."""
  from afgan_jax.export.model import write_model
  from afgan_jax.metrics.threshold import Calibration

  calibration = Calibration(9, 0.1, 0.1, 0.2, 0.2, 0.05, 0, {})
  variables = random_variables(config)
  write_model(folder, config, variables, calibration, ('onnx', 'stablehlo'))


def open_runtime(name: str, folder: pathlib.Path, threads: int, batch: int):
  """Loads a model; returns a function from pixels to outputs."""
  path = str(folder / 'model.onnx')
  if name == 'onnxruntime':
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
      path, options, providers=['CPUExecutionProvider']
    )
    return lambda pixels: session.run(None, {'pixels': pixels})
  if name == 'openvino':
    import openvino

    # By default it may compute in bfloat16, which changes scores.
    settings = {
      'INFERENCE_NUM_THREADS': threads,
      'INFERENCE_PRECISION_HINT': 'f32',
    }
    model = openvino.Core().compile_model(path, 'CPU', settings)
    return lambda pixels: model([pixels])
  import jax

  from afgan_jax.artefact.stablehlo import load_stablehlo

  model = load_stablehlo(folder / f'model_b{batch}.stablehlo')
  return lambda pixels: jax.block_until_ready(
    model(pixels=pixels, threshold=0.2)
  )


def peak_memory() -> float:
  """Returns the peak of this process since it began its program, in MiB."""
  text = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
  return int(re.search(r'VmHWM:\s+(\d+)', text)[1]) / 2**10


def measure(arguments) -> None:
  """Measures one runtime in this process and prints a JSON object."""
  rng = np.random.default_rng(0)
  shape = (arguments.batch, arguments.size, arguments.size, 3)
  pixels = rng.uniform(0, 255, shape).astype(np.float32)
  start = time.perf_counter()
  run = open_runtime(
    arguments.runtime,
    pathlib.Path(arguments.folder),
    arguments.threads,
    arguments.batch,
  )
  run(pixels)
  first = time.perf_counter() - start
  peak = peak_memory()
  times, cpu = [], []
  for _ in range(arguments.calls):
    start, used = time.perf_counter(), time.process_time()
    run(pixels)
    times.append(time.perf_counter() - start)
    cpu.append(time.process_time() - used)
  print(json.dumps([min(times), min(cpu), first, peak]))


def in_turns(arguments, folder: str) -> None:
  """Measures all runtimes in turns and prints the table."""
  rows = [
    (runtime, threads, batch)
    for batch in (1, 8)
    for runtime in RUNTIMES
    for threads in ((1, 2) if runtime != 'jax' else (2,))
  ]
  best = {}
  for _ in range(arguments.rounds):
    for runtime, threads, batch in rows:
      command = [
        *(sys.executable, '-m', 'benchmarks.export_speed', '--one'),
        *(f'--runtime={runtime}', f'--threads={threads}', f'--batch={batch}'),
        *(f'--folder={folder}', f'--size={arguments.size}'),
        f'--calls={arguments.calls}',
      ]
      done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
      numbers = np.array(json.loads(done.stdout.splitlines()[-1]))
      row = runtime, threads, batch
      best[row] = np.minimum(best.get(row, np.inf), numbers)
  print('| Images | Runtime | Threads | ms | CPU ms | Load s | Peak MiB |')
  print('| ---: | --- | ---: | ---: | ---: | ---: | ---: |')
  for (runtime, threads, batch), (wall, cpu, first, peak) in best.items():
    print(
      f'| {batch} | {runtime} | {threads} | {1e3 * wall:.1f} | '
      f'{1e3 * cpu:.1f} | {first:.2f} | {peak:.0f} |'
    )


def main() -> None:
  """Exports a model and measures it, or measures one runtime."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--config', default='configs/demo.py')
  parser.add_argument('--size', type=int, default=64)
  parser.add_argument('--rounds', type=int, default=2)
  parser.add_argument('--calls', type=int, default=5)
  parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
  for name in ('runtime', 'folder'):
    parser.add_argument(f'--{name}', help=argparse.SUPPRESS)
  for name in ('threads', 'batch'):
    parser.add_argument(f'--{name}', type=int, help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.one:
    measure(arguments)
    return
  with tempfile.TemporaryDirectory() as folder:
    config = load_config(arguments.config, arguments.size)
    config.score.batch_size = 8
    export(config, pathlib.Path(folder))
    in_turns(arguments, folder)


if __name__ == '__main__':
  main()
