"""Predicts the unlabelled test sets of MVTec AD 2 for its benchmark's server.

The layout is that of the checking script that MVTec publishes with the data
set (2025):

  anomaly_images/<object>/<split>/<name>.tiff               float16
  anomaly_images_thresholded/<object>/<split>/<name>.png    0, or 255 on defects

with the splits `test_private` and `test_private_mixed`, at the images' sizes.
"""

import os
import pathlib
import struct
from collections.abc import Iterator, Sequence
from concurrent import futures

import numpy as np
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs.announce import announce
from afgan_jax.preprocessing.listing import images_in
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.system.errors import DataError, UsageError
from afgan_jax.system.files import replacing
from afgan_jax.system.threads import in_batches, map_ahead

SPLITS = ('test_private', 'test_private_mixed')
MAPS, MASKS = 'anomaly_images', 'anomaly_images_thresholded'
_Item = tuple[pathlib.Path, PreparedImage]


def write_submission(
  detector: Detector,
  folder: pathlib.Path,
  output: pathlib.Path,
  threshold: float | None = None,
) -> int:
  """Writes the anomaly maps and masks of one object.

  Args:
    detector: trained on the object.
    folder: of the object, with the folders `SPLITS`.
    output: folder of the submission; other objects in it are kept.
    threshold: of the masks, exclusive, on the scale of the maps; None for the
      detector's own pixel threshold.

  Returns:
    The number of images.

  Raises:
    MissingThreshold: if there is no threshold.
    DataError: if a folder has no images, or an image cannot be read.
    UsageError: if `output` already has predictions of the object.
  """
  if threshold is None:
    threshold = detector.require_calibration().pixel_threshold
  paths = _find_images(folder)
  _check_new(output, folder.name)
  announce(detector, len(paths))
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    in_tiles = detector.preprocessor.geometry.in_tiles
    size = 1 if in_tiles else detector.config.score.batch_size
    items = map_ahead(pool, lambda path: _read(detector, path), paths, 2 * size)
    for path, values in _predict(detector, in_batches(items, size)):
      place = pathlib.Path(folder.name) / path.relative_to(folder)
      _write(output, place, values, threshold)
  return len(paths)


def _check_new(output: pathlib.Path, name: str) -> None:
  for kind in (MAPS, MASKS):
    place = output / kind / name
    if place.exists():
      raise UsageError(
        f'{place} exists already: remove it or give another folder.'
      )


def _find_images(folder: pathlib.Path) -> list[pathlib.Path]:
  found = []
  for split in SPLITS:
    images = images_in(folder / split, recursive=False)
    if not images:
      raise DataError(
        f'{folder / split} has no images: give the folder of an object of '
        f'MVTec AD 2, with {" and ".join(SPLITS)}.'
      )
    found += images
  return found


def _read(detector: Detector, path: pathlib.Path) -> _Item:
  prepared = detector.preprocessor.prepare(path)
  # Without the image itself, so that only squares, or its tiles, are in memory.
  return path, prepared._replace(original=prepared.original[:0].copy())


def _predict(
  detector: Detector, batches: Iterator[Sequence[_Item]]
) -> Iterator[tuple[pathlib.Path, np.ndarray]]:
  """Yields the anomaly map of each image at the image's size."""
  for batch in batches:
    results = detector.score_prepared([prepared for _, prepared in batch])
    for (path, prepared), (_, values) in zip(batch, results, strict=True):
      yield path, prepared.frame.restore(values)


def _write(
  output: pathlib.Path,
  place: pathlib.Path,
  values: np.ndarray,
  threshold: float,
) -> None:
  """Writes the files of one image; `place` is relative to the layout."""
  map_path = (output / MAPS / place).with_suffix('.tiff')
  mask_path = (output / MASKS / place).with_suffix('.png')
  for path in (map_path, mask_path):
    path.parent.mkdir(parents=True, exist_ok=True)
  with replacing(map_path) as temporary:
    temporary.write_bytes(float16_tiff(values))
  mask = Image.fromarray(np.where(values > threshold, 255, 0).astype(np.uint8))
  with replacing(mask_path) as temporary:
    mask.save(temporary, 'png')


def float16_tiff(values: np.ndarray) -> bytes:
  """Encodes a map as TIFF in float16, which Pillow cannot write.

  Args:
    values: [height, width]; those beyond float16 are clipped.

  Returns:
    The file: little-endian, one strip, not compressed.
  """
  height, width = values.shape
  limit = float(np.finfo(np.float16).max)
  data = np.clip(values, -limit, limit).astype('<f2').tobytes()
  short, long = 3, 4
  tags = {
    256: (long, width),
    257: (long, height),
    258: (short, 16),  # Bits.
    259: (short, 1),  # No compression.
    262: (short, 1),  # 0 is black.
    273: (long, 0),  # Position of the strip, set below.
    277: (short, 1),  # Samples per pixel.
    278: (long, height),  # Rows in the strip.
    279: (long, len(data)),
    339: (short, 3),  # Floating point.
  }
  start = 8 + 2 + 12 * len(tags) + 4
  tags[273] = (long, start)
  # A short stands in the first two bytes of its field.
  entries = (
    struct.pack('<HHII', tag, kind, 1, value)
    for tag, (kind, value) in tags.items()
  )
  header = struct.pack('<2sHIH', b'II', 42, 8, len(tags))
  return header + b''.join(entries) + bytes(4) + data
