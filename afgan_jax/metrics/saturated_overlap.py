"""Computes the saturated per-region overlap (sPRO) of MVTec LOCO AD.

Bergmann, Batzner, Fauser, Sattlegger and Steger, "Beyond Dents and Scratches:
Logical Constraints in Unsupervised Anomaly Detection and Localization", IJCV
130, 2022, §4. A defect such as a missing part has no sharp outline, so it
counts as found if a part of its mask is found: the saturation area. Each mask
is one defect, whether or not it is connected, and masks may overlap.
"""

from collections.abc import Sequence

import numpy as np

from afgan_jax.metrics.pixel_curves import (
  count_above,
  curve,
  last_of_equals,
  mean_height,
)
from afgan_jax.metrics.pixel_scores import checked_maps, defect_free_scores
from afgan_jax.preprocessing.defect_masks import DefectMask

# False-positive rates up to which the published evaluation integrates.
LIMITS = (0.01, 0.05, 0.1, 0.3, 1.0)
_MEAN = 'mean'


def saturated_overlap(
  maps: np.ndarray,
  masks: np.ndarray,
  has_mask: np.ndarray,
  defect_types: Sequence[str],
  defects: Sequence[Sequence[DefectMask]],
) -> dict[str, dict[str, float]]:
  """Computes AU-sPRO of each type of defect, and the mean of the types.

  sPRO at a threshold is min(found area / saturation area, 1), averaged over
  the defects. It is integrated over the false-positive rate of all defect-free
  pixels, of good images and of those of the type, from 0 to each of `LIMITS`,
  and divided by the limit. Nothing is binned; see `image.pixel_metrics` for
  equal scores.

  Args:
    maps: float32 [n, height, width], higher for more anomalous pixels.
    masks: of all defects together, uint8 [n, height, width].
    has_mask: bool [n], True for good images too; images without a mask are
      left out.
    defect_types: [n].
    defects: for each image the masks of its defects, [height, width]; empty for
      good images.

  Returns:
    By type of defect, in alphabetical order, 'au_spro_<limit>'; then 'mean'.
    Types without a defective or a defect-free pixel are left out, and 'mean' is
    with them.

  Raises:
    ValueError: if the shapes do not match or a score is not finite.
  """
  maps, masks, has_mask = checked_maps(maps, masks, has_mask)
  defective = np.array([len(found) > 0 for found in defects])
  (good,) = np.nonzero(has_mask & ~masks.any(axis=(1, 2)))
  good_scores = defect_free_scores(maps, masks, good)
  results = {}
  types = np.asarray(defect_types, str)
  for name in sorted(set(types[defective].tolist())):
    (bad,) = np.nonzero(has_mask & defective & (types == name))
    rest = defect_free_scores(maps, masks, bad)
    found = _sort_by_score(maps, [(i, defects[i]) for i in bad.tolist()])
    if len(bad) and good_scores.size + rest.size:
      results[name] = _areas(good_scores, rest, *found)
  if results:
    results[_MEAN] = _mean(list(results.values()))
  return results


def _mean(results: list[dict[str, float]]) -> dict[str, float]:
  return {
    name: float(np.mean([values[name] for values in results]))
    for name in results[0]
  }


def _sort_by_score(
  maps: np.ndarray, defects: list[tuple[int, Sequence[DefectMask]]]
) -> tuple[np.ndarray, np.ndarray]:
  """Sorts the pixels of all defects.

  Args:
    maps: [n, height, width].
    defects: indices of images and the masks of their defects.

  Returns:
    The scores in descending order, and how much each pixel adds to sPRO. A
    pixel counts once for each defect that contains it.
  """
  scores, shares = [np.empty(0, maps.dtype)], [np.empty(0)]
  number = sum(len(masks) for _, masks in defects)
  for image, masks in defects:
    for mask, saturation in masks:
      descending = np.sort(maps[image][mask])[::-1]
      area = saturation * descending.size
      found = np.minimum(np.arange(descending.size + 1) / area, 1)
      scores.append(descending)
      shares.append(np.diff(found) / number)
  scores = np.concatenate(scores)
  order = np.argsort(-scores, kind='stable')
  return scores[order], np.concatenate(shares)[order]


def _areas(
  good: np.ndarray, rest: np.ndarray, scores: np.ndarray, shares: np.ndarray
) -> dict[str, float]:
  """Integrates sPRO over the false-positive rate.

  Args:
    good: scores of the pixels of good images, ascending.
    rest: scores of the defect-free pixels of defective images, ascending.
    scores: of the pixels of defects, descending.
    shares: see `_sort_by_score`.
  """
  ends = last_of_equals(scores)
  above, at_least = count_above(good, scores[ends])
  more_above, more_at_least = count_above(rest, scores[ends])
  above += more_above
  at_least += more_at_least
  # The sum may exceed 1 by a rounding error.
  found = np.minimum(np.cumsum(shares)[ends], 1)
  corners = curve(above, at_least, good.size + rest.size, found)
  return {
    f'au_spro_{limit}': mean_height(*corners, 0.0, limit) for limit in LIMITS
  }
