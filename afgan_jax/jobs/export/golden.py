"""Makes golden images, whose results an exported detector has to repeat."""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.artefact.layout import GOLDEN, GOLDEN_TABLE
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Data, Images
from afgan_jax.system.errors import DataError, UsageError
from afgan_jax.system.files import write_text

_NUM_GOOD = 4
_NUM_DEFECTIVE = 2
# A defect covers this part of an image's height and width.
_DEFECT = 0.15


class Golden(NamedTuple):
  """An image to be stored.

  Attributes:
    name: of its file.
    content: the bytes of an image file, or uint8 [height, width, 3].
    kind: 'good' or 'defect', for an image with a drawn defect.
  """

  name: str
  content: bytes | np.ndarray
  kind: str


def write_golden(
  folder: pathlib.Path, detector: Detector, images: list[Golden]
) -> None:
  """Writes golden images and their results.

  Args:
    folder: of the exported detector.
    detector: the trained one.
    images: from `choose`.
  """
  place = folder / GOLDEN
  place.mkdir()
  rows = []
  for image in images:
    path = place / image.name
    if isinstance(image.content, bytes):
      path.write_bytes(image.content)
    else:
      Image.fromarray(image.content).save(path)
    rows.append(_row(detector, path, image.kind))
  write_text(place / GOLDEN_TABLE, json.dumps(rows, indent=2) + '\n')


def _row(detector: Detector, path: pathlib.Path, kind: str) -> dict[str, Any]:
  """Writes what the networks see and give for one image; returns its row."""
  prepared = detector.preprocessor.prepare(str(path))
  prediction = detector.predict(str(path))
  pixels, region = prepared.pixels, prepared.region
  if prepared.tiles is not None:
    index = prepared.tiles.indices[0]
    pixels = prepared.tiles.cut(index)
    region = prepared.tiles.region(index) if detector.config.data.roi else None
  regions = None if region is None else region[None]
  scores = detector.score(pixels[None], regions)
  calibration = detector.require_calibration()
  score = float(scores['score'][0])
  stem = path.name
  np.save(path.with_name(f'{stem}.pixels.npy'), pixels.astype(np.float32))
  np.save(path.with_name(f'{stem}.map.npy'), scores['map'][0])
  if region is not None:
    np.save(path.with_name(f'{stem}.region.npy'), region)
  return {
    'name': stem,
    'kind': kind,
    'score': prediction.score,
    'probability': prediction.probability,
    'verdict': prediction.verdict,
    'num_regions': len(prediction.regions),
    # Of the pixels, as the model itself gives them.
    'model': {
      'pixels': f'{stem}.pixels.npy',
      'map': f'{stem}.map.npy',
      'region': None if region is None else f'{stem}.region.npy',
      'score': score,
      'probability': float(calibration.probability(np.array(score))),
      'defective': score > calibration.threshold,
    },
  }


def choose(detector: Detector, held_out: Images | None) -> list[Golden]:
  """Chooses golden images.

  Args:
    detector: that reads them.
    held_out: good images that were not trained on; None if they are gone, so
      that noise takes their place.

  Returns:
    Good images, as files where there are some, and some with a drawn defect.
  """
  if held_out is None or not len(held_out):
    return list(_noise(detector))
  indices = np.linspace(0, len(held_out) - 1, _NUM_GOOD).round().astype(int)
  images = []
  for index in np.unique(indices):
    path = held_out.paths[index]
    if os.path.isfile(path):
      content: bytes | np.ndarray = pathlib.Path(path).read_bytes()
      name = _name(path, {image.name for image in images})
    else:
      content, name = held_out.images[index], f'good_{index}.png'
    images.append(Golden(name, content, 'good'))
  if os.path.isdir(detector.config.data.roi):
    return images  # Regions of interest are found by the names of files.
  return images + [_damage(detector, x) for x in images[:_NUM_DEFECTIVE]]


def load_held_out(data: Data, config: ConfigDict) -> Images | None:
  """Loads the held-out images, or else the training images, of a run.

  Returns:
    The images; None if they are no longer there.
  """
  try:
    train, held_out = data.load_train(config)
  except (DataError, OSError):
    return None
  return held_out if len(held_out) else train


def _name(path: str, taken: set[str]) -> str:
  name = os.path.basename(path)
  stem, suffix = os.path.splitext(name)
  number = 2
  while name in taken:
    name, number = f'{stem}_{number}{suffix}', number + 1
  return name


def _damage(detector: Detector, image: Golden) -> Golden:
  """Draws an ellipse of inverted intensities on an image."""
  content = image.content
  if isinstance(content, bytes):
    content, _ = detector.preprocessor.decoder.image(image.name, content)
  damaged = content.copy()
  height, width = damaged.shape[:2]
  rows, columns = np.ogrid[:height, :width]
  distance = ((rows / height - 0.5) / _DEFECT) ** 2
  distance = distance + ((columns / width - 0.5) / _DEFECT) ** 2
  inside = distance < 0.25
  damaged[inside] = 255 - damaged[inside]
  stem = os.path.splitext(image.name)[0]
  return Golden(f'{stem}_defect.png', damaged, 'defect')


def _noise(detector: Detector) -> Iterator[Golden]:
  """Yields images of noise, for a run whose images are gone.

  Raises:
    UsageError: if regions of interest are found by the names of images.
  """
  size, roi = detector.preprocessor.size, detector.preprocessor.roi
  shape: tuple[int, ...] = (size + 8, size + 24)
  if roi is not None and os.path.isdir(roi.path):
    raise UsageError(
      f'The images of the run are gone and config.data.roi={roi.path} has a '
      'region for each by name, so nothing is left to check the exported model '
      'with: give their new place with config.data.path.'
    )
  if roi is not None:
    shape = roi.read(None).shape
  rng = np.random.default_rng(0)
  for index in range(_NUM_DEFECTIVE):
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    yield Golden(f'noise_{index}.png', pixels, 'noise')
