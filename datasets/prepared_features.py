"""Finds image, label and mask among the features of a TensorFlow dataset."""

import dataclasses
import pathlib
from typing import Any

import tensorflow_datasets as tfds

from afgan_jax.system.errors import DataError

# Names that are looked for, the preferred one first.
_IMAGE = ('image',)
_LABEL = ('label', 'is_anomaly')
MASK = ('mask', 'segmentation_mask', 'ground_truth')
_TYPE = ('defect_type', 'anomaly_type')
_PATH = ('path', 'file_name', 'filename', 'image/filename')
# Names of the class of good images; '0' if the classes have no names.
GOOD_NAMES = ('good', 'ok', 'normal', '0')


@dataclasses.dataclass(frozen=True)
class Features:
  """Names of a builder's features, and the label of good images.

  Attributes:
    image: an encoded image.
    label: a class, a whole number or a truth value.
    mask: an encoded image, not 0 on a defect; '' for none.
    defect_type: a text or a class; '' for none.
    path: a text that identifies the image; '' for none.
    good: the label of good images.
  """

  image: str
  label: str
  mask: str
  defect_type: str
  path: str
  good: int

  @classmethod
  def find(cls, features: Any, folder: pathlib.Path) -> 'Features':
    """Finds the features that are needed in a builder's dictionary.

    Args:
      features: a `tfds.features.FeaturesDict`.
      folder: of the builder, for messages.

    Raises:
      DataError: an image or a label is missing.
    """
    image = _named(features, _IMAGE, tfds.features.Image)
    label = _named(features, _LABEL)
    if not image or not label:
      what = 'label' if image else 'image'
      raise DataError(
        f'{folder} has the features {", ".join(sorted(features))}, but no '
        f'{what}: its builder needs an image {_IMAGE[0]!r}, a label '
        f'{_LABEL[0]!r} and, for pixel metrics, an image {MASK[0]!r}.'
      )
    return cls(
      image,
      label,
      _named(features, MASK, tfds.features.Image),
      _named(features, _TYPE),
      _named(features, _PATH, tfds.features.Text),
      _good_label(features[label], folder),
    )


def _named(features: Any, names: tuple[str, ...], kind: Any = object) -> str:
  """Returns the first name that is a feature of a kind; '' for none."""
  for name in names:
    if name in features and isinstance(features[name], kind):
      return name
  return ''


def _good_label(label: Any, folder: pathlib.Path) -> int:
  if not isinstance(label, tfds.features.ClassLabel):
    return 0
  for index, name in enumerate(label.names):
    if name.lower() in GOOD_NAMES:
      return index
  raise DataError(
    f'{folder} has the labels {", ".join(label.names)}: one must be named '
    f'{", ".join(GOOD_NAMES[:-1])}, so that good images are known.'
  )
