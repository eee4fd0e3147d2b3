"""Makes the JSON of predictions and of models."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.responses import Response

from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.service import pictures
from afgan_jax.service.images import formats
from afgan_jax.service.limits import Limits
from afgan_jax.service.loaded import version_of
from afgan_jax.service.models import Model

if TYPE_CHECKING:  # Its module imports JAX.
  from afgan_jax.detector import Detector

_MOST_BINS = 40


def json_response(
  content: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
  """Makes a response of JSON; raises ValueError for numbers not finite."""
  body = json.dumps(content, ensure_ascii=False, allow_nan=False)
  return Response(body, status, headers, 'application/json')


def describe_prediction(
  detector: 'Detector',
  prepared: PreparedImage,
  score: float,
  values: np.ndarray,
  *,
  with_map: bool = False,
  with_overlay: bool = False,
) -> dict[str, Any]:
  """Describes the prediction for an image.

  Args:
    detector: with the threshold that counts.
    prepared: the image.
    score: its score.
    values: its anomaly map.
    with_map: whether to add the map as a picture.
    with_overlay: whether to add the overlay; `prepared` has its original.

  Returns:
    JSON values.
  """
  prediction = detector.interpret(prepared, score, values, with_map=False)
  calibration = detector.require_calibration()
  answer: dict[str, Any] = {
    'score': prediction.score,
    'probability': prediction.probability,
    'verdict': prediction.verdict,
    'threshold': calibration.threshold,
    'pixel_threshold': calibration.pixel_threshold,
    'regions': prediction.regions,
    'width': prepared.frame.width,
    'height': prepared.frame.height,
    'note': prediction.note,
  }
  if with_map or with_overlay:
    restored = pictures.restore(prepared.frame, values)
    if with_map:
      answer['map'] = pictures.map_picture(restored)
    if with_overlay:
      answer['overlay'] = pictures.overlay_picture(
        prepared.original, restored, calibration.pixel_threshold
      )
  return answer


def describe_model(model: Model, limits: Limits) -> dict[str, Any]:
  """Describes a model in service, for `/api/models`."""
  detector = model.detector
  calibration = detector.require_calibration()
  own = model.loaded.detector.require_calibration()
  preprocessor = model.loaded.preprocessor
  return {
    'name': model.name,
    'version': version_of(detector),
    'step': detector.step,
    'threshold': calibration.threshold,
    'pixel_threshold': calibration.pixel_threshold,
    'model_threshold': own.threshold,
    'probability': {
      'threshold': calibration.threshold,
      'scale': calibration.scale,
    },
    'false_reject_rate': calibration.false_reject_rate,
    'num_images': calibration.num_images,
    'guarantee': calibration.guarantee(),
    'good_scores': histogram(own.good_scores),
    'image_size': preprocessor.size,
    'geometry': preprocessor.geometry.kind,
    'limits': {
      'bytes': limits.max_bytes,
      'pixels': preprocessor.decoder.max_pixels,
    },
    'formats': formats(),
    'problem': model.problem or None,
    'drift': model.loaded.drift.report().sentence or None,
  }


def histogram(good_scores: Sequence[float]) -> dict[str, list] | None:
  """Counts the scores of held-out good images in bins of equal width.

  Args:
    good_scores: [n]; empty if they are not known.

  Returns:
    'edges', one more than 'counts'; None for no scores.
  """
  if not len(good_scores):
    return None
  scores = np.asarray(good_scores, np.float64)
  count = min(max(int(np.sqrt(len(scores))) + 1, 5), _MOST_BINS)
  counts, edges = np.histogram(scores, count)
  return {'edges': edges.tolist(), 'counts': counts.tolist()}
