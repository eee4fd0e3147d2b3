"""Stores results of `accelerator.py`, and reads them from commands' output."""

import csv
import json
import pathlib
import re
import statistics

_METRICS = ('image_auroc', 'pixel_auroc', 'aupro_0.3', 'step')


class Results:
  """Rows by part, stored in `accelerator.json` and `accelerator.md`."""

  def __init__(self, folder: pathlib.Path):
    """Reads the results of earlier calls.

    Args:
      folder: of the two files.
    """
    self._folder = folder
    self._rows: dict[str, list[dict]] = {}
    path = folder / 'accelerator.json'
    if path.exists():
      self._rows = json.loads(path.read_text('utf-8'))

  def add(self, part: str, row: dict) -> None:
    """Adds a row and writes both files.

    A row replaces an earlier one of its name, unless it is an error.

    Args:
      part: its name.
      row: the results, with their name under 'what'.
    """
    rows = self._rows.setdefault(part, [])
    same = [i for i, r in enumerate(rows) if r['what'] == row['what']]
    if same and 'error' not in row:
      rows[same[0]] = row
    elif not same:
      rows.append(row)
    self._write()

  def remove_error(self, part: str, name: str) -> None:
    """Removes the error row of an earlier call and writes both files.

    Args:
      part: its name.
      name: of the row; a row without an error is kept.
    """
    rows = self._rows.get(part, [])
    kept = [r for r in rows if r['what'] != name or 'error' not in r]
    if len(kept) < len(rows):
      self._rows[part] = kept
      self._write()

  def markdown(self) -> str:
    """Formats a table for each part."""
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

  def _write(self) -> None:
    texts = {
      'accelerator.json': json.dumps(self._rows, indent=2) + '\n',
      'accelerator.md': self.markdown(),
    }
    for name, text in texts.items():
      path = self._folder / name
      path.with_suffix('.new').write_text(text, 'utf-8')
      path.with_suffix('.new').replace(path)


def read_benchmark(text: str) -> dict:
  """Reads compilation and time of a step from `main.py --mode=benchmark`."""
  run = json.loads(text[text.index('{') :])['runs'][0]
  return {
    f'{mode} {name}': run[mode][figure]
    for mode in ('train', 'score')
    for name, figure in (
      ('compile, s', 'compile_seconds'),
      ('s/step', 'seconds_per_step'),
    )
  }


def read_comparison(text: str) -> dict:
  """Reads the row of a run of `compare_pytorch.py` from its output."""
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


def read_run(workdir: pathlib.Path, text: str) -> dict:
  """Reads the row of a training run.

  Args:
    workdir: of the run, with `metrics.json`.
    text: its output, with losses and speed.
  """
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


def read_validation(workdir: pathlib.Path) -> dict:
  """Reads the row of a validation from `validation.json`."""
  figures = json.loads((workdir / 'validation.json').read_text('utf-8'))
  row = {name: figures[name] for name in _METRICS}
  return row | {f'trivial {k}': v for k, v in figures['baselines'].items()}


def compare_scores(folder: pathlib.Path, reference: pathlib.Path) -> dict:
  """Compares two `scores.csv` of the same images.

  Args:
    folder: of one file.
    reference: folder of the other.

  Returns:
    The maximum difference of a score, relative to the standard deviation of the
    good images' scores in `reference`.
  """
  scores = _read_scores(folder / 'scores.csv')
  expected = _read_scores(reference / 'scores.csv')
  spread = statistics.stdev(s for label, s in expected.values() if label == '0')
  apart = max(abs(scores[p][1] - s) for p, (_, s) in expected.items())
  return {'scores: apart, of the spread of good images': apart / spread}


def _read_scores(path: pathlib.Path) -> dict[str, tuple[str, float]]:
  with path.open(encoding='utf-8-sig', newline='') as file:
    return {
      row['path']: (row['label'], float(row['score']))
      for row in csv.DictReader(file)
    }


def _table_row(values: list) -> str:
  return '| ' + ' | '.join(map(_cell, values)) + ' |'


def _cell(value) -> str:
  if value is None:
    return ''
  return f'{value:.5g}' if isinstance(value, float) else str(value)
