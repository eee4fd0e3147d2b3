"""Exports trained methods as StableHLO, XLA's portable programs."""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import export
from ml_collections import ConfigDict

from afgan_jax.export.program import build_program, describe_inputs
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import UsageError
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


def load_stablehlo(
  path: str | pathlib.Path,
) -> Callable[..., dict[str, jax.Array]]:
  """Loads a model that `write` wrote.

  Args:
    path: of the file.

  Returns:
    A function of the keyword arguments 'pixels', for as many images as the
    file's name says, 'threshold' and, if the model has one, 'region', to the
    outputs of `program.build_program`.

  Raises:
    UsageError: if the file is no such model.
  """
  try:
    exported = export.deserialize(bytearray(pathlib.Path(path).read_bytes()))
  except OSError:
    raise
  except Exception as error:  # Of the parser, of many types.
    raise UsageError(f'{path} is no StableHLO model.') from error
  ((described,), _) = jax.tree.unflatten(exported.in_tree, exported.in_avals)
  call = jax.jit(exported.call)

  def score(**inputs: Any) -> dict[str, jax.Array]:
    return call(
      {
        name: np.asarray(inputs[name], aval.dtype)
        for name, aval in described.items()
      }
    )

  return score
