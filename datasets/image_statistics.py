"""Computes statistics of each image of a data set, and compares images."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from concurrent import futures

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.system.errors import DataError
from datasets.source import GOOD, Sample, Source, held_out_samples

_THUMBNAIL = 16


@dataclasses.dataclass(frozen=True)
class Look:
  """Statistics of one image.

  Attributes:
    sample: the image's sample.
    split: 'train', 'test' or, of a source that holds out images itself,
      'validation'.
    size: width and height in pixels.
    is_grey: whether its channels are equal.
    brightness: mean intensity, [0, 255].
    digest: SHA-256 of its pixels.
    thumbnail: intensities at 16×16 px, normalized to mean 1, float32 [256].
    mode: of the file, as Pillow names it; 'RGB' for generated images, '' if
      unknown.
    defective_pixels: at the image's own size; 0 for a good image, None if a
      defective one has no mask that can be used.
    note: a remark for the user, or ''.
    mask_notes: remarks on its masks, e.g. why they cannot be used.
    error: reason why the image cannot be read, or ''; with an error, the
      statistics are undefined.
  """

  sample: Sample
  split: str
  size: tuple[int, int] = (0, 0)
  is_grey: bool = False
  brightness: float = 0.0
  digest: bytes = b''
  thumbnail: np.ndarray | None = None
  mode: str = ''
  defective_pixels: int | None = None
  note: str = ''
  mask_notes: tuple[str, ...] = ()
  error: str = ''


def look_at(source: Source, decoder: Decoder = DEFAULT_DECODER) -> list[Look]:
  """Computes the statistics of all images of a source, in parallel.

  Args:
    source: to inspect.
    decoder: decodes its files.

  Returns:
    The statistics, of training images first.

  Raises:
    DataError: if the source cannot be used.
  """
  samples = [('train', sample) for sample in source.train()]
  samples += [('test', sample) for sample in source.test()]
  samples += [('validation', sample) for sample in held_out_samples(source)]
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(lambda pair: _look_at(*pair, decoder), samples))


def _look_at(split: str, sample: Sample, decoder: Decoder) -> Look:
  try:
    image, note = sample.original(decoder)
  except DataError as error:
    return Look(sample, split, mode=_mode(sample.path), error=str(error))
  height, width = image.shape[:2]
  picture = Image.fromarray(image)
  small = np.asarray(picture.reduce(min(8, height, width)))
  tiny = picture.resize((_THUMBNAIL,) * 2, reducing_gap=2.0).convert('L')
  thumbnail = np.asarray(tiny, np.float32).ravel()
  defective_pixels, mask_notes = _measure_mask(sample, decoder, (height, width))
  return Look(
    sample,
    split,
    size=(width, height),
    is_grey=bool((small == small[..., :1]).all()),
    brightness=float(small.mean()),
    digest=hashlib.sha256(
      np.ascontiguousarray(image), usedforsecurity=False
    ).digest(),
    thumbnail=thumbnail / max(float(thumbnail.mean()), 1.0),
    mode=_mode(sample.path, 'RGB'),
    defective_pixels=defective_pixels,
    note=note and f'{sample.path}: {note}',
    mask_notes=mask_notes,
  )


def _mode(path: str, generated: str = '') -> str:
  """Returns the mode of a file, which is opened and not decoded."""
  if not os.path.exists(path):
    return generated
  try:
    with Image.open(path) as image:
      return image.mode
  # Decoders may raise any exception on damaged files.
  except Exception:
    return ''


def _measure_mask(
  sample: Sample, decoder: Decoder, shape: tuple[int, int]
) -> tuple[int | None, tuple[str, ...]]:
  """Counts defective pixels, None if that is impossible; adds remarks."""
  if sample.defect_type == GOOD:
    return 0, ()
  if sample.truth is None:
    return None, ()
  try:
    truth = sample.truth(decoder, shape)
  except DataError as error:
    return None, (str(error),)
  return int(np.count_nonzero(truth.defective)), tuple(
    f'{sample.masks[index]}: {note}' for index, note in truth.notes
  )


def find_copies(looks: Sequence[Look]) -> list[tuple[Look, Look]]:
  """Finds images with equal pixels.

  Args:
    looks: statistics of readable images.

  Returns:
    Pairs of an image and a later copy of it.
  """
  first, pairs = {}, []
  for look in looks:
    candidate = first.setdefault((look.size, look.digest), look)
    if candidate is not look:
      pairs.append((candidate, look))
  return pairs


def brightness_auroc(looks: Sequence[Look]) -> float | None:
  """Computes the AUROC of brightness on the test images; None if undefined."""
  test = [look for look in looks if look.split == 'test']
  return _auroc(test, [look.brightness for look in test])


def nearest_auroc(looks: Sequence[Look]) -> float | None:
  """Computes the AUROC of the distance to the nearest training image.

  Args:
    looks: statistics of readable images.

  Returns:
    The AUROC on the test images; None if undefined.
  """
  test = [look for look in looks if look.split == 'test']
  train = [look.thumbnail for look in looks if look.split == 'train']
  if not (test and train):
    return None
  train = np.stack(train)
  distances = [np.abs(train - x.thumbnail).mean(axis=1).min() for x in test]
  return _auroc(test, distances)


def _auroc(looks: Sequence[Look], scores: Sequence[float]) -> float | None:
  labels = [look.sample.defect_type != GOOD for look in looks]
  if len(set(labels)) < 2:
    return None
  return float(roc_auc_score(labels, scores))
