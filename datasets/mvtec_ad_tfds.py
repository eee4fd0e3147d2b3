"""Builds MVTec AD as a TensorFlow dataset, for use outside this program.

This builder provides the same decoded images as a `tf.data.Dataset`, resized
or, in the configs whose names end with `_full`, at their own size:

  from datasets.mvtec_ad_tfds import MvtecAd
  builder = MvtecAd(config='screw')
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir='data/mvtec_ad')
  )
  train = builder.as_dataset(split='train')

The program reads prepared builders as well (`config.data.source='tfds'`). The
images of a `_full` config and their order are those of the official folder, so
both train to the same weights.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from afgan_jax.preprocessing.decode import DEFAULT_DECODER
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets import mvtec_ad
from datasets.source import GOOD, Sample


@dataclasses.dataclass
class MvtecAdConfig(tfds.core.BuilderConfig):
  """Configures one category.

  Attributes:
    category: one of the fifteen.
    image_size: side in pixels; images are stretched to a square. 0 keeps each
      at its own size. Give configs with another size than 256 a different name.
  """

  category: str = ''
  image_size: int = 256


class MvtecAd(tfds.core.GeneratorBasedBuilder):
  """Builds MVTec AD (Bergmann et al., CVPR 2019).

  Examples have 'image', uint8 [size, size, 3]; 'mask', uint8 [size, size, 1],
  1 on a defect; 'label', 0 for good and 1 for defective; 'defect_type' and
  'path'.
  """

  VERSION = tfds.core.Version('1.1.0')
  RELEASE_NOTES = {
    '1.1.0': 'Images at their own size; examples in the order of their files.',
  }
  BUILDER_CONFIGS = [
    MvtecAdConfig(name=category + suffix, category=category, image_size=size)
    for suffix, size in (('', 256), ('_full', 0))
    for category in mvtec_ad.CATEGORIES
  ]
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'Unpack MVTec AD so that manual_dir contains the fifteen categories.'
  )

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.image_size or None
    return tfds.core.DatasetInfo(
      builder=self,
      disable_shuffling=True,
      description='Industrial images with and without defects.',
      features=tfds.features.FeaturesDict(
        {
          'image': tfds.features.Image(shape=(size, size, 3)),
          'mask': tfds.features.Image(shape=(size, size, 1)),
          'label': tfds.features.ClassLabel(names=['good', 'defective']),
          'defect_type': tfds.features.Text(),
          'path': tfds.features.Text(),
        }
      ),
    )

  def _split_generators(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, Any]:
    source = mvtec_ad.open_category(
      str(dl_manager.manual_dir), self.builder_config.category
    )
    return {
      'train': self._generate_examples(source.train()),
      'test': self._generate_examples(source.test()),
    }

  def _generate_examples(
    self, samples: list[Sample]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    for sample in samples:
      size = self.builder_config.image_size or _own_size(sample)
      pixels, mask, *_ = sample.read(Preprocessor(size), size)
      if mask is None:
        mask = np.zeros((size, size), np.uint8)
      example = {
        'image': to_bytes(pixels),
        'mask': mask[..., None],
        'label': int(sample.defect_type != GOOD),
        'defect_type': sample.defect_type,
        'path': sample.path,
      }
      yield sample.path, example


def _own_size(sample: Sample) -> int:
  """Returns the side of an image; those of MVTec AD are square.

  Raises:
    DataError: it is not square.
  """
  image, _ = sample.original(DEFAULT_DECODER)
  height, width = image.shape[:2]
  if height != width:
    raise DataError(
      f'{sample.path} has {width}×{height} pixels, but the images of MVTec AD '
      'are square: use a config with an image_size.'
    )
  return height
