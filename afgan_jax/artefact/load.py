"""Loads all that a detector consists of from an exported one."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from afgan_jax.artefact import artefact, runtimes
from afgan_jax.preprocessing.preprocessor import Preprocessor


def load_fields(
  folder: pathlib.Path,
  given: Callable[..., Any] | None = None,
  runtime: str | None = None,
  fields: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Loads the fields of a `Detector` from an exported one.

  Args:
    folder: of the exported detector.
    given: see `artefact.read`.
    runtime: see `runtimes.load`.
    fields: see `artefact.read`.

  Returns:
    The fields by name.

  Raises:
    UsageError: if it is damaged, a field may not be set, or no runtime is
      installed.
  """
  exported = artefact.read(folder, given, fields)
  name, run = runtimes.load(exported, runtime)
  return {
    'config': exported.config,
    'step': exported.step,
    'preprocessor': Preprocessor.from_config(exported.config),
    'score': runtimes.make_scorer(exported, run),
    'calibration': exported.calibration,
    'runtime': name,
    'parameters': exported.content.get('parameters'),
  }
