"""Describes an exported detector for `detector.json`."""

import pathlib
import platform
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.artefact.layout import FORMAT, FORMAT_VERSION, ONNX, ROI, sha256
from afgan_jax.config.store import digest
from afgan_jax.detector import Detector
from afgan_jax.metrics.calibration_file import to_fields
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.versions import installed_versions

_SUFFIXES = {'onnx': ('.onnx', '.onnx.data'), 'stablehlo': ('.stablehlo',)}


def describe(
  name: str,
  detector: Detector,
  folder: pathlib.Path,
) -> dict[str, Any]:
  """Describes an exported detector whose models are written.

  Args:
    name: of the run.
    detector: the trained one, with a threshold.
    folder: that holds the models.

  Returns:
    The content of `detector.json`.
  """
  config, calibration = detector.config, detector.require_calibration()
  return {
    'format': FORMAT,
    'format_version': FORMAT_VERSION,
    'name': name,
    'step': detector.step,
    'method': config.method,
    'model': digest(config),
    'parameters': detector.parameters,
    'versions': installed_versions('onnx', 'pillow')
    | {'python': platform.python_version()},
    'preprocessing': _preprocessing(config),
    'threshold': calibration.threshold,
    'pixel_threshold': calibration.pixel_threshold,
    'guarantee': calibration.guarantee(),
    'good_score_deviation': deviation(calibration),
    'calibration': to_fields(calibration),
    'models': _models(folder),
    'config': portable(config),
  }


def deviation(calibration: Calibration) -> float:
  """Returns the standard deviation of good scores, the unit of differences.

  Without their scores it is the scale of the probabilities, which comes from
  them too.
  """
  scores = np.array(calibration.good_scores)
  spread = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
  return spread or calibration.scale


def portable(config: ConfigDict) -> dict[str, Any]:
  """Returns the fields of a config without paths of this machine.

  A folder with a region of interest for each image stays where it is.
  """
  fields = config.copy_and_resolve_references().to_dict()
  fields['data']['path'] = ''
  roi = pathlib.Path(config.data.roi)
  if config.data.roi:
    fields['data']['roi'] = str(roi.absolute()) if roi.is_dir() else ROI
  return fields


def _preprocessing(config: ConfigDict) -> dict[str, Any]:
  """Describes how an image becomes the pixels that the model takes."""
  preprocessor = Preprocessor.from_config(config)
  geometry = preprocessor.geometry
  return {
    'image_size': preprocessor.size,
    'geometry': geometry.kind,
    'window': list(geometry.window),
    'scale': geometry.scale,
    'template': geometry.template,
    'white': config.data.white,
    'normalize_brightness': config.data.normalize_brightness,
    'normalize_light': config.data.normalize_light,
    'region_of_interest': bool(config.data.roi),
    'max_pixels': config.data.max_pixels,
    'channels': 'RGB',
    'layout': 'NHWC',
    'range': [0, 255],
    'resize': 'Pillow, antialiased bilinear; rounded to float16',
  }


def _models(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
  """Lists the files of the models with their SHA-256."""
  models = {}
  for kind, suffixes in _SUFFIXES.items():
    paths = sorted(p for p in folder.iterdir() if p.name.endswith(suffixes))
    if paths:
      models[kind] = {'files': {path.name: sha256(path) for path in paths}}
  if 'onnx' in models:
    models['onnx'] |= _describe_onnx(folder / ONNX)
  return models


def _describe_onnx(path: pathlib.Path) -> dict[str, Any]:
  """Describes inputs and outputs of a model; axes with a name are free."""
  import onnx

  graph = onnx.load(path, load_external_data=False).graph
  return {
    'inputs': {value.name: _describe_value(value) for value in graph.input},
    'outputs': {value.name: _describe_value(value) for value in graph.output},
  }


def _describe_value(value: Any) -> dict[str, Any]:
  import onnx

  kind = value.type.tensor_type
  dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
  shape = [axis.dim_value or axis.dim_param for axis in kind.shape.dim]
  return {'dtype': str(dtype), 'shape': shape}
