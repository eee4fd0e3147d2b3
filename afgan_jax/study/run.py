"""Runs a study; finished runs are kept and failed ones are recorded."""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.automatic import of_workdir
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.store import check_continues_in
from afgan_jax.jobs.train import Trained, train
from afgan_jax.study.ensembles import (
  Ensemble,
  list_ensembles,
  measure_ensemble,
  read_ensemble,
  with_ensembles,
)
from afgan_jax.study.folds import check_parts
from afgan_jax.study.plan import Run, Study, make_plan
from afgan_jax.study.results import collect, read_metrics
from afgan_jax.system.errors import DataError, Interrupted, UsageError
from afgan_jax.system.files import write_table, write_text
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file, claim

# The type of `jobs.train.train`.
Train = Callable[..., Trained]
OnStart = Callable[[ConfigDict, int], None]


def run_study(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Any,
  *,
  train: Train = train,
  on_start: OnStart | None = None,
) -> int:
  """Trains and evaluates all unfinished runs and writes tables.

  Args:
    config: with the group `study`, see `configs/paper/variants.py`.
    workdir: of the study.
    data: loads the images, see `jobs.data.Data`, and has `open_source`.
    train: trains and evaluates one run.
    on_start: see `jobs.train.train`.

  Returns:
    The number of runs and ensembles that failed with a UsageError or a
    DataError; the others are done.

  Raises:
    UsageError: if the study is invalid; nothing was trained.
    Interrupted: on Ctrl-C; finished runs are kept.
  """
  check_not_file(workdir)
  study = make_plan(config, workdir, jax.device_count())
  ensembles = list_ensembles(study)
  numbered = dict(enumerate(study.runs, 1))
  pending = {n: run for n, run in numbered.items() if not read_metrics(run)}
  _check(list(pending.values()), data)
  done = len(numbered) - len(pending)
  logger.info('%d runs, %d of them done before.', len(numbered), done)
  failures: dict[pathlib.Path, str] = {}
  with claim(workdir):
    _write_tables(study, workdir, failures)
    for number, run in pending.items():
      logger.info('Run %d of %d: %s.', number, len(numbered), run)
      reason = _run(run, data, train, on_start)
      if reason:
        failures[run.workdir] = reason
      _write_tables(study, workdir, failures)
    for ensemble in _measurable(ensembles):
      failures |= _measure(ensemble, data)
      _write_tables(study, workdir, failures)
  logger.info('The tables are in %s.', workdir)
  return len(failures)


def _check(pending: Sequence[Run], data: Any) -> None:
  """Checks data and configs before hours of training."""
  seen = set()
  for run in pending:
    source = json.dumps(run.config.data.to_dict(), sort_keys=True)
    if source not in seen:  # Listing a folder takes time.
      seen.add(source)
      opened = data.open_source(run.config)
      opened.train()
      check_parts(run, opened)
    # Without a checkpoint the run starts anew, so any config is allowed.
    if any(run.workdir.glob('checkpoints/[0-9]*')):
      try:
        config = of_workdir(run.config, run.workdir)
        check_continues_in(run.workdir, config)
      except UsageError as error:
        raise UsageError(f'{run.workdir}: {error}') from error
    else:
      try:
        check_group_sizes(run.config)
      except UsageError as error:
        raise UsageError(f'{run}: {error}') from error


def _run(
  run: Run, data: Any, train: Train, on_start: OnStart | None
) -> str | None:
  """Trains one run; logs and returns the reason if it failed, else None."""
  reason = None
  try:
    train(
      run.config,
      run.workdir,
      data,
      measure=run.measure,
      on_start=on_start,
    )
  except (UsageError, DataError) as error:
    reason = str(error)
  except KeyboardInterrupt as error:  # The training loop handles its own.
    raise Interrupted(f'Stopped in {run}.') from error
  finally:
    # Runs share no compiled programs, and hundreds would fill the memory.
    jax.clear_caches()
  if reason is None and read_metrics(run) is None:
    reason = 'Nothing was measured: there are no test images.'
  if reason:
    logger.warning('%s failed: %s', run, reason)
  return reason


def _measurable(ensembles: Sequence[Ensemble]) -> list[Ensemble]:
  """Returns the ensembles that are not measured and whose runs are done."""
  return [
    ensemble
    for ensemble in ensembles
    if all(map(read_metrics, ensemble.runs)) and not read_ensemble(ensemble)
  ]


def _measure(ensemble: Ensemble, data: Any) -> dict[pathlib.Path, str]:
  """Measures an ensemble; logs and returns the reason if it fails."""
  logger.info('%s.', ensemble)
  try:
    reason = measure_ensemble(ensemble, data)
  except KeyboardInterrupt as error:
    raise Interrupted(f'Stopped in {ensemble}.') from error
  finally:
    jax.clear_caches()
  if not reason:
    return {}
  logger.warning('%s failed: %s', ensemble, reason)
  return {ensemble.workdir: reason}


def _write_tables(
  study: Study, workdir: pathlib.Path, failures: dict[pathlib.Path, str]
) -> None:
  # Matplotlib takes longer to import than JAX, and wrong input is reported
  # before.
  from afgan_jax.study import figure, tables
  from afgan_jax.study.rows import to_csv

  workdir.mkdir(parents=True, exist_ok=True)
  results = with_ensembles(collect(study, failures), failures)
  write_text(workdir / 'tables.md', tables.markdown(results))
  write_table(workdir / 'tables.csv', to_csv(results))
  figure.write(results, workdir / 'figure_6.png')
