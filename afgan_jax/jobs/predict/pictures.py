"""Writes overlays, anomaly maps and masks; a file is whole or absent."""

import dataclasses
import functools
import io
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.restoring import pixels_above
from afgan_jax.report.overlay import color_table, overlay
from afgan_jax.system.files import replacing, shorten_name

# The largest side of a JPEG file that its encoder writes, in pixels.
JPEG_SIDE = 65_500
_SUFFIXES = {'jpeg': 'jpg', 'png': 'png', 'tiff': 'tif', 'npy': 'npy'}
_TEMPORARY = 24  # Bytes that `replacing` appends to a name, at most.


@dataclasses.dataclass(frozen=True)
class Pictures:
  """Writes the pictures of `config.predict.save` for each image.

  Attributes:
    config: see `configs/default.py`.
    calibration: its pixel threshold is at the middle of the colour map.
    output: folder; the pictures go to `overlays`, `maps` and `masks` in it.
    root: paths of pictures are those of the images relative to this folder.
    colors: the colour map, see `color_table`.
  """

  config: ConfigDict
  calibration: Calibration
  output: pathlib.Path
  root: str
  colors: np.ndarray

  @classmethod
  def create(
    cls,
    config: ConfigDict,
    calibration: Calibration,
    output: pathlib.Path,
    root: str,
  ) -> 'Pictures':
    """Creates the writer; for the arguments see the attributes.

    Raises:
      UsageError: if `config.predict.colormap` is no colour map.
    """
    colors = color_table(config.predict.colormap)
    return cls(config, calibration, output, root, colors)

  @property
  def kinds(self) -> tuple[str, ...]:
    """The kinds of pictures to write: 'overlay', 'map', 'mask'."""
    save = self.config.predict.save
    if self.config.predict.overlay == 'none':
      save = [kind for kind in save if kind != 'overlay']
    return tuple(save)

  @property
  def need_original(self) -> bool:
    """Whether the image's own pixels are needed, not only its map."""
    return 'overlay' in self.kinds

  def write(
    self,
    path: str,
    page: int | None,
    original: np.ndarray | None,
    frame: Frame,
    values: np.ndarray,
    region_threshold: float | None,
  ) -> str:
    """Writes the pictures of one image.

    Args:
      path: of the image.
      page: of the file, from 1, if it has several; else None.
      original: uint8 [height, width, 3]; None for no overlay.
      frame: of the map in the image.
      values: the anomaly map, [size, size].
      region_threshold: the mask is where the map is above it; None for an empty
        mask.

    Returns:
      A note for the user on a picture that is not of the usual kind, or ''.

    Raises:
      OSError: a picture cannot be written; none is left in part.
    """
    kinds = {k for k in self.kinds if k != 'overlay' or original is not None}
    target = functools.partial(self._target, path, page)
    if 'mask' in kinds:
      mask = _mask(frame, values, region_threshold)
      _write(target('masks', 'png'), [_encode(mask, 'png')])
    if not kinds - {'mask'}:
      return ''
    anomaly_map = frame.restore(values)
    if 'map' in kinds:
      kind = self.config.predict.map_format
      encode = _npy if kind == 'npy' else _tiff
      _write(target('maps', kind), encode(anomaly_map))
    if 'overlay' not in kinds:
      return ''
    picture = draw_overlay(original, anomaly_map, self.calibration, self.colors)
    kind, note = self._overlay_kind(frame)
    _write(target('overlays', kind), [_encode(picture, kind)])
    return note

  def _overlay_kind(self, frame: Frame) -> tuple[str, str]:
    """Returns the format of an overlay, and a note if it is not as usual."""
    kind = self.config.predict.overlay
    if kind == 'jpeg' and max(frame.height, frame.width) > JPEG_SIDE:
      return 'png', (
        'the overlay is a PNG file, since no side of a JPEG file is longer '
        f'than {JPEG_SIDE} px'
      )
    return kind, ''

  def _target(
    self, path: str, page: int | None, folder: str, kind: str
  ) -> pathlib.Path:
    """Returns the path of a picture.

    It keeps the image's extension, so that a.png and a.jpg get one each.
    """
    place, name = os.path.split(os.path.relpath(path, self.root))
    if page is not None:
      stem, suffix = os.path.splitext(name)
      name = f'{stem}.page{page}{suffix}'
    suffix = f'.{_SUFFIXES[kind]}'
    name = shorten_name(name, len(suffix) + _TEMPORARY) + suffix
    return self.output / folder / place / name


def draw_overlay(
  original: np.ndarray,
  anomaly_map: np.ndarray,
  calibration: Calibration,
  colors: np.ndarray,
) -> np.ndarray:
  """Draws the heat map over an image, the pixel threshold at mid-scale.

  Args:
    original: uint8 [height, width, 3].
    anomaly_map: [height, width].
    calibration: with the pixel threshold.
    colors: see `color_table`.

  Returns:
    uint8 [height, width, 3].
  """
  scale = max(2 * calibration.pixel_threshold, 1e-12)
  return overlay(original, anomaly_map / scale, colors)


def _mask(
  frame: Frame, values: np.ndarray, threshold: float | None
) -> np.ndarray:
  if threshold is None:
    return np.zeros((frame.height, frame.width), np.uint8)
  return pixels_above(frame, values, threshold).astype(np.uint8) * 255


def _encode(picture: np.ndarray, kind: str) -> memoryview:
  # Into memory: if the disk is full, Pillow's own error does not say so.
  file = io.BytesIO()
  Image.fromarray(picture).save(file, kind)
  return file.getbuffer()


def _tiff(values: np.ndarray) -> Iterator[memoryview | bytes]:
  yield _encode(values, 'tiff')


def _npy(values: np.ndarray) -> Iterator[memoryview | bytes]:
  file = io.BytesIO()
  header = {
    'descr': values.dtype.str,
    'fortran_order': False,
    'shape': values.shape,
  }
  np.lib.format.write_array_header_1_0(file, header)
  yield file.getvalue()
  yield memoryview(np.ascontiguousarray(values)).cast('B')


def _write(target: pathlib.Path, pieces) -> None:
  """Writes a file of several pieces atomically."""
  target.parent.mkdir(parents=True, exist_ok=True)
  with replacing(target) as temporary, temporary.open('wb') as file:
    for piece in pieces:
      file.write(piece)
