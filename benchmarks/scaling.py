"""Measures time and memory against image size, batch, data set and devices.

  python benchmarks/scaling.py [FIELD=VALUE ...]

From one middle point each of the four is changed by itself. Every point is a
process of its own, `python main.py --mode=benchmark`, so that the peak memory
is that of the point. Fields given on the command line hold for all points, such
as dtype=bfloat16. On a processor, several devices are as many parts of it.
"""

import json
import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]
_MIDDLE = {
  'image_size': 128,
  'generator.base_features': 32,
  'batch_size': 16,
  'benchmark.num_images': 256,
  'benchmark.num_steps': 5,
  'benchmark.warmup_steps': 1,
}
_CHANGES = {
  'image_size': (64, 256),
  'batch_size': (4, 64),
  'benchmark.num_images': (2560, 25600),
  'devices': (2, 4),
}
_COLUMNS = (
  'train s/step',
  'train images/s',
  'train compile s',
  'train memory MiB',
  'score s/batch',
  'input images/s',
  'peak memory MiB',
)


def main() -> None:
  """Prints a Markdown table, a row as soon as it is measured."""
  for argument in sys.argv[1:]:
    if '=' not in argument:
      sys.exit(f'{argument}: give fields as FIELD=VALUE.')
  given = dict(argument.split('=', 1) for argument in sys.argv[1:])
  middle = _MIDDLE | given
  print('| point | ' + ' | '.join(_COLUMNS) + ' |')
  print('| --- |' + ' --- |' * len(_COLUMNS))
  _row(', '.join(f'{k} {v}' for k, v in middle.items()), middle, 1)
  for name, values in _CHANGES.items():
    for value in values:
      if name == 'devices':
        _row(f'{name} {value}', middle, value)
      else:
        _row(f'{name} {value}', middle | {name: value}, 1)


def _row(point: str, fields: dict, num_devices: int) -> None:
  done = subprocess.run(
    [
      sys.executable,
      'main.py',
      '--config=configs/default.py',
      '--mode=benchmark',
      f'--config.benchmark.device_counts=({num_devices},)',
      *(f'--config.{name}={value}' for name, value in fields.items()),
    ],
    cwd=_ROOT,
    env=_environment(num_devices),
    capture_output=True,
    text=True,
  )
  if done.returncode:
    # What cannot be, such as more devices than there are, is worth a row.
    reason = done.stderr.strip().splitlines()[-1]
    print(f'| {point} | {reason} |' + ' |' * (len(_COLUMNS) - 1), flush=True)
    return
  (run,) = json.loads(done.stdout)['runs']
  train, score = run['train'], run['score']
  values = (
    train['seconds_per_step'],
    train['images_per_second'],
    train['compile_seconds'],
    train['program_memory_bytes'] / 2**20,
    score['seconds_per_step'],
    run['input']['images_per_second'],
    run['peak_memory_bytes'] / 2**20,
  )
  cells = ' | '.join(f'{value:.4g}' for value in values)
  print(f'| {point} | {cells} |', flush=True)


def _environment(num_devices: int) -> dict[str, str]:
  flags = os.environ.get('XLA_FLAGS', '')
  # Parts of a processor; means nothing to other devices.
  parts = f'--xla_force_host_platform_device_count={num_devices}'
  return os.environ | {'XLA_FLAGS': f'{flags} {parts}'.strip()}


if __name__ == '__main__':
  main()
