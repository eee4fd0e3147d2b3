"""Writes trained methods as models for other programs."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from afgan_jax import __version__
from afgan_jax.artefact.layout import ONNX
from afgan_jax.export.program import (
  build_program,
  default_threshold,
  describe_inputs,
)
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import UsageError
from afgan_jax.system.extras import needed

FORMATS = ('onnx', 'stablehlo')


def write_model(
  folder: pathlib.Path,
  config: ConfigDict,
  variables: Any,
  calibration: Calibration,
  formats: Sequence[str] = ('onnx',),
) -> None:
  """Writes the model of a detector in one or more formats.

  Inputs and outputs are those of `program.build_program`. Nothing is written
  if a format is impossible.

  Args:
    folder: that exists. It gets `model.onnx`, with `model.onnx.data` if the
      weights are large, and `model_b<n>.stablehlo` for batches of n images.
    config: see `configs/default.py`.
    variables: `TrainState.scoring_variables`.
    calibration: of the detector; `model.onnx` has its threshold as the default.
    formats: some of `FORMATS`.

  Raises:
    UsageError: if a format is unknown, its package is not installed, or the
      method cannot be converted to it; the message names it.
    OSError: if a file cannot be written.
  """
  for name in formats:
    if name not in FORMATS:
      raise UsageError(
        f'There is no format {name!r}: give some of {", ".join(FORMATS)}.'
      )
  model = None
  if 'onnx' in formats:
    model = _convert(config, variables, calibration)
  if 'stablehlo' in formats:
    from afgan_jax.export import stablehlo

    stablehlo.write(folder, config, variables, calibration)
  if model is not None:
    from afgan_jax.export.onnx.store import write

    write(model, folder / ONNX)


def _convert(
  config: ConfigDict, variables: Any, calibration: Calibration
) -> Any:
  """Converts a detector to ONNX."""
  with needed('The format onnx', 'export'):
    from afgan_jax.export.onnx.convert import convert
  from afgan_jax.export.onnx.value import Unsupported

  try:
    return convert(
      build_program(config, variables, calibration),
      describe_inputs(config),
      name=config.method,
      defaults={'threshold': default_threshold(calibration)},
      properties=_properties(config, calibration),
    )
  except Unsupported as error:
    raise UsageError(
      f'config.method {config.method!r} cannot be converted to ONNX: {error}.'
    ) from error


def _properties(config: ConfigDict, calibration: Calibration) -> dict[str, str]:
  """Describes a model in words that other programs can show."""
  return {
    'name': config.method,
    'version': __version__,
    'image_size': str(config.image_size),
    'threshold': repr(calibration.threshold),
    'pixel_threshold': repr(calibration.pixel_threshold),
    'calibration': calibration.digest,
    'score': json.dumps(calibration.score, sort_keys=True),
  }
