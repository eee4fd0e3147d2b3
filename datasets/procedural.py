"""Generates data sets from a seed, without files: sprockets and cloth.

Good images differ only in what is harmless. A defective one is rendered with a
defect; its mask marks the pixels that differ between renderings with and
without it.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from afgan_jax.preprocessing.ground_truth import GroundTruth
from afgan_jax.preprocessing.intensity import light_of
from afgan_jax.preprocessing.preprocessor import Preprocessor, Reading
from afgan_jax.system.errors import DataError
from datasets import procedural_fabric, procedural_sprocket
from datasets.source import GOOD, Sample

# Each draws and renders one kind of image.
KINDS: dict[str, Any] = {
  'sprocket': procedural_sprocket,
  'fabric': procedural_fabric,
}
# Standard deviation of the noise; constant, so that it hides no small defect.
GRAIN = 1.5 / 255
ORIGINAL_SIZE = 256  # Of images that are not resized for the networks.
VISIBLE = 0.04  # Larger differences belong to the mask.


@dataclasses.dataclass(frozen=True)
class ProceduralSource:
  """Generates images; the same seed always gives the same bytes.

  Attributes:
    seed: of the data set, ≥ 0.
    num_train: number of good training images.
    num_test_good: number of good test images.
    num_test_per_defect: number of test images of each defect type.
    kind: of the images, one of `KINDS`.
  """

  seed: int = 0
  num_train: int = 256
  num_test_good: int = 40
  num_test_per_defect: int = 12
  kind: str = 'sprocket'

  def train(self) -> list[Sample]:
    """Lists the training images; raises DataError if there are none."""
    if self.num_train < 1:
      raise DataError(
        'The generated data set needs a training image: set '
        'config.data.procedural.num_train to at least 1.'
      )
    return [self._sample('train', GOOD, i) for i in range(self.num_train)]

  def test(self) -> list[Sample]:
    """Lists the test images: the good ones, then each defect type."""
    samples = [self._sample('test', GOOD, i) for i in range(self.num_test_good)]
    for defect_type in KINDS[self.kind].DEFECTS:
      for i in range(self.num_test_per_defect):
        samples.append(self._sample('test', defect_type, i))
    return samples

  def notes(self) -> tuple[str, ...]:
    """Returns no notes."""
    return ()

  def skipped(self) -> tuple[str, ...]:
    """Returns nothing, since there are no files."""
    return ()

  def _sample(self, split: str, defect_type: str, index: int) -> Sample:
    type_index = (GOOD, *KINDS[self.kind].DEFECTS).index(defect_type)
    key = (self.seed, int(split == 'test'), type_index, index)
    return Sample(
      path=f'{split}/{defect_type}/{index:03d}',
      defect_type=defect_type,
      read=functools.partial(_draw, key, defect_type, self.kind),
      original=lambda _: (
        draw_image(key, defect_type, ORIGINAL_SIZE, self.kind),
        '',
      ),
      truth=None
      if defect_type == GOOD
      else lambda _, shape: GroundTruth(
        draw_mask(key, defect_type, shape[0], self.kind).astype(bool), ()
      ),
      drawn=lambda size: draw_image(key, defect_type, size, self.kind),
    )


def _draw(
  key: tuple[int, ...],
  defect_type: str,
  kind: str,
  preprocessor: Preprocessor,
  mask_size: int,
) -> Reading:
  image = draw_image(key, defect_type, preprocessor.size, kind)
  pixels = preprocessor.from_square(image)
  mask = None
  if mask_size and defect_type != GOOD:
    mask = draw_mask(key, defect_type, mask_size, kind)
  return Reading(pixels, mask, light=light_of(image))


def draw_image(
  key: tuple[int, ...], defect_type: str, size: int, kind: str = 'sprocket'
) -> np.ndarray:
  """Renders one image with sensor noise.

  Args:
    key: seed of all random draws: data seed, split, type and index, each ≥ 0.
    defect_type: `GOOD` or a key of the kind's `DEFECTS`.
    size: side length in pixels.
    kind: one of `KINDS`.

  Returns:
    uint8 [size, size, 3], RGB.
  """
  scene, defect, grain_rng = KINDS[kind].draw_part(key, defect_type)
  image = KINDS[kind].render(scene, defect, size)
  image += GRAIN * grain_rng.standard_normal(image.shape, np.float32)
  return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def draw_mask(
  key: tuple[int, ...], defect_type: str, size: int, kind: str = 'sprocket'
) -> np.ndarray:
  """Renders the mask of the defect, uint8 [size, size], 0 or 1."""
  scene, defect, _ = KINDS[kind].draw_part(key, defect_type)
  render, intact = KINDS[kind].render, type(defect)()
  change = np.abs(render(scene, defect, size) - render(scene, intact, size))
  change = change.max(axis=-1)
  # The second bound ensures that the mask of a faint defect is not empty.
  return (change > min(VISIBLE, change.max() / 2)).astype(np.uint8)
