r"""Measures this machine's accelerator: one command, results as they come.

  PYTHONPATH=. python benchmarks/accelerator.py --output=DIR \
    --data=FOLDER_OF_MVTEC_AD

Each part is a process of its own, and DIR/accelerator.json and
DIR/accelerator.md are written anew after each row, so that a machine that is
taken away leaves what it measured. Parts can be named, and a second call with
the same --output adds to the first:

  PYTHONPATH=. python benchmarks/accelerator.py --output=DIR --parts=steps,screw

Nothing here needs TensorFlow; PyTorch is needed for the part `pytorch` alone.
On a processor `--tiny` goes through all parts with networks of 32 px.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[1]
# In the order in which they run; what each does stands in `_commands`.
PARTS = (
  'machine',
  'screw',
  'steps',
  'pytorch',
  'checks',  # Of what `screw` has trained.
  'plus',
  'agreement',
  'repeat',
  'batches',
  'more',
  'compiled',
)
_NEED_DATA = ('screw', 'checks', 'plus', 'more')
# A program that other parts compile too is compiled once; and a process must
# leave memory of the accelerator to PyTorch beside it.
_ENVIRONMENT = {
  'PYTHONPATH': f'{ROOT}{os.pathsep}{os.environ.get("PYTHONPATH", "")}',
  'PYTHONUNBUFFERED': '1',
  'TF_CPP_MIN_LOG_LEVEL': '2',
  'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
}
# Less is not worth starting a part for.
_SHORTEST_SECONDS = 15
_TINY = (
  '--config.image_size=32',
  '--config.generator.base_features=4',
  '--config.generator.max_features=8',
  '--config.discriminator.max_features=8',
  '--config.segmentation.max_features=8',
  '--config.segmentation.num_levels=3',
  '--config.batch_size=4',
)
_METRICS = ('image_auroc', 'pixel_auroc', 'aupro_0.3', 'step')


def main() -> None:
  """Runs the parts that were asked for, until the time is over."""
  args = _parse()
  end = time.monotonic() + 60 * args.minutes
  output = args.output.absolute()
  output.mkdir(parents=True, exist_ok=True)
  results = Results(output)
  for part in args.parts:
    for name, command, read in _commands(part, args, output):
      left = end - time.monotonic()
      if left < _SHORTEST_SECONDS:
        results.add(part, {'what': name, 'error': 'no time was left'})
        break
      print(f'{part}: {name}, {left:.0f} s left', file=sys.stderr, flush=True)
      begin = time.monotonic()
      try:
        _run(part, name, command, read, results, left)
      except (OSError, ValueError, KeyError, RuntimeError) as error:
        results.add(part, {'what': name, 'error': str(error) or repr(error)})
      print(
        f'{part}: {name} took {time.monotonic() - begin:.0f} s',
        file=sys.stderr,
        flush=True,
      )
  print(results.markdown())


class Results:
  """Rows by part, kept in two files."""

  def __init__(self, folder: pathlib.Path):
    """Reads what an earlier call has left.

    Args:
      folder: of the two files.
    """
    self._folder = folder
    self._rows: dict[str, list[dict]] = {}
    path = folder / 'accelerator.json'
    if path.exists():
      self._rows = json.loads(path.read_text('utf-8'))

  def add(self, part: str, row: dict) -> None:
    """Adds a row in the place of an earlier one of its name; writes both files.

    Args:
      part: a name of `PARTS`.
      row: with 'what', its name, and what was measured.
    """
    rows = self._rows.setdefault(part, [])
    same = [i for i, r in enumerate(rows) if r['what'] == row['what']]
    if same and 'error' not in row:
      rows[same[0]] = row
    elif not same:
      rows.append(row)
    texts = {
      'accelerator.json': json.dumps(self._rows, indent=2) + '\n',
      'accelerator.md': self.markdown(),
    }
    for name, text in texts.items():
      path = self._folder / name
      path.with_suffix('.new').write_text(text, 'utf-8')
      path.with_suffix('.new').replace(path)

  def markdown(self) -> str:
    """Writes a table for each part."""
    lines = []
    for part, rows in self._rows.items():
      names = list(dict.fromkeys(name for row in rows for name in row))
      lines += [
        f'## {part}',
        '',
        _table_row(names),
        _table_row(['---'] * len(names)),
      ]
      lines += [_table_row([row.get(name) for name in names]) for row in rows]
      lines.append('')
    return '\n'.join(lines)


def _table_row(values: list) -> str:
  return '| ' + ' | '.join(map(_cell, values)) + ' |'


def _cell(value) -> str:
  if value is None:
    return ''
  return f'{value:.5g}' if isinstance(value, float) else str(value)


def _parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--output', type=pathlib.Path, required=True)
  parser.add_argument('--data', type=pathlib.Path, help='holds screw/')
  parser.add_argument('--minutes', type=float, default=8.0)
  parser.add_argument('--parts', default=','.join(PARTS))
  parser.add_argument('--tiny', action='store_true')
  args = parser.parse_args()
  args.parts = args.parts.split(',')
  unknown = set(args.parts) - set(PARTS)
  if unknown:
    parser.error(f'--parts has {sorted(unknown)}: choose among {PARTS}.')
  needing = [part for part in args.parts if part in _NEED_DATA]
  if needing and not args.data:
    parser.error(f'--parts has {needing}, which need --data.')
  if args.data and not (args.data / 'screw' / 'train').is_dir():
    parser.error(f'--data is {args.data}: it holds no folder screw/train.')
  return args


def _commands(part: str, args: argparse.Namespace, output: pathlib.Path):
  """Yields of a part the names, the commands and what reads each's output.

  Rows come on standard output as lines of JSON unless there is a reader.
  """
  python, here = sys.executable, str(pathlib.Path(__file__).parent)
  size = ['--tiny'] if args.tiny else []
  if part in ('machine', 'agreement', 'steps', 'batches', 'repeat'):
    worker = [python, f'{here}/accelerator_parts.py', part, *size]
    yield part, worker, None
  elif part in ('pytorch', 'compiled'):
    compare = [python, f'{here}/compare_pytorch.py', '--rounds=3', '--steps=5']
    if args.tiny:
      compare += ['--image_size=32', '--base_features=4', '--batch_size=4']
    else:
      compare += ['--batch_size=64']
    runs = {
      'pytorch': {
        'train float32': [],
        'train bfloat16': ['--dtype=bfloat16'],
        'score float32': ['--mode=score'],
      },
      'compiled': {
        'train bfloat16, compiled': ['--dtype=bfloat16', '--compile'],
        'train float32, compiled': ['--compile'],
      },
    }[part]
    for name, flags in runs.items():
      yield name, [*compare, *flags], _read_comparison
  else:
    yield from _training(part, args, output)


def _training(part: str, args: argparse.Namespace, output: pathlib.Path):
  """Yields the same for the parts that train on images."""
  screw, plus = 'configs/screw.py', 'configs/plus/mvtec_ad.py:screw'
  alone = '--config.loss.discriminator_latent_weight=0'
  first = {'configs/screw.py, float32': (screw, 'float32')}
  runs = {
    'screw': first,
    'checks': first,
    'plus': {'configs/plus at 256 px, float32': (plus, 'float32')},
    'more': {
      'configs/screw.py, bfloat16': (screw, 'bfloat16'),
      'L_lat in the generator alone, bfloat16': (screw, 'bfloat16', alone),
      'configs/plus at 256 px, bfloat16': (plus, 'bfloat16'),
    },
  }[part]
  for name, (config, dtype, *fields) in runs.items():
    workdir = output / 'work' / re.sub(r'\W+', '_', name)
    program = [sys.executable, f'{ROOT}/main.py', f'--workdir={workdir}']
    fields = [
      f'--config={config}',
      f'--config.data.path={args.data.absolute()}',
      f'--config.dtype={dtype}',
      *fields,
      '--config.checkpoint.max_to_keep=1',
      # What is kept are the figures; a checkpoint takes 0.6 GB.
      '--config.checkpoint.every_epochs=1000000',
    ]
    if args.tiny:
      fields += [*_TINY, '--config.num_epochs=1']
      fields += ['--config.num_steps=4'] if config == plus else []
    if part == 'checks':
      yield from _checks(workdir, program, fields)
      continue
    shutil.rmtree(workdir, ignore_errors=True)  # Or nothing would be timed.
    yield (
      name,
      [*program, *fields],
      lambda text, w=workdir: _read_run(w, text),
    )


def _checks(workdir: pathlib.Path, program: list[str], fields: list[str]):
  """Yields what else is asked of a trained model."""
  evaluate = [*program, '--mode=evaluate']
  yield (
    'scored on the processor, against the accelerator',
    ['env', 'JAX_PLATFORMS=cpu', *evaluate, f'--output={workdir}/cpu'],
    lambda text: _compare_scores(workdir, workdir / 'cpu'),
  )
  yield (
    'products in full float32, against the processor',
    [
      'env',
      'JAX_DEFAULT_MATMUL_PRECISION=highest',
      *evaluate,
      f'--output={workdir}/exact',
    ],
    lambda text: _compare_scores(workdir / 'exact', workdir / 'cpu'),
  )
  for score in ('max', 'paper'):
    yield (
      f'synthetic defects, config.score.image={score}',
      [*program, *fields, f'--config.score.image={score}', '--mode=validate'],
      lambda text: _read_validation(workdir),
    )


def _run(part, name, command, read, results: Results, seconds: float) -> None:
  """Runs a command and adds the rows that it prints, or that it left."""
  begin = time.monotonic()
  process = subprocess.Popen(
    command,
    cwd=ROOT,
    env=os.environ | _ENVIRONMENT,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT if read else None,
    text=True,
  )
  text = []
  try:
    for line in _lines(process, seconds):
      text.append(line)
      if read is None and line.startswith('{'):
        results.add(part, json.loads(line))
      else:
        print(line, end='', file=sys.stderr, flush=True)
  finally:
    process.kill()
    code = process.wait()
  if code:
    last = [line.strip() for line in text if line.strip()][-1:]
    raise RuntimeError(f'exit code {code}: {" ".join(last)[:200]}')
  if read:
    row = {'what': name, **read(''.join(text))}
    results.add(part, row | {'wall seconds': time.monotonic() - begin})


def _lines(process: subprocess.Popen, seconds: float) -> Iterator[str]:
  """Yields the lines of a process; ends it when the time is over."""
  timer = threading.Timer(seconds, process.terminate)
  timer.start()
  try:
    yield from process.stdout
    process.wait()
  finally:
    timer.cancel()


def _read_comparison(text: str) -> dict:
  figures = json.loads(text.strip().splitlines()[-1])
  seconds = figures['seconds_per_step']
  return {
    'batch': figures['batch_size'],
    'image size': figures['image_size'],
    'ours, s': seconds['jax'],
    'PyTorch, s': seconds['torch'],
    'time, ours over theirs': figures['ratio'],
    'lowest': figures['ratio_min'],
    'highest': figures['ratio_max'],
  }


def _read_run(workdir: pathlib.Path, text: str) -> dict:
  metrics = json.loads((workdir / 'metrics.json').read_text('utf-8'))
  row = {name: metrics[name] for name in _METRICS}
  row |= {f'trivial {k}': v for k, v in metrics['baselines'].items()}
  for name, values in metrics['pixel_baselines'].items():
    row[f'trivial pixel {name}'] = values['pixel_auroc']
    row[f'trivial AUPRO {name}'] = values['aupro_0.3']
  row |= metrics['line'] or {}
  row.pop('missed_rate_by_type', None)
  last = [line for line in text.splitlines() if ' images/s' in line][-1]
  row |= {
    name: float(value)
    for name, value in re.findall(r'(\w+) ([-+.\de]+)(?= )', last)
    if name in ('discriminator', 'latent', 'reconstruction', 'segmentation')
  }
  row['images/s'] = float(re.search(r'([\d.]+) images/s', last)[1])
  return row


def _read_validation(workdir: pathlib.Path) -> dict:
  figures = json.loads((workdir / 'validation.json').read_text('utf-8'))
  row = {name: figures[name] for name in _METRICS}
  return row | {f'trivial {k}': v for k, v in figures['baselines'].items()}


def _compare_scores(ours: pathlib.Path, other: pathlib.Path) -> dict:
  """Tells how far apart two tables of scores of the same images are."""
  tables = [_scores(path / 'scores.csv') for path in (ours, other)]
  good = [score for label, score in tables[1].values() if label == '0']
  spread = statistics.stdev(good)
  apart = max(abs(tables[0][p][1] - s) for p, (_, s) in tables[1].items())
  return {'scores: apart, of the spread of good images': apart / spread}


def _scores(path: pathlib.Path) -> dict[str, tuple[str, float]]:
  with path.open(encoding='utf-8', newline='') as file:
    return {
      row['path']: (row['label'], float(row['score']))
      for row in csv.DictReader(file)
    }


if __name__ == '__main__':
  main()
