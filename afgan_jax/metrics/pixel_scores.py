"""Collects and sorts the scores of defective and defect-free pixels."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from afgan_jax.preprocessing.prepared import is_defect


class Defects(NamedTuple):
  """The defective pixels of some images, by descending score.

  Attributes:
    scores: [num_pixels], descending.
    regions: int32 [num_pixels], index of each pixel's region.
    region_share: float64 [num_regions], how much one pixel of the region adds
      to the mean share found, over all regions.
    image_share: float64 [num_regions], the same for the mean over images.
  """

  scores: np.ndarray
  regions: np.ndarray
  region_share: np.ndarray
  image_share: np.ndarray


def checked_maps(
  maps: np.ndarray, masks: np.ndarray, has_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Converts the arguments of `pixel_metrics` to arrays and checks them.

  Args:
    maps: [n, height, width].
    masks: [n, height, width].
    has_mask: [n].

  Raises:
    ValueError: if the shapes do not match or a score is not finite.
  """
  maps, masks, has_mask = (np.asarray(a) for a in (maps, masks, has_mask))
  shape = maps.shape
  if len(shape) != 3 or masks.shape != shape or has_mask.shape != shape[:1]:
    raise ValueError(
      f'maps {shape} and masks {masks.shape} must be [n, height, width], '
      f'has_mask {has_mask.shape} [n]'
    )
  # One by one: a condition on all maps at once would be as large as they are.
  for index, image in enumerate(maps):
    if not np.isfinite(image).all():
      raise ValueError(f'maps are not finite: see map {index}')
  return maps, masks, has_mask.astype(bool)


def defect_free_scores(
  maps: np.ndarray, masks: np.ndarray, images: np.ndarray
) -> np.ndarray:
  """Sorts the scores of the defect-free pixels of some images.

  Args:
    maps: [n, height, width].
    masks: [n, height, width], 0 where defect-free.
    images: int [m], indices of the images.

  Returns:
    [num_pixels], ascending, of the type of `maps`.
  """
  count = sum(masks[i].size - np.count_nonzero(masks[i]) for i in images)
  scores = np.empty(count, maps.dtype)
  start = 0
  for i in images:
    chosen = maps[i][masks[i] == 0]
    scores[start : start + len(chosen)] = chosen
    start += len(chosen)
  scores.sort()
  return scores


def find_defects(
  maps: np.ndarray, masks: np.ndarray, images: np.ndarray
) -> Defects:
  """Collects the defective pixels of some images.

  Args:
    maps: [n, height, width].
    masks: [n, height, width], neither 0 nor `NOT_COUNTED` on a defect; a region
      is an 8-connected component of one mask.
    images: int [m], indices of the images. Images without a defective pixel
      do not count in the mean over images.
  """
  scores = [np.empty(0, maps.dtype)]
  regions = [np.empty(0, np.int32)]
  pixel_counts = [np.empty((0, 2), np.int64)]
  num_regions = num_images = 0
  for i in images:
    labels, count = ndimage.label(is_defect(masks[i]), np.ones((3, 3)))
    inside = labels > 0
    scores.append(maps[i][inside])
    regions.append(labels[inside] + np.int32(num_regions - 1))
    sizes = np.bincount(labels[inside], minlength=1)[1:]
    pixel_counts.append(np.stack([sizes, np.full(count, sizes.sum())], axis=1))
    num_regions += count
    num_images += count > 0
  scores = np.concatenate(scores)
  order = np.argsort(scores)[::-1]
  of_region, of_image = np.concatenate(pixel_counts).T
  return Defects(
    scores[order],
    np.concatenate(regions)[order],
    1 / (of_region * max(num_regions, 1)),
    1 / (of_image * max(num_images, 1)),
  )
