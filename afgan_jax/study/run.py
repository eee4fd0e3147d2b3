"""Runs a study: finished runs are kept, failed ones are noted."""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.store import check_continues, from_stored
from afgan_jax.jobs.train import Trained, train
from afgan_jax.study.plan import Run, Study, make_plan
from afgan_jax.study.results import collect, read_metrics
from afgan_jax.system.errors import DataError, Interrupted, UsageError
from afgan_jax.system.files import write_text
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file, claim

# `jobs.train.train` is one.
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
  """Trains and evaluates each run that is not finished, and writes tables.

  Args:
    config: with the group `study`, see `configs/paper/variants.py`.
    workdir: of the study.
    data: loads the images, see `jobs.data.Data`, and has `open_source`.
    train: trains and evaluates one run.
    on_start: see `jobs.train.train`.

  Returns:
    The number of runs that failed with a UsageError or a DataError, which does
    not stop the others.

  Raises:
    UsageError: the study cannot be run; nothing was trained.
    Interrupted: Ctrl-C; what is done is kept.
  """
  check_not_file(workdir)
  study = make_plan(config, workdir, jax.device_count())
  numbered = dict(enumerate(study.runs, 1))
  pending = {n: run for n, run in numbered.items() if not read_metrics(run)}
  _check(list(pending.values()), data)
  total = len(study.runs)
  logger.info('%d runs, %d of them done before.', total, total - len(pending))
  failures: dict[pathlib.Path, str] = {}
  with claim(workdir):
    _write_tables(study, workdir, failures)
    for number, run in pending.items():
      logger.info('Run %d of %d: %s.', number, total, run)
      reason = _run(run, data, train, on_start)
      if reason:
        failures[run.workdir] = reason
      _write_tables(study, workdir, failures)
  logger.info('The tables are in %s.', workdir)
  return len(failures)


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
  run: Run, data: Any, train: Train, on_start: OnStart | None
) -> str | None:
  """Does one run; logs and returns why it failed, or None."""
  reason = None
  try:
    train(
      run.config,
      run.workdir,
      data,
      blind=run.measure == 'validation',
      on_start=on_start,
    )
  except (UsageError, DataError) as error:
    reason = str(error)
  except KeyboardInterrupt as error:  # Outside the training loop.
    raise Interrupted(f'Stopped in {run}.') from error
  finally:
    # A program compiled for one run serves no other, and hundreds add up.
    jax.clear_caches()
  if reason is None and read_metrics(run) is None:
    reason = 'Nothing was measured: there are no test images.'
  if reason:
    logger.warning('%s failed: %s', run, reason)
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
