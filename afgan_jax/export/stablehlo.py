"""Exports trained methods as StableHLO, XLA's portable programs."""

import pathlib
from typing import Any

import jax
from jax import export
from ml_collections import ConfigDict

from afgan_jax.export.program import build_program, describe_inputs
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.files import replacing

PLATFORMS = ('cpu', 'cuda', 'tpu')


def write(
  folder: pathlib.Path,
  config: ConfigDict,
  variables: Any,
  calibration: Calibration,
) -> None:
  """Writes the model for batches of 1 and of `config.score.batch_size` images.

  Args:
    folder: that exists; it gets `model_b<n>.stablehlo` for batches of n images.
    config: see `configs/default.py`.
    variables: `TrainState.scoring_variables`.
    calibration: of the detector.

  Raises:
    OSError: if a file cannot be written.
  """
  program = build_program(config, variables, calibration)
  exported = jax.jit(lambda inputs: program(**inputs))
  contents = {}
  for size in sorted({1, config.score.batch_size}):
    inputs = {
      name: jax.ShapeDtypeStruct(
        tuple(size if n is None else n for n in shape), dtype
      )
      for name, (shape, dtype) in describe_inputs(config).items()
    }
    model = export.export(exported, platforms=PLATFORMS)(inputs)
    contents[f'model_b{size}.stablehlo'] = model.serialize()
  for name, content in contents.items():
    with replacing(folder / name) as temporary:
      temporary.write_bytes(content)
