"""Decides which pixels of a mask are defective."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.levels import check_finite
from afgan_jax.preprocessing.open_image import convert
from afgan_jax.preprocessing.readers import Opened

# Labels up to this value are recognised without a look at their areas.
_MOST_SMALL = 32
# Values that mean 'not labelled' beside small labels, as in Pascal VOC.
_VOID = (255, 65535)
# Values of 8 bits nearer to the extremes, as a fraction of the range, may be
# noise, even in areas.
_NOISE = 1 / 16
# Labels have few values, soft edges many.
_FEW = 16
# Fraction of a mask that hardly any defect covers.
_NEARLY_ALL = 0.9
# Pixels below the threshold, per pixel above it, that are more than an edge.
_MANY_BELOW = 0.25


class MaskValues(NamedTuple):
  """A mask, one value a pixel.

  Attributes:
    values: [height, width], integers or floats.
    top: the largest value that the format allows; None if unknown.
    are_labels: whether values are labels by their format.
    is_lossy: whether the format changes values near edges.
  """

  values: np.ndarray
  top: float | None = None
  are_labels: bool = False
  is_lossy: bool = False


def mask_values(path: str, opened: Opened, white: float = 0.0) -> MaskValues:
  """Reduces a mask to one value a pixel.

  The index of a palette image, unless more than two colours are in use and all
  are grey, or black is not the first; otherwise the brightest channel. If
  transparency varies, transparent pixels are 0, and if all visible pixels have
  one colour, the transparency is the mask.

  Args:
    path: of the file, for messages.
    opened: the file.
    white: as in `Decoder`.

  Returns:
    The values.

  Raises:
    DataError: values are not finite.
  """
  if opened.image is None:
    levels = opened.levels
    check_finite(path, levels.values)
    values = _with_alpha(levels.values, levels.alpha)
    is_white = white and values.max() <= white
    return MaskValues(values, white if is_white else levels.white)
  image = opened.image
  if image.mode in ('P', 'PA') and _are_labels(image):
    return MaskValues(np.asarray(image.getchannel(0)), are_labels=True)
  has_alpha = 'A' in image.getbands() or 'transparency' in image.info
  if image.mode in ('1', 'L') and not has_alpha:
    return MaskValues(
      np.asarray(image.convert('L')), 255, False, opened.is_lossy
    )
  colors = convert(path, image, 'RGBA' if has_alpha else 'RGB')
  alpha = colors[..., 3] if has_alpha else None
  values = _with_alpha(colors[..., :3], alpha)
  return MaskValues(values, 255, False, opened.is_lossy)


def defective_pixels(mask: MaskValues) -> tuple[np.ndarray, str]:
  """Decides which pixels of a mask are defective.

  - One value: all pixels, unless it is 0. Two values: the larger.
  - Labels: all values above the smallest, the background. Values are labels in
    palette images, if all are integers up to 32, or if most pixels between the
    extremes lie in areas of one value, at least 3x3 pixels large. Beside other
    labels, 255 and 65535 mean 'not labelled' and do not count, unless labels
    are recognised by their areas.
  - Grey, with soft edges or noise: from half of the range on; of a mask whose
    values end below, from half of its largest value on. JPEG files are grey
    unless all values are up to 32.

  Args:
    mask: to decide on.

  Returns:
    bool [height, width], and a note for the user, or ''.
  """
  values = mask.values
  found = _distinct(values)
  low, high = found[0], found[-1]
  if len(found) <= 2:
    defective = values == high if high > low else values > 0
    return defective, _describe_cover(defective)
  small = found[~np.isin(found, _VOID)]
  are_small = values.dtype.kind in 'ui' and 0 < small[-1] <= _MOST_SMALL
  if are_small or mask.are_labels:
    defective = values > low
    for void in set(_VOID).intersection(found.tolist()):
      defective &= values != void
    notes = [_describe_void(values, found, small)]
  elif not mask.is_lossy and _are_areas(values, low, high):
    defective, notes = values > low, []
  else:
    top = mask.top if mask.top and high > mask.top / 2 else high
    defective = values >= top / 2
    notes = [_describe_grey(mask, defective, found)]
  notes.append(_describe_cover(defective))
  return defective, '; '.join(filter(None, notes))


def _with_alpha(colors: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
  brightest = colors if colors.ndim == 2 else colors.max(axis=-1)
  if alpha is None or alpha.min() == alpha.max():
    return brightest
  seen = colors[alpha > 0]
  if (seen == seen[:1]).all():
    return alpha
  return np.where(alpha > 0, brightest, 0).astype(brightest.dtype)


def _are_labels(image: Image.Image) -> bool:
  """Returns True if the index of a palette image, not its colour, counts."""
  used = [index for _, index in image.getchannel(0).getcolors(256)]
  colors = np.reshape(image.getpalette('RGB'), (-1, 3))
  used = sorted(index for index in used if index < len(colors))
  colors = colors[used]
  if len(used) > 1 and (colors == colors[:1]).all():
    return 'transparency' not in image.info
  if not used or used[-1] <= 1:
    return True
  is_grey = (colors == colors[:, :1]).all()
  has_black_label = not colors[1:].any(axis=1).all()
  return not (is_grey or has_black_label)


def _distinct(values: np.ndarray) -> np.ndarray:
  """Returns the distinct values in ascending order."""
  if values.dtype == np.uint8:  # Ten times as fast as with NumPy.
    return np.flatnonzero(Image.fromarray(values).histogram())
  if values.dtype == np.uint16:
    return np.flatnonzero(np.bincount(values.ravel()))
  return np.unique(values)


def _are_areas(values: np.ndarray, low: float, high: float) -> bool:
  """Returns True if values between the extremes lie in areas, as labels do."""
  margin = _noise(values, low, high)
  between = (values > low + margin) & (values < high - margin)
  inside = np.count_nonzero(_in_areas(values) & between)
  return 0 < np.count_nonzero(between) <= 2 * inside


def _in_areas(values: np.ndarray) -> np.ndarray:
  """Finds the pixels in blocks of 3x3 equal ones; edges and noise have none."""
  from scipy import ndimage  # Takes a quarter of a second to import.

  same = ndimage.minimum_filter(values, 3) == ndimage.maximum_filter(values, 3)
  return ndimage.binary_dilation(same, np.ones((3, 3)))


def _noise(values: np.ndarray, low: float, high: float) -> float:
  is_coarse = values.dtype == np.uint8
  return _NOISE * (float(high) - float(low)) if is_coarse else 0.0


def _describe_void(
  values: np.ndarray, found: np.ndarray, small: np.ndarray
) -> str:
  voids = found[np.isin(found, _VOID)]
  if not len(voids):
    return ''
  count = int(np.isin(values, voids).sum())
  labels = ', '.join(map(str, small[small > 0][:5]))
  return (
    f'{count} pixels of value {voids[0]} beside the labels {labels} are taken '
    'for not labelled and do not count; give them a label if they are defective'
  )


def _describe_grey(
  mask: MaskValues, defective: np.ndarray, found: np.ndarray
) -> str:
  """Describes where grey values may be misread."""
  values, low, high = mask.values, found[0], found[-1]
  dim = values > low + _noise(values, low, high)
  if len(found) <= _FEW and not mask.is_lossy:
    dim |= _in_areas(values)
  dim &= (values > low) & ~defective
  below = np.count_nonzero(dim)
  is_much = below > _MANY_BELOW * np.count_nonzero(defective)
  # JPEG makes many values of few.
  coarse = values // 16 if mask.is_lossy else values
  if is_much and (
    len(found) <= _FEW
    or (mask.is_lossy and _are_areas(coarse, coarse.min(), coarse.max()))
  ):
    return (
      f'{below} pixels of values below half of the range do not count; if they '
      'are labels, save the mask as PNG with values up to 32'
    )
  if mask.top and high <= mask.top / 2 and len(found) > _FEW:
    return (
      f'its values end at {high:g} of {mask.top:g}, and those from half of '
      f'{high:g} on count'
    )
  return ''


def _describe_cover(defective: np.ndarray) -> str:
  """Describes a mask that covers nearly all of its image, or all its border."""
  share = float(defective.mean())
  border = (defective[0], defective[-1], defective[:, 0], defective[:, -1])
  if share > _NEARLY_ALL:
    return (
      f'it marks {share:.1%} of the image as defective; if that is the '
      'background, invert the mask'
    )
  if share > 0.5 and all(side.all() for side in border):
    return (
      f'it marks {share:.1%} of the image and all of its border as defective; '
      'if that is the background, invert the mask'
    )
  return ''
