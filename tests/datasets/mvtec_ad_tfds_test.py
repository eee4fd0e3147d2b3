import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.intensity import to_bytes
from tests.support.tensorflow import needs_tensorflow


@needs_tensorflow
@pytest.mark.filterwarnings('ignore')  # Those of tensorflow-datasets itself.
def test_builder_holds_what_the_folder_holds(tmp_path):
  import tensorflow_datasets as tfds

  from afgan_jax.preprocessing.preprocessor import Preprocessor
  from datasets.mvtec_ad_tfds import MvtecAd, MvtecAdConfig

  rng = np.random.default_rng(0)
  root = tmp_path / 'mvtec' / 'screw'
  files = ['train/good/0.png', 'train/good/1.png', 'test/good/0.png',
           'test/thread/0.png']  # fmt: skip
  for name in files:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(root / name)
  mask = np.zeros((20, 24), np.uint8)
  mask[5:15, 6:18] = 255
  (root / 'ground_truth' / 'thread').mkdir(parents=True)
  Image.fromarray(mask).save(root / 'ground_truth/thread/0_mask.png')

  builder = MvtecAd(
    config=MvtecAdConfig(name='small', category='screw', image_size=16),
    data_dir=tmp_path / 'prepared',
  )
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(
      manual_dir=tmp_path / 'mvtec', register_checksums=False
    )
  )
  examples = {
    split: {e['path'].decode(): e for e in tfds.as_numpy(
      builder.as_dataset(split=split))}
    for split in ('train', 'test')
  }  # fmt: skip
  assert len(examples['train']) == 2 and len(examples['test']) == 2
  for split in examples.values():
    for path, example in split.items():
      expected = to_bytes(Preprocessor(16).read(path).pixels)
      np.testing.assert_array_equal(example['image'], expected)
      assert example['label'] == (example['defect_type'] != b'good')
      assert example['mask'].any() == example['label']
