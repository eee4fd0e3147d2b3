"""Resamples test images for confidence intervals of the image metrics."""

import numpy as np


def resample_counts(
  labels: np.ndarray,
  num_resamples: int,
  seed: int,
  parts: np.ndarray | None = None,
) -> np.ndarray:
  """Draws bootstrap resamples, stratified by class.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one; both occur.
    num_resamples: number of resamples.
    seed: of the resampling.
    parts: the part that each image shows, [n]; images of a part are then drawn
      together, and parts are stratified by the classes of their images. None to
      draw single images.

  Returns:
    How often each image is in each resample, int64 [num_resamples, n].
  """
  if parts is None:
    units, unit_of = np.arange(len(labels)), np.arange(len(labels))
  else:
    units, unit_of = np.unique(parts, return_inverse=True)
  classes = np.zeros(len(units), np.int64)
  np.bitwise_or.at(classes, unit_of, labels + 1)  # 3 for both.
  counts = np.zeros((num_resamples, len(units)), np.int64)
  rng = np.random.default_rng(seed)
  for stratum in (1, 2, 3):
    (members,) = np.nonzero(classes == stratum)
    if len(members):
      uniform = np.full(len(members), 1 / len(members))
      drawn = rng.multinomial(len(members), uniform, num_resamples)
      counts[:, members] = drawn
  return counts[:, unit_of]


def resampled_metrics(
  detected: np.ndarray, false_alarms: np.ndarray
) -> tuple[np.ndarray, ...]:
  """Computes the image metrics of each resample.

  Args:
    detected: int64 [num_resamples, num_thresholds], defective images at or
      above each threshold, thresholds descending to the lowest score.
    false_alarms: the same for good images.

  Returns:
    AUROC, average precision and the highest F1, each [num_resamples].
  """
  positives, negatives = detected[:, -1], false_alarms[:, -1]
  new_detected = np.diff(detected, prepend=0)
  new_false_alarms = np.diff(false_alarms, prepend=0)
  # Pairs in the right order; equal scores count half.
  pairs = (new_false_alarms * (detected - new_detected / 2)).sum(axis=1)
  # A resample may have no image above its first thresholds.
  precision = detected / np.maximum(detected + false_alarms, 1)
  f1 = 2 * detected / (detected + false_alarms + positives[:, None])
  return (
    pairs / (positives * negatives),
    (new_detected * precision).sum(axis=1) / positives,
    f1.max(axis=1),
  )
