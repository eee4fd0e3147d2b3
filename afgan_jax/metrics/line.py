"""Computes error rates of an inspection line at the calibrated threshold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from afgan_jax.metrics.evaluation import GOOD
from afgan_jax.metrics.threshold import Calibration


def line_figures(
  calibration: Calibration,
  scores: np.ndarray,
  defect_types: Sequence[str],
) -> dict[str, Any]:
  """Computes the error rates at the calibrated threshold.

  Args:
    calibration: of the model.
    scores: of the test images, [n].
    defect_types: 'good' or the name of the defect, one per image.

  Returns:
    'threshold'; 'threshold_source', where it comes from, in words;
    'num_calibration_images' behind it; 'promised_false_reject_rate', the
    guaranteed bound, None for a threshold set by hand; 'false_reject_rate', the
    share of good images rejected; 'missed_rate', the share of defective images
    not detected, and 'missed_rate_by_type'. A rate of no images is None.
  """
  rejected = scores > calibration.threshold
  types = np.array(defect_types)

  def rate(selected: np.ndarray, values: np.ndarray) -> float | None:
    return float(values[selected].mean()) if selected.any() else None

  return {
    'threshold': calibration.threshold,
    'threshold_source': calibration.source(),
    'num_calibration_images': 0
    if calibration.by_hand
    else calibration.num_images,
    'promised_false_reject_rate': calibration.guaranteed_rate,
    'false_reject_rate': rate(types == GOOD, rejected),
    'missed_rate': rate(types != GOOD, ~rejected),
    'missed_rate_by_type': {
      str(kind): rate(types == kind, ~rejected)
      for kind in sorted(set(defect_types) - {GOOD})
    },
  }
