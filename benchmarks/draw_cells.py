"""Draws a texture of cells with much harmless variety, as image files.

  python benchmarks/draw_cells.py FOLDER

Cells of random size and shade with dark borders, like foam or the surface of
granite: 240 good images for training, 60 good and 80 defective ones for tests,
with masks, 256 px, in the layout of MVTec AD. The defects: merged cells, a
scratch, a hole, a stain, a smear.
"""

import pathlib
import sys

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

_SIZE = 256
_KINDS = ('merged', 'scratch', 'hole', 'stain', 'smear')
_Y, _X = np.mgrid[0:_SIZE, 0:_SIZE].astype(float)
Drawn = tuple[np.ndarray, np.ndarray]


def main() -> None:
  """Writes the set."""
  if len(sys.argv) != 2 or pathlib.Path(sys.argv[1]).exists():
    sys.exit('Give a folder that does not exist yet.')
  folder = pathlib.Path(sys.argv[1])
  rng = np.random.default_rng(5)
  for name, count in (('train/good', 240), ('test/good', 60)):
    for index in range(count):
      image, _ = draw_cells(rng)
      _save(folder / name / f'{index:03}.png', _grain(rng, image))
  for kind in _KINDS:
    for index in range(16):
      image, mask = draw_defect(rng, kind)
      test = folder / 'test' / kind / f'{index:03}.png'
      _save(test, _grain(rng, image))
      truth = folder / 'ground_truth' / kind / f'{index:03}_mask.png'
      _save(truth, mask * 255)


def draw_cells(
  rng: np.random.Generator, merged_at: np.ndarray | None = None
) -> Drawn:
  """Draws an image of cells.

  Args:
    rng: draws it.
    merged_at: row and column around which three to five cells become one; None
      for none.

  Returns:
    The image in [0, 255], [size, size], and the merged cell, bool.
  """
  step = rng.uniform(13, 19)
  rows, columns = np.mgrid[-2 : _SIZE / step + 3, -2 : _SIZE / step + 3]
  centres = np.stack([rows.ravel(), columns.ravel()], 1) * step
  centres = centres + rng.uniform(-0.42, 0.42, (rows.size, 2)) * step
  shades = np.clip(rng.normal(150, 28, len(centres)), 60, 235)
  if merged_at is not None:
    order = ((centres - merged_at) ** 2).sum(1).argsort()
    near = order[: rng.integers(3, 6)]
    middle = centres[near].mean(0)[None]
    centres = np.concatenate([np.delete(centres, near, 0), middle])
    shades = np.append(np.delete(shades, near), rng.normal(150, 28))
  down, across = (_smooth(rng, 10) * 35 for _ in range(2))
  places = np.stack([(_Y + down).ravel(), (_X + across).ravel()], 1)
  distances, nearest = cKDTree(centres).query(places, k=2)
  border = np.clip((distances[:, 1] - distances[:, 0]) / 3, 0, 1)
  border = border.reshape(_SIZE, _SIZE)
  cell = nearest[:, 0].reshape(_SIZE, _SIZE)
  image = (shades[cell] + _smooth(rng, 1) * 16) * (0.35 + 0.65 * border)
  image = image * (1 + _smooth(rng, 70) * 60 * 0.08) * rng.uniform(0.93, 1.07)
  merged = np.zeros((_SIZE, _SIZE), bool)
  if merged_at is not None:
    merged = cell == len(centres) - 1
  return gaussian_filter(image, 0.6), merged


def draw_defect(rng: np.random.Generator, kind: str) -> Drawn:
  """Draws a defective image and its mask.

  Args:
    rng: draws it.
    kind: of `_KINDS`.
  """
  centre = rng.uniform(40, 216, 2)
  if kind == 'merged':
    return draw_cells(rng, centre)
  image, _ = draw_cells(rng)
  if kind == 'scratch':
    cover = _scratch(rng, centre)
    change = rng.choice([-1, 1]) * rng.uniform(45, 80)
    return image + cover * change, cover > 0.25
  if kind == 'hole':
    radius = rng.uniform(3, 7)
    across = (_X - centre[1]) * rng.uniform(0.7, 1.4)
    cover = _disc(np.hypot(_Y - centre[0], across), radius, 1.5)
    return _blend(image, rng.uniform(15, 40), cover), cover > 0.5
  if kind == 'stain':
    radius, wobble = rng.uniform(10, 20), _smooth(rng, 8) * 40
    cover = _disc(np.hypot(*_from(centre)) + wobble, radius, 6)
    return image * (1 - cover * rng.uniform(0.2, 0.4)), cover > 0.4
  radius = rng.uniform(8, 16)
  cover = _disc(np.hypot(*_from(centre)), radius, 3)
  smeared = gaussian_filter(image, rng.uniform(3, 5))
  return _blend(image, smeared, cover), cover > 0.5


def _scratch(rng: np.random.Generator, centre: np.ndarray) -> np.ndarray:
  """Draws a thin bent line, in [0, 1]."""
  angle, length = rng.uniform(0, np.pi), rng.uniform(20, 60)
  along = np.linspace(-length / 2, length / 2, 400)
  aside = rng.uniform(-0.01, 0.01) * along**2
  rows = centre[0] + along * np.sin(angle) + aside * np.cos(angle)
  columns = centre[1] + along * np.cos(angle) - aside * np.sin(angle)
  inside = (np.minimum(rows, columns) > 1) & (
    np.maximum(rows, columns) < _SIZE - 2
  )
  line = np.zeros((_SIZE, _SIZE))
  line[rows[inside].astype(int), columns[inside].astype(int)] = 1
  line = gaussian_filter(line, 0.8)
  return line / line.max()


def _from(centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  return _Y - centre[0], _X - centre[1]


def _disc(distance: np.ndarray, radius: float, edge: float) -> np.ndarray:
  """Returns 1 within a radius and 0 outside, with a soft edge."""
  return np.clip((radius - distance) / edge + 0.5, 0, 1)


def _blend(image: np.ndarray, other, cover: np.ndarray) -> np.ndarray:
  return image * (1 - cover) + cover * other


def _smooth(rng: np.random.Generator, sigma: float) -> np.ndarray:
  return gaussian_filter(rng.normal(size=(_SIZE, _SIZE)), sigma)


def _grain(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
  return image + rng.normal(0, 2, image.shape)


def _save(path: pathlib.Path, pixels: np.ndarray) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


if __name__ == '__main__':
  main()
