"""Figures of an inspection line at the calibrated threshold."""

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
  """Computes what a line would see at the calibrated threshold.

  Args:
    calibration: of the model.
    scores: of the test images, [n].
    defect_types: 'good' or the name of the defect, one per image.

  Returns:
    The threshold, what it promised, the share of good images that it rejects
    ('false_reject_rate', None without any) and the share of defective ones
    that it lets pass ('missed_rate', and by type 'missed_rate_by_type').
  """
  rejected = scores > calibration.threshold
  types = np.array(defect_types)

  def share(chosen: np.ndarray, values: np.ndarray) -> float | None:
    return float(values[chosen].mean()) if chosen.any() else None

  return {
    'threshold': calibration.threshold,
    'num_calibration_images': calibration.num_images,
    'promised_false_reject_rate': calibration.guaranteed_rate,
    'false_reject_rate': share(types == GOOD, rejected),
    'missed_rate': share(types != GOOD, ~rejected),
    'missed_rate_by_type': {
      str(kind): share(types == kind, ~rejected)
      for kind in sorted(set(defect_types) - {GOOD})
    },
  }
