"""Checks the fields of cross-validation; imports nothing slow."""

from ml_collections import ConfigDict

from afgan_jax.system.errors import UsageError


def check_fold(config: ConfigDict) -> None:
  """Checks `config.calibration.folds` and `.fold`.

  Args:
    config: see `configs/default.py`.

  Raises:
    UsageError: there is one fold, or the one held out is not among them.
  """
  folds, fold = config.calibration.folds, config.calibration.fold
  if folds == 1:
    raise UsageError(
      'config.calibration.folds is 1: it must be 0 for none, or at least 2.'
    )
  if fold >= max(folds, 1):
    raise UsageError(
      f'config.calibration.fold is {fold}: it must be below '
      f'config.calibration.folds={folds}, or 0 if that is 0.'
    )


def check_study(config: ConfigDict) -> None:
  """Checks `config.study.folds`.

  Args:
    config: with the group `study`.

  Raises:
    UsageError: it is no number of folds, or the test set is measured on.
  """
  folds = config.study.get('folds', 0)
  is_whole = isinstance(folds, int) and not isinstance(folds, bool)
  if not is_whole or folds < 0 or folds == 1:
    raise UsageError(
      f'config.study.folds is {folds!r}: it must be 0 for none, or a whole '
      'number of at least 2.'
    )
  if folds and config.study.measure != 'validation':
    raise UsageError(
      f'config.study.folds={folds} measures on held-out images: set '
      "config.study.measure to 'validation', or the folds to 0."
    )
