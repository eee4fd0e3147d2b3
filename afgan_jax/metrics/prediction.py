"""Makes a prediction from the score and the anomaly map of an image."""

import dataclasses

import numpy as np

from afgan_jax.metrics.regions import Region, find_in_image
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.prepared import PreparedImage

_NO_REGION = (
  'defective by its score as a whole: no pixel of the map is above the pixel '
  'threshold, so there is no region'
)


@dataclasses.dataclass(frozen=True)
class Prediction:
  """Prediction for one image.

  Attributes:
    score: anomaly score; larger is more anomalous.
    probability: of a defect, in [0, 1]; 0.5 at the threshold.
    verdict: 'good' or 'defective'.
    anomaly_map: float32 [height, width], at the size of the original image;
      None only from `Detector.interpret(..., with_map=False)`.
    regions: of a defective image, where its map is above the pixel threshold,
      by descending area, in pixels of the original image; none of a good one.
    note: a remark on the image for the user, or ''.
    region_threshold: the map is above it in the regions; None without regions.
  """

  score: float
  probability: float
  verdict: str
  anomaly_map: np.ndarray | None
  regions: list[Region]
  note: str = ''
  region_threshold: float | None = None


def interpret(
  calibration: Calibration,
  prepared: PreparedImage,
  score: float,
  values: np.ndarray,
  *,
  with_map: bool = True,
) -> Prediction:
  """Makes the prediction for one image.

  Args:
    calibration: the thresholds.
    prepared: the image.
    score: its score.
    values: its anomaly map, [rows, columns].
    with_map: whether to restore the map to the size of the image.

  Returns:
    The prediction.
  """
  frame = prepared.frame
  defective = score > calibration.threshold
  regions, region_threshold = [], None
  if defective:
    regions, region_threshold = find_in_image(frame, values, calibration)
  notes = [prepared.note] if prepared.note else []
  if defective and not regions:
    notes.append(_NO_REGION)
  return Prediction(
    score=float(score),
    probability=float(calibration.probability(np.asarray(score))),
    verdict='defective' if defective else 'good',
    anomaly_map=frame.restore(values) if with_map else None,
    regions=regions,
    note='; '.join(notes),
    region_threshold=region_threshold,
  )
