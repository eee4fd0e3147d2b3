"""Miniatures of public data sets in their published layouts."""

import json
import pathlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 32
# A defect of 6 × 10 pixels.
ROWS, COLUMNS = slice(4, 10), slice(12, 22)
AREA = 60


def write(path, array=None, **options):
  """Writes an image; without an array, one of noise that its name seeds."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  if array is None:
    rng = np.random.default_rng(list(str(path.name).encode()))
    array = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
  Image.fromarray(array).save(path, **options)


def mask(value=255, rows=ROWS, columns=COLUMNS):
  """Returns a mask with one rectangle."""
  drawing = np.zeros((HEIGHT, WIDTH), np.uint8)
  drawing[rows, columns] = value
  return drawing


def make_mvtec_like(root, category, defect='hole'):
  """Writes 3 training, 1 good and 2 defective test images."""
  for name in ('train/good/0', 'train/good/1', 'train/good/2', 'test/good/0'):
    write(root / category / f'{name}.png')
  for i in range(2):
    write(root / category / 'test' / defect / f'{i}.png')
    truth = root / category / 'ground_truth' / defect / f'{i}_mask.png'
    write(truth, mask())


def make_visa(root):
  """Writes the archive with its split: 2 training, 1 good, 2 defective."""
  lines = ['object,split,label,image,mask']
  folder = 'candle/Data/Images'
  for split, name in (('train', '0000'), ('train', '0002'), ('test', '0001')):
    write(root / folder / 'Normal' / f'{name}.JPG')
    lines.append(f'candle,{split},normal,{folder}/Normal/{name}.JPG,')
  for name, value in (('000', 1), ('001', 3)):
    write(root / folder / 'Anomaly' / f'{name}.JPG')
    truth = f'candle/Data/Masks/Anomaly/{name}.png'
    # As published: the values are kinds of defects, from 1 on.
    write(root / truth, mask(value))
    image = f'{folder}/Anomaly/{name}.JPG'
    lines.append(f'candle,test,anomaly,{image},{truth}')
  lines.append('pcb1,train,normal,pcb1/Data/Images/Normal/0000.JPG,')
  (root / 'split_csv').mkdir()
  (root / 'split_csv' / '1cls.csv').write_text('\n'.join(lines) + '\n')


def make_visa_prepared(root):
  """Writes what the authors' script makes of the archive."""
  folder = root / '1cls' / 'candle'
  for name in ('train/good/0000', 'train/good/0002', 'test/good/0001'):
    write(folder / f'{name}.JPG')
  for name in ('000', '001'):
    write(folder / 'test' / 'bad' / f'{name}.JPG')
    write(folder / 'ground_truth' / 'bad' / f'{name}.png', mask())


def make_btad(root):
  """Writes 2 training, 1 good, 2 defective images; masks PNG and BMP."""
  for name in ('train/ok/0.bmp', 'train/ok/1.bmp', 'test/ok/0.bmp'):
    write(root / '01' / name)
  for name, extension in (('0000', '.png'), ('0001', '.bmp')):
    write(root / '01' / 'test' / 'ko' / f'{name}.bmp')
    write(root / '01' / 'ground_truth' / 'ko' / (name + extension), mask())


# Values and saturation areas of the defects of the miniature of LOCO.
LOCO_DEFECTS = [
  {
    'defect_name': 'missing_pin',
    'pixel_value': 255,
    'saturation_threshold': 15,
    'relative_saturation': False,
  },
  {
    'defect_name': 'wrong_color',
    'pixel_value': 254,
    'saturation_threshold': 0.5,
    'relative_saturation': True,
  },
  {
    'defect_name': 'scratch',
    'pixel_value': 70,
    'saturation_threshold': 1.0,
    'relative_saturation': True,
  },
]
# Of the second defect of the logical anomaly: 2 × 4 pixels.
SECOND = (slice(15, 17), slice(2, 6))


def make_loco(root, category='pushpins'):
  """Writes 3 training, 2 validation, 1 good, 1 logical, 1 structural."""
  folder = root / category
  for name in (
    'train/good/000',
    'train/good/001',
    'train/good/002',
    'validation/good/000',
    'validation/good/001',
    'test/good/000',
    'test/logical_anomalies/000',
    'test/structural_anomalies/000',
  ):
    # Names repeat between the folders, as in the original.
    rng = np.random.default_rng(list(name.encode()))
    write(
      folder / f'{name}.png', rng.integers(0, 256, (HEIGHT, WIDTH, 3), 'u1')
    )
  truth = folder / 'ground_truth'
  write(truth / 'logical_anomalies/000/000.png', mask(255))
  write(truth / 'logical_anomalies/000/001.png', mask(254, *SECOND))
  write(truth / 'structural_anomalies/000/000.png', mask(70))
  (folder / 'defects_config.json').write_text(json.dumps(LOCO_DEFECTS))


def make_ad_2(root, category='can', *, shape=(HEIGHT, WIDTH)):
  """Writes 2 training, 2 validation, 2 good, 2 bad, 3 unlabelled images."""
  rng = np.random.default_rng(0)
  folder = root / category
  for name in (
    'train/good/000_regular',
    'train/good/001_regular',
    'validation/good/000_regular',
    'validation/good/001_regular',
    'test_public/good/000_regular',
    'test_public/good/000_overexposed',
    'test_public/bad/000_regular',
    'test_public/bad/000_shift_1',
    'test_private/000_regular',
    'test_private/001_regular',
    'test_private_mixed/000_mixed',
  ):
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    write(folder / f'{name}.png', pixels)
  truth = folder / 'test_public' / 'ground_truth' / 'bad'
  for name in ('000_regular', '000_shift_1'):
    write(truth / f'{name}_mask.png', mask())
