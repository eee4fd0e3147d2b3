"""Runs a study: what is done is kept, what fails is noted."""

import json
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.cli import commands as modes
from afgan_jax.config.store import check_continues, from_stored
from afgan_jax.study.plan import Run, Study, make_plan
from afgan_jax.study.results import collect, read_metrics
from afgan_jax.system.errors import Interrupted, PartlyFailed, UsageError
from afgan_jax.system.files import write_text
from afgan_jax.system.workdir import check_not_file, claim

# `modes.train` is one.
Train = Callable[..., None]


def run_study(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Any,
  expected: tuple[type[Exception], ...] = (UsageError,),
  train: Train = modes.train,
) -> None:
  """Trains and evaluates each run that is not finished, and writes tables.

  Args:
    config: with the group `study`, see `configs/paper/variants.py`.
    workdir: of the study.
    data: loads the images, see `modes.Data`; `open_source` is asked besides.
    expected: what a run may fail with without stopping the others.
    train: trains and evaluates one run.

  Raises:
    UsageError: the study cannot be run; nothing was trained.
    PartlyFailed: some runs failed; the others are done.
    Interrupted: Ctrl-C; what is done is kept.
  """
  check_not_file(workdir)
  study = make_plan(config, workdir, jax.device_count())
  numbered = dict(enumerate(study.runs, 1))
  pending = {n: run for n, run in numbered.items() if not read_metrics(run)}
  _check(list(pending.values()), data)
  total = len(study.runs)
  print(f'{total} runs, {total - len(pending)} of them done before.')
  failures: dict[pathlib.Path, str] = {}
  with claim(workdir):
    _write_tables(study, workdir, failures)
    for number, run in pending.items():
      print(f'Run {number} of {total}: {run}.', flush=True)
      reason = _run(run, data, expected, train)
      if reason:
        failures[run.workdir] = reason
      _write_tables(study, workdir, failures)
  print(f'The tables are in {workdir}.')
  if failures:
    raise PartlyFailed(
      f'{len(failures)} of {total} runs failed; see tables.md.'
    )


def _check(pending: Sequence[Run], data: Any) -> None:
  """Finds what can be found wrong before hours of training."""
  seen = set()
  for run in pending:
    source = json.dumps(run.config.data.to_dict(), sort_keys=True)
    if source not in seen:  # Listing a folder takes time.
      seen.add(source)
      data.open_source(run.config).train()
    stored = run.workdir / 'config.json'
    # Without a checkpoint there is nothing to continue from.
    if stored.is_file() and any(run.workdir.glob('checkpoints/[0-9]*')):
      text = stored.read_text(encoding='utf-8')
      try:
        check_continues(from_stored(json.loads(text)), run.config)
      except UsageError as error:
        raise UsageError(f'{run.workdir}: {error}') from error


def _run(
  run: Run, data: Any, expected: tuple[type[Exception], ...], train: Train
) -> str | None:
  """Does one run; tells and returns what it failed with, or None."""
  reason = None
  try:
    train(run.config, run.workdir, data, blind=run.measure == 'validation')
  except expected as error:
    reason = str(error)
  except PartlyFailed as error:  # What could be measured counts.
    print(error, file=sys.stderr)
  except KeyboardInterrupt as error:  # Outside the training loop.
    raise Interrupted(
      f'Stopped in {run}: the same command continues from its last checkpoint.'
    ) from error
  finally:
    # A program compiled for one run serves no other, and hundreds add up.
    jax.clear_caches()
  if reason is None and read_metrics(run) is None:
    reason = 'Nothing was measured: there are no test images.'
  if reason:
    print(f'{run} failed: {reason}', file=sys.stderr)
  return reason


def _write_tables(
  study: Study, workdir: pathlib.Path, failures: dict[pathlib.Path, str]
) -> None:
  # Pictures take longer to import than all of JAX, and wrong input is told
  # before.
  from afgan_jax.study import figure, tables
  from afgan_jax.study.rows import to_csv

  workdir.mkdir(parents=True, exist_ok=True)
  results = collect(study, failures)
  write_text(workdir / 'tables.md', tables.markdown(results))
  write_text(workdir / 'tables.csv', to_csv(results))
  figure.write(results, workdir / 'figure_6.png')
