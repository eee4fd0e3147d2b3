"""Builds MVTec AD as a TensorFlow dataset, for use outside this program.

The program itself reads the official folder, which needs no second copy. This
builder provides the same decoded and resized images as a `tf.data.Dataset`:

  from datasets.mvtec_ad_tfds import MvtecAd
  builder = MvtecAd(config='screw')
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir='data/mvtec_ad')
  )
  train = builder.as_dataset(split='train')
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.preprocessor import Preprocessor
from datasets import mvtec_ad
from datasets.source import GOOD, Sample


@dataclasses.dataclass
class MvtecAdConfig(tfds.core.BuilderConfig):
  """Configures one category.

  Attributes:
    category: one of the fifteen.
    image_size: side in pixels; images are stretched to a square. Give configs
      with another size than 256 a different name.
  """

  category: str = ''
  image_size: int = 256


class MvtecAd(tfds.core.GeneratorBasedBuilder):
  """Builds MVTec AD (Bergmann et al., CVPR 2019).

  Examples have 'image', uint8 [size, size, 3]; 'mask', uint8 [size, size, 1],
  1 on a defect; 'label', 0 for good and 1 for defective; 'defect_type' and
  'path'.
  """

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [
    MvtecAdConfig(name=category, category=category)
    for category in mvtec_ad.CATEGORIES
  ]
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'Unpack MVTec AD so that manual_dir contains the fifteen categories.'
  )

  def _info(self) -> tfds.core.DatasetInfo:
    size = self.builder_config.image_size
    return tfds.core.DatasetInfo(
      builder=self,
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
    size = self.builder_config.image_size
    preprocessor = Preprocessor(size)
    for sample in samples:
      pixels, mask, *_ = sample.read(preprocessor, size)
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
