"""Implements the commands for exported detectors and services."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afgan_jax.artefact.layout import is_artefact
from afgan_jax.cli import definitions, serve_flags
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Data
from afgan_jax.system.errors import UsageError
from afgan_jax.system.extras import needed

if TYPE_CHECKING:
  from afgan_jax.config.store import Given
  from afgan_jax.jobs.export_check import Comparison

_FOLDER = 'exported'


def export(
  given: Given,
  workdir: pathlib.Path,
  data: Data,
  output: pathlib.Path | None,
  *,
  overwrite: bool,
) -> None:
  """Exports a run and prints how the exported model agrees with it.

  Raises:
    UsageError: if the run cannot be exported, or a runtime does not agree.
  """
  with needed('--mode=export', 'export'):
    from afgan_jax.jobs.export import export
  output = output or workdir / _FOLDER
  formats = definitions.FORMAT.value
  comparisons = export(
    given, workdir, data, output, formats, overwrite=overwrite
  )
  print(f'The exported detector is {output}.')
  if definitions.CHECK.value:
    _print(comparisons)


def check(folder: pathlib.Path) -> None:
  """Compares an exported detector in all installed runtimes; prints each.

  Raises:
    UsageError: if one does not agree with the trained detector.
  """
  from afgan_jax.jobs.export_check import check, require_agreement

  comparisons = check(folder)
  _print(comparisons)
  require_agreement(folder, comparisons)


def _print(comparisons: list[Comparison]) -> None:
  for comparison in comparisons:
    print(comparison.describe())


def serve(start_jax: Callable[[str], None]) -> None:
  """Serves exported detectors or trained runs over HTTP, until a signal.

  Args:
    start_jax: configures the process for JAX; called if a trained run is
      served.

  Raises:
    UsageError: if a model cannot be served, or the address is in use.
  """

  def load(folder: str | os.PathLike[str]) -> Detector:
    if is_artefact(pathlib.Path(folder)):
      return Detector.load(folder)
    if not (pathlib.Path(folder) / 'checkpoints').is_dir():
      raise UsageError(
        f'{folder} holds neither an exported detector nor a trained run.'
      )
    with needed(f'{folder} is a trained run, which', 'train'):
      start_jax('serve')
    # Without padding: a service waits for the company of an image only shortly.
    fields: dict[str, Any] = {'score.batch_size': 1}
    return Detector.load(folder, **fields)

  serve_flags.serve_by_flags(load)
