"""Measures time and memory against image size, batch, data set and devices.

  python benchmarks/scaling.py [FIELD=VALUE ...]

Each of the four is varied around a default point. Each point runs in its own
process, `python main.py --mode=benchmark`, so that the peak memory is that of
the point. Fields on the command line, such as dtype=bfloat16, apply to all
points. On a CPU, several devices are emulated by dividing it.
"""

import json
import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[1]
_DEFAULT = {
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
  """Prints a Markdown table, each row as soon as it is measured."""
  for argument in sys.argv[1:]:
    if '=' not in argument:
      sys.exit(f'{argument}: give fields as FIELD=VALUE.')
  given = dict(argument.split('=', 1) for argument in sys.argv[1:])
  default = _DEFAULT | given
  print('| point | ' + ' | '.join(_COLUMNS) + ' |')
  print('| --- |' + ' --- |' * len(_COLUMNS))
  _print_row(', '.join(f'{k} {v}' for k, v in default.items()), default, 1)
  for name, values in _CHANGES.items():
    for value in values:
      if name == 'devices':
        _print_row(f'{name} {value}', default, value)
      else:
        _print_row(f'{name} {value}', default | {name: value}, 1)


def _print_row(point: str, fields: dict, num_devices: int) -> None:
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
    # Impossible points, e.g. with too many devices, get a row with the reason.
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
  # Divides a CPU into devices; has no effect on other platforms.
  divide = f'--xla_force_host_platform_device_count={num_devices}'
  return os.environ | {'XLA_FLAGS': f'{flags} {divide}'.strip()}


if __name__ == '__main__':
  main()
