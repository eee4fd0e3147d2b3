"""Reads a prepared TensorFlow dataset, such as that of `mvtec_ad_tfds.py`.

Examples are streamed in their order and decoded by this program's own decoder,
so the pixels are those of the image files; only the encoded bytes of a few
examples are in memory.
"""

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.ground_truth import GroundTruth
from afgan_jax.preprocessing.prepared import Reading
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.reading import limit
from afgan_jax.system.errors import DataError, first_line
from datasets.masked import add_mask, check_mask
from datasets.prepared_features import GOOD_NAMES, MASK, Features
from datasets.prepared_stream import Stream, quiet, stream_examples
from datasets.source import GOOD, Sample

_FAILURES = (tf.errors.OpError, OSError, ValueError)


@dataclasses.dataclass(frozen=True)
class PreparedSource:
  """The splits of a prepared builder.

  'train' has the training images, 'test' the test images, and good images of
  'validation' are held out; the last two may be missing.

  Attributes:
    folder: of the builder's version.
  """

  folder: pathlib.Path

  def train(self) -> list[Sample]:
    """Lists the good training images; raises DataError if there are none."""
    found = [x for x in self._samples('train') if x.defect_type == GOOD]
    if not found:
      raise DataError(
        f'{self.folder} has no good images in a split train, but the splits '
        f'{", ".join(self._builder.info.splits) or "none"}: prepare one.'
      )
    return found

  def validation(self) -> list[Sample]:
    """Lists the good images of the split 'validation'."""
    return [x for x in self._samples('validation') if x.defect_type == GOOD]

  def test(self) -> list[Sample]:
    """Lists the images of the split 'test'; empty if there is none."""
    return self._samples('test')

  def notes(self) -> tuple[str, ...]:
    """Describes defective images that are left out, and missing masks."""
    notes = []
    for split in ('train', 'validation'):
      bad = [x for x in self._samples(split) if x.defect_type != GOOD]
      if bad:
        notes.append(
          f'{len(bad)} images of {split} are defective and are left out, e.g. '
          f'{bad[0].path}.'
        )
    if self.test() and not self._features.mask:
      notes.append(
        f'{self.folder} has no feature {MASK[0]!r}, so there are no pixel '
        'metrics.'
      )
    return tuple(notes)

  def skipped(self) -> tuple[str, ...]:
    """Describes splits that are not read."""
    others = set(self._builder.info.splits) - {'train', 'validation', 'test'}
    return tuple(
      f'The split {name!r} of {self.folder} is not read.'
      for name in sorted(others)
    )

  @functools.cached_property
  def _builder(self) -> Any:
    # Accelerators are JAX's.
    tf.config.set_visible_devices([], 'GPU')
    tf.config.set_visible_devices([], 'TPU')
    try:
      with quiet():
        return tfds.builder_from_directory(self.folder)
    except Exception as error:  # Of any kind for a folder of another program.
      raise DataError(
        f'{self.folder} cannot be opened with TensorFlow Datasets '
        f'({first_line(error)}): prepare the builder again.'
      ) from error

  @functools.cached_property
  def _features(self) -> Features:
    return Features.find(self._builder.info.features, self.folder)

  def _samples(self, split: str) -> list[Sample]:
    return self._listed.setdefault(split, self._list(split))

  @functools.cached_property
  def _listed(self) -> dict[str, list[Sample]]:
    return {}

  def _list(self, split: str) -> list[Sample]:
    """Reads the labels of a split, without decoding an image."""
    if split in self._listed:
      return self._listed[split]
    if split not in self._builder.info.splits:
      return []
    names = self._features
    images = tuple(filter(None, (names.image, names.mask)))
    others = tuple(filter(None, (names.label, names.defect_type, names.path)))
    stream = Stream(self._builder, split, images)
    try:
      examples = list(stream_examples(self._builder, split, (), others))
    except _FAILURES as error:
      raise self._damaged(error) from error
    return [
      self._sample(stream, split, index, example)
      for index, example in enumerate(examples)
    ]

  def _sample(
    self, stream: Stream, split: str, index: int, example: dict[str, Any]
  ) -> Sample:
    names = self._features
    place = f'{split}/{index:05d}'
    path = _text(example.get(names.path)) or place
    kind = GOOD
    if int(example[names.label]) != names.good:
      kind = self._kind(example)

    def get() -> dict[str, Any]:
      try:
        return stream.get(index)
      except _FAILURES as error:
        raise self._damaged(error) from error

    def original(decoder: Decoder) -> tuple[np.ndarray, str]:
      return decoder.image(path, get()[names.image])

    return Sample(
      path,
      kind,
      functools.partial(_read, names, path, get),
      original,
      truth=functools.partial(_read_truth, names, path, get)
      if kind != GOOD and names.mask
      else None,
    )

  def _kind(self, example: dict[str, Any]) -> str:
    """Returns the type of a defective example."""
    names = self._features
    for name in filter(None, (names.defect_type, names.label)):
      value, feature = example[name], self._builder.info.features[name]
      if isinstance(feature, tfds.features.ClassLabel):
        kind = feature.int2str(int(value))
      else:
        kind = _text(value) if name == names.defect_type else ''
      if kind and kind.lower() not in GOOD_NAMES and not kind.isdigit():
        return kind
    return 'defective'

  def _damaged(self, error: Exception) -> DataError:
    return DataError(
      f'{self.folder} cannot be read ({first_line(error)}): prepare the '
      'builder again.'
    )


def _read(
  names: Features,
  path: str,
  get: Any,
  preprocessor: Preprocessor,
  mask_size: int,
) -> Reading:
  example, decoder = get(), preprocessor.decoder
  original, note = decoder.image(path, example[names.image])
  prepared = preprocessor.prepare_original(original, path, note)

  def masks() -> list[DefectMask]:
    mask, _ = decoder.mask(f'The mask of {path}', example[names.mask])
    return [DefectMask(mask)]

  if not mask_size or not names.mask:
    notes = (f'{path}: {note}',) if note else ()
    reading = Reading(prepared.pixels, notes=notes, light=prepared.light)
    return limit(reading, path, prepared, mask_size)
  return add_mask(path, prepared, masks, mask_size)


def _read_truth(
  names: Features,
  path: str,
  get: Any,
  decoder: Decoder,
  shape: tuple[int, int],
) -> GroundTruth:
  name = f'The mask of {path}'
  mask, _ = decoder.mask(name, get()[names.mask])
  check_mask(mask, shape, name)
  return GroundTruth(mask, ())


def _text(value: Any) -> str:
  return value.decode('utf-8', 'replace') if isinstance(value, bytes) else ''
