"""Runs exported models with the runtimes that are installed.

Each runtime is imported only when it is used.
"""

import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from afgan_jax.artefact.artefact import Artefact
from afgan_jax.artefact.layout import ONNX
from afgan_jax.system.errors import UsageError, first_line

# Outputs of a model for a batch, by name, with a leading axis of images.
Outputs = dict[str, np.ndarray]
# From the inputs by name to the outputs.
Run = Callable[[dict[str, np.ndarray]], Outputs]
# Outputs that depend on the threshold, which a detector computes itself.
_OF_THRESHOLD = ('probability', 'verdict')


def installed() -> list[str]:
  """Returns the names of the installed runtimes, the preferred one first."""
  return [name for name, (module, *_) in _RUNTIMES.items() if _has(module)]


def load(artefact: Artefact, runtime: str | None = None) -> tuple[str, Run]:
  """Loads the model of an exported detector.

  Args:
    artefact: to be run; the files of its model are checked.
    runtime: a name of `installed`; None for the first one that can run it.

  Returns:
    The name of the runtime, and the function that runs the model.

  Raises:
    UsageError: if no runtime that can run it is installed, or the model cannot
      be loaded.
  """
  names = [runtime] if runtime else runtimes_for(artefact)
  if not names:
    needed = sorted(
      package
      for _, kind, package, _ in _RUNTIMES.values()
      if kind in artefact.models
    )
    raise UsageError(
      f'Nothing that runs {artefact.folder} is installed: install one of '
      f'{", ".join(needed)}.'
    )
  name = names[0]
  if name not in _RUNTIMES:
    raise UsageError(
      f'runtime={name!r}: it must be one of {", ".join(_RUNTIMES)}.'
    )
  module, kind, package, start = _RUNTIMES[name]
  if not _has(module):
    raise UsageError(f'{name} is not installed: install {package}.')
  artefact.check_files(kind)
  return name, start(artefact)


def runtimes_for(artefact: Artefact) -> list[str]:
  """Returns the installed runtimes that can run an artefact."""
  return [name for name in installed() if _RUNTIMES[name][1] in artefact.models]


def make_scorer(artefact: Artefact, run: Run) -> Callable[..., Outputs]:
  """Builds the function `Detector.score` of an exported model.

  Args:
    artefact: of the model.
    run: from `load`.

  Returns:
    Maps pixels in [0, 255], [n, size, size, 3], and optionally their regions
    of interest, bool [n, size, size], to scores.
  """
  size = artefact.config.score.batch_size
  threshold = np.array(artefact.calibration.threshold, np.float32)

  def score(pixels: np.ndarray, regions: np.ndarray | None = None) -> Outputs:
    results = []
    for start in range(0, len(pixels), size):
      batch = slice(start, start + size)
      inputs = {'pixels': np.asarray(pixels[batch], np.float32)}
      inputs['threshold'] = threshold
      if artefact.config.data.roi:
        inputs['region'] = _region(pixels[batch], regions, batch)
      results.append(run(inputs))
    return {
      name: np.concatenate([result[name] for result in results])
      for name in results[0]
      if name not in _OF_THRESHOLD
    }

  return score


def _region(
  pixels: np.ndarray, regions: np.ndarray | None, batch: slice
) -> np.ndarray:
  """Returns the regions of a batch, all of each image if there are none."""
  if regions is None:
    return np.ones(pixels.shape[:-1], bool)
  return regions[batch]


def _has(module: str) -> bool:
  return importlib.util.find_spec(module) is not None


def _start_onnxruntime(artefact: Artefact) -> Run:
  # Otherwise it keeps a record of its use for its makers.
  os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
  import onnxruntime

  path = artefact.folder / ONNX
  providers: list[Any] = ['CPUExecutionProvider']
  if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
    # TF32, its default, changes scores.
    providers.insert(0, ('CUDAExecutionProvider', {'use_tf32': 0}))
  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3  # It warns that the threshold is an input.
  try:
    session = onnxruntime.InferenceSession(path, options, providers=providers)
  # Its exceptions have no common base class.
  except Exception as error:
    raise _unusable(path, error) from error
  names = [output.name for output in session.get_outputs()]

  def run(inputs: dict[str, np.ndarray]) -> Outputs:
    return dict(zip(names, session.run(names, inputs), strict=True))

  return run


def _start_openvino(artefact: Artefact) -> Run:
  # Optional for OpenVINO: it would fork this process and call its makers.
  sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
  import openvino

  path = artefact.folder / ONNX
  try:
    core = openvino.Core()
    # Its default on some processors is bfloat16, which changes scores.
    precise = {'INFERENCE_PRECISION_HINT': 'f32'}
    model = core.compile_model(core.read_model(path), 'CPU', precise)
  except Exception as error:
    raise _unusable(path, error) from error
  # It gives an output the name of its operation as well.
  known_outputs = set(artefact.models['onnx']['outputs'])
  names = [min(output.names & known_outputs) for output in model.outputs]
  taken = {name for port in model.inputs for name in port.names}

  def run(inputs: dict[str, np.ndarray]) -> Outputs:
    known = {name: value for name, value in inputs.items() if name in taken}
    # A request of its own, since threads may score at the same time.
    results = model.create_infer_request().infer(known)
    return {
      name: np.array(results[output])
      for name, output in zip(names, model.outputs, strict=True)
    }

  return run


def _start_jax(artefact: Artefact) -> Run:
  from afgan_jax.artefact import stablehlo

  return stablehlo.load(artefact)


def _unusable(path: pathlib.Path, error: Exception) -> UsageError:
  return UsageError(f'{path} cannot be loaded ({first_line(error)}).')


# By name: the module that must be installed, the format of the model, the
# package to install, and the function that starts it. The first that is
# installed is used: it starts and scores one image fastest (see
# docs/performance.md).
_RUNTIMES: dict[str, tuple[str, str, str, Callable[[Artefact], Any]]] = {
  'onnxruntime': ('onnxruntime', 'onnx', 'onnxruntime', _start_onnxruntime),
  'openvino': ('openvino', 'onnx', 'openvino', _start_openvino),
  'stablehlo': ('jax', 'stablehlo', 'jax', _start_jax),
}
