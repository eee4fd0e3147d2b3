"""Runs exported StableHLO models with JAX."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from afgan_jax.artefact.artefact import Artefact
from afgan_jax.system.errors import UsageError

_NAME = re.compile(r'model_b(\d+)\.stablehlo')


def load(artefact: Artefact) -> Callable[[dict[str, Any]], dict[str, Any]]:
  """Loads the models of an exported detector, see `runtimes.load`."""
  models = {}
  for name in artefact.models['stablehlo']['files']:
    found = _NAME.fullmatch(name)
    if found:
      models[int(found[1])] = load_stablehlo(artefact.folder / name)

  def run(inputs: dict[str, Any]) -> dict[str, Any]:
    count = len(inputs['pixels'])
    # Each model takes a fixed number of images.
    size = min((n for n in models if n >= count), default=max(models))
    results = []
    for start in range(0, count, size):
      batch = {
        name: _pad(value[start : start + size], size) if value.ndim else value
        for name, value in inputs.items()
      }
      results.append(models[size](**batch))
    return {
      name: np.concatenate([result[name] for result in results])[:count]
      for name in results[0]
    }

  return run


def _pad(values: np.ndarray, size: int) -> np.ndarray:
  """Repeats the last image until there are `size` of them."""
  return np.concatenate(
    [values, np.repeat(values[-1:], size - len(values), axis=0)]
  )


def load_stablehlo(
  path: str | pathlib.Path,
) -> Callable[..., dict[str, Any]]:
  """Loads a model that `export.stablehlo.write` wrote.

  Args:
    path: of the file.

  Returns:
    A function of the keyword arguments 'pixels', for as many images as the
    file's name says, 'threshold' and, if the model has one, 'region', to the
    outputs of `export.program.build_program`.

  Raises:
    UsageError: if the file is no such model.
  """
  import jax
  from jax import export

  try:
    exported = export.deserialize(bytearray(pathlib.Path(path).read_bytes()))
  except OSError:
    raise
  except Exception as error:  # Of the parser, of many types.
    raise UsageError(f'{path} is no StableHLO model.') from error
  ((described,), _) = jax.tree.unflatten(exported.in_tree, exported.in_avals)
  call = jax.jit(exported.call)

  def score(**inputs: Any) -> dict[str, Any]:
    return call(
      {
        name: np.asarray(inputs[name], aval.dtype)
        for name, aval in described.items()
      }
    )

  return score
