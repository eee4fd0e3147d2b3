"""Tells textures from objects by good images alone.

On a texture no place differs from another: on the mean of many images each
place has about the same contrast, and no structure remains. An object has a
plain background around it, or shows the same structures at the same places.
Images of a part that lies at many places or in many directions are alike once
they are aligned.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.registration import correlate

# Objects had an evenness of 0.03 to 0.09, textures 0.58 to 0.96, see
# docs/recipe.md#texture-object-or-long-part.
_LEAST_EVENNESS = 0.3
# Textures had 0.00 to 0.11, aligned objects 0.26 and 0.96.
_MOST_FIXED = 0.2
_SIZE, _BLOCKS = 128, 8


class Appearance(NamedTuple):
  """What good images have in common.

  Attributes:
    evenness: mean contrast of the calmest of 8×8 places over that of the
      busiest one, in [0, 1].
    fixed: share of the variance of pixels that is the same on all images,
      without smooth light; at most 1.
  """

  evenness: float
  fixed: float

  @property
  def is_texture(self) -> bool:
    """True if no place differs from another."""
    return self.evenness >= _LEAST_EVENNESS and self.fixed <= _MOST_FIXED


def measure_alignment_gain(
  fixed: Sequence[np.ndarray], centred: Sequence[np.ndarray]
) -> float:
  """Measures how much more alike good images are once their parts are aligned.

  Args:
    fixed: of at least two images, around one place, see
      `registration.polar_profile`.
    centred: of the same images, around their parts.

  Returns:
    The share of the differences between two images, 1 − Pearson's correlation
    and means over all pairs, that moving and turning one of them removes; at
    most 1.
  """
  pairs = list(itertools.combinations(range(len(fixed)), 2))
  before = [1 - correlate(fixed[i], fixed[j])[0] for i, j in pairs]
  after = [1 - correlate(centred[i], centred[j]).max() for i, j in pairs]
  return float(1 - sum(after) / max(sum(before), 1e-6))


def measure_appearance(thumbnails: Sequence[np.ndarray]) -> Appearance:
  """Measures what good images have in common.

  Args:
    thumbnails: of at least two images, see `thumbnail`.
  """
  grey = np.stack(thumbnails)
  return Appearance(_evenness(grey), _fixed(grey))


def thumbnail(image: np.ndarray) -> np.ndarray:
  """Reduces an image for `measure_appearance`.

  Args:
    image: uint8 [height, width, 3].

  Returns:
    Its intensities, float64 [128, 128], whatever its proportions.
  """
  grey = Image.fromarray(image).convert('L')
  return np.asarray(grey.resize((_SIZE, _SIZE), Image.Resampling.BOX), float)


def _evenness(grey: np.ndarray) -> float:
  """Returns the least over the largest mean gradient of 8×8 places."""
  down, across = (np.abs(np.diff(grey, axis=axis)) for axis in (1, 2))
  side = (_SIZE - 1) // _BLOCKS
  end = side * _BLOCKS
  steps = (down[:, :, :-1] + across[:, :-1])[:, :end, :end]
  shape = (len(grey), _BLOCKS, side, _BLOCKS, side)
  places = steps.reshape(shape).mean(axis=(2, 4))
  # Each image counts the same, whatever its contrast.
  totals = places.mean(axis=(1, 2), keepdims=True)
  mean = (places / np.maximum(totals, 1e-6)).mean(axis=0)
  return float(mean.min() / max(mean.max(), 1e-6))


def _fixed(grey: np.ndarray) -> float:
  """Returns the share of variance that images have in common, 0 for none."""
  count, half = len(grey), _SIZE // 2
  small = grey.reshape(count, half, 2, half, 2).mean(axis=(2, 4))
  # Without the mean and smooth light, which a lamp gives to a texture.
  axis = np.linspace(-1, 1, half)
  y, x = (part.ravel() for part in np.meshgrid(axis, axis, indexing='ij'))
  smooth = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)
  basis, _ = np.linalg.qr(smooth)
  pixels = small.reshape(count, -1)
  pixels = pixels - pixels @ basis @ basis.T
  mean = pixels.mean(axis=0)
  within = ((pixels - mean) ** 2).sum() / (count - 1) / pixels.shape[1]
  # The mean of images that have nothing in common has some variance, too.
  common = max((mean**2).mean() - within / count, 0.0)
  return float(common / max(common + within, 1e-6))
