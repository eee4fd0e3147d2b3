"""Builds the function that is exported: from pixels to a verdict."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.methods.maps import limit_scores
from afgan_jax.methods.registry import build_score
from afgan_jax.metrics.threshold import Calibration

Outputs = dict[str, jax.Array]
# Shape, with None for the number of images, and type.
Description = tuple[tuple[int | None, ...], Any]


def describe_inputs(config: ConfigDict) -> dict[str, Description]:
  """Describes the inputs of the exported function.

  Args:
    config: see `configs/default.py`.

  Returns:
    Shape and type by name: 'pixels', float32 in [0, 255]; 'region', True in the
    region of interest, if `config.data.roi` is set; and 'threshold'.
  """
  size = config.image_size
  inputs: dict[str, Description] = {
    'pixels': ((None, size, size, 3), np.dtype(np.float32))
  }
  if config.data.roi:
    inputs['region'] = ((None, size, size), np.dtype(np.bool_))
  return inputs | {'threshold': ((), np.dtype(np.float32))}


def default_threshold(calibration: Calibration) -> np.float32:
  """Returns the default of 'threshold', with the verdicts of the calibration.

  It is the calibrated threshold or the float32 below it: scores are float32,
  and none lies between the two.
  """
  rounded = np.float32(calibration.threshold)
  if float(rounded) > calibration.threshold:
    return np.nextafter(rounded, np.float32(-np.inf))
  return rounded


def build_program(
  config: ConfigDict, variables: Any, calibration: Calibration
) -> Callable[..., Outputs]:
  """Builds the function that is exported.

  Args:
    config: see `configs/default.py`.
    variables: `TrainState.scoring_variables`.
    calibration: gives the scale of probabilities.

  Returns:
    A function from the inputs of `describe_inputs` to the method's scores, see
    `methods.base.Scores`, limited to the region; and to
    'verdict', bool [n], True for defective images; and 'probability', float32
    [n], 0.5 at the threshold.
  """
  score = build_score(config)
  scale = np.float32(calibration.scale)

  def program(
    pixels: jax.Array, threshold: jax.Array, region: jax.Array | None = None
  ) -> Outputs:
    scores = score(variables, pixels)
    if region is not None:
      scores = limit_scores(config, scores, region)
    excess = (scores['score'] - threshold) / scale
    return {
      **scores,
      'probability': 0.5 * (1 + jnp.tanh(excess / 2)),
      'verdict': scores['score'] > threshold,
    }

  return program
