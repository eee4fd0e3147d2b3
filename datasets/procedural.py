"""Generates a data set from a seed: sprockets on a conveyor belt, no files.

Good parts differ only in position, rotation, light and sensor noise. A
defective part is rendered with one `Defect`; its mask marks the pixels that
differ between renderings with and without the defect. Geometry is in image
units, [-1, 1] across the image, so parts look the same at every size.
"""

import dataclasses
import functools
import math

import numpy as np

from afgan_jax.preprocessing.ground_truth import GroundTruth
from afgan_jax.preprocessing.intensity import light_of
from afgan_jax.preprocessing.preprocessor import Preprocessor, Reading
from afgan_jax.system.errors import DataError
from datasets.procedural_defects import DEFECTS, NUM_TEETH, Defect, smoothstep
from datasets.source import GOOD, Sample

# Lengths are in image units, angles in radians, colours from 0 to 1.
ROOT_RADIUS, TOOTH_HEIGHT = 0.70, 0.23
# At the root; decrease of the half width per unit of length.
TOOTH_HALF_WIDTH, TOOTH_TAPER = 0.145, 0.26
NUM_BOLTS, BOLT_CIRCLE, BOLT_RADIUS = 6, 0.47, 0.065
BORE_RADIUS, KEYWAY_REACH, KEYWAY_HALF_WIDTH = 0.17, 0.25, 0.055
WEB_INNER, WEB_OUTER, WEB_DEPTH = 0.31, 0.62, 0.012  # The recessed ring.
BEVEL_WIDTH, BEVEL_SLOPE = 0.05, 0.35
METAL = np.array([0.54, 0.55, 0.56], np.float32)
BELT = np.array([0.09, 0.135, 0.13], np.float32)
SHADOW = 0.06  # Offset and softness of the shadow.
RELIEF_CONTRAST, SHEEN_CONTRAST = 1.1, 0.22
SUPERSAMPLING = 2
# Standard deviation of the noise; constant, so that it hides no small defect.
GRAIN = 1.5 / 255
ORIGINAL_SIZE = 256  # Of images that are not resized for the networks.
VISIBLE = 0.04  # Larger differences belong to the mask.


@dataclasses.dataclass(frozen=True)
class Scene:
  """Random parameters of good images; in image units and radians.

  Attributes:
    center: x and y of the part, each within ±0.06.
    angle: rotation of the part, [0, 2π).
    light_level: overall brightness, 0.8 to 1.2.
    light_angle: direction of the light source, [0, 2π).
    light_slope: relative increase of brightness per unit towards the light.
  """

  center: tuple[float, float]
  angle: float
  light_level: float
  light_angle: float
  light_slope: float


@dataclasses.dataclass(frozen=True)
class ProceduralSource:
  """Generates images; the same seed always gives the same bytes.

  Attributes:
    seed: of the data set, ≥ 0.
    num_train: number of good training images.
    num_test_good: number of good test images.
    num_test_per_defect: number of test images of each defect type.
  """

  seed: int = 0
  num_train: int = 256
  num_test_good: int = 40
  num_test_per_defect: int = 12

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
    for defect_type in DEFECTS:
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
    type_index = (GOOD, *DEFECTS).index(defect_type)
    key = (self.seed, int(split == 'test'), type_index, index)
    return Sample(
      path=f'{split}/{defect_type}/{index:03d}',
      defect_type=defect_type,
      read=functools.partial(_draw, key, defect_type),
      original=lambda _: (draw_image(key, defect_type, ORIGINAL_SIZE), ''),
      truth=None
      if defect_type == GOOD
      else lambda _, shape: GroundTruth(
        draw_mask(key, defect_type, shape[0]).astype(bool), ()
      ),
      native=False,
    )


def _draw(
  key: tuple[int, ...],
  defect_type: str,
  preprocessor: Preprocessor,
  mask_size: int,
) -> Reading:
  image = draw_image(key, defect_type, preprocessor.size)
  pixels = preprocessor.from_square(image)
  mask = None
  if mask_size and defect_type != GOOD:
    mask = draw_mask(key, defect_type, mask_size)
  return Reading(pixels, mask, light=light_of(image))


def draw_image(key: tuple[int, ...], defect_type: str, size: int) -> np.ndarray:
  """Renders one image with sensor noise.

  Args:
    key: seed of all random draws: data seed, split, type and index, each ≥ 0.
    defect_type: `GOOD` or a key of `DEFECTS`.
    size: side length in pixels.

  Returns:
    uint8 [size, size, 3], RGB.
  """
  scene, defect, grain_rng = draw_part(key, defect_type)
  image = render(scene, defect, size)
  image += GRAIN * grain_rng.standard_normal(image.shape, np.float32)
  return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def draw_mask(key: tuple[int, ...], defect_type: str, size: int) -> np.ndarray:
  """Renders the mask of the defect, uint8 [size, size], 0 or 1."""
  scene, defect, _ = draw_part(key, defect_type)
  change = np.abs(render(scene, defect, size) - render(scene, Defect(), size))
  change = change.max(axis=-1)
  # The second bound ensures that the mask of a faint defect is not empty.
  return (change > min(VISIBLE, change.max() / 2)).astype(np.uint8)


def draw_part(
  key: tuple[int, ...], defect_type: str
) -> tuple[Scene, Defect, np.random.Generator]:
  """Samples a scene and a defect; also returns the generator of the noise."""
  # Separate streams, so that neither size nor defect changes the scene.
  scene_rng, defect_rng, grain_rng = np.random.default_rng(key).spawn(3)
  scene = Scene(
    center=tuple(scene_rng.uniform(-0.06, 0.06, 2).tolist()),
    angle=scene_rng.uniform(0, math.tau),
    light_level=scene_rng.uniform(0.8, 1.2),
    light_angle=scene_rng.uniform(0, math.tau),
    light_slope=scene_rng.uniform(0.05, 0.25),
  )
  draw_defect = DEFECTS.get(defect_type, lambda rng: Defect())
  return scene, draw_defect(defect_rng), grain_rng


def render(scene: Scene, defect: Defect, size: int) -> np.ndarray:
  """Renders a part without noise, float32 [size, size, 3], RGB in [0, 1]."""
  step = 2 / (size * SUPERSAMPLING)
  axis = np.arange(size * SUPERSAMPLING, dtype=np.float32) * step
  x, y = np.meshgrid(axis + (step / 2 - 1), axis + (step / 2 - 1))
  light_x, light_y = math.cos(scene.light_angle), math.sin(scene.light_angle)
  u, v = _part_coordinates(x, y, scene, defect)
  distance = _signed_distance(u, v, defect)
  height = _height(u, v, distance) + defect.relief(u, v)
  slope_y, slope_x = np.gradient(height, step)
  # A lathe-turned face reflects in two opposite sectors, across its grooves.
  x_part, y_part = x - scene.center[0], y - scene.center[1]
  towards = (x_part * light_x + y_part * light_y) ** 2
  sheen = 2 * towards / (x_part**2 + y_part**2 + 1e-6) - 1
  shade = 1 - RELIEF_CONTRAST * (slope_x * light_x + slope_y * light_y)
  shade = np.clip(shade + SHEEN_CONTRAST * sheen, 0.3, 1.6)
  cover = np.array(defect.color, np.float32) - METAL
  metal = METAL + defect.opacity(u, v)[..., None] * cover
  metal *= shade[..., None]
  # The shadow is the outline shifted away from the light.
  x_lit, y_lit = x + SHADOW * light_x, y + SHADOW * light_y
  u_lit, v_lit = _part_coordinates(x_lit, y_lit, scene, defect)
  lit = smoothstep(-SHADOW, SHADOW, _signed_distance(u_lit, v_lit, defect))
  belt = (0.4 + 0.6 * lit)[..., None] * BELT
  coverage = np.clip(0.5 - distance / step, 0, 1)[..., None]
  image = belt + coverage * (metal - belt)
  gain = 1 + scene.light_slope * (x * light_x + y * light_y)
  image *= scene.light_level * gain[..., None]
  blocks = image.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3)
  return np.clip(blocks.mean(axis=(1, 3)), 0, 1)


def _part_coordinates(x, y, scene, defect):
  x, y = x - scene.center[0], y - scene.center[1]
  cosine, sine = math.cos(scene.angle), math.sin(scene.angle)
  return defect.warp(cosine * x + sine * y, cosine * y - sine * x)


def _signed_distance(u, v, defect):
  """Returns the signed distance to the edge of the part, < 0 on the metal."""
  radius, angle = np.sqrt(u * u + v * v), np.arctan2(v, u)
  along, across, tooth = _fold(radius, angle, NUM_TEETH)
  heights = np.array(defect.tooth_heights, np.float32)
  rise = along - ROOT_RADIUS
  flank = np.abs(across) - TOOTH_HALF_WIDTH + TOOTH_TAPER * rise
  teeth = np.maximum(flank, rise - TOOTH_HEIGHT * heights[tooth])
  outline = np.minimum(radius - ROOT_RADIUS, teeth)
  along, across, _ = _fold(radius, angle, NUM_BOLTS)
  bolts = np.sqrt((along - BOLT_CIRCLE) ** 2 + across**2) - BOLT_RADIUS
  reach = np.abs(u - KEYWAY_REACH / 2) - KEYWAY_REACH / 2
  keyway = np.maximum(reach, np.abs(v) - KEYWAY_HALF_WIDTH)
  bore = np.minimum(radius - BORE_RADIUS, keyway)
  return np.maximum(outline, -np.minimum(bolts, bore))


def _fold(radius, angle, count):
  """Rotates `count` equal sectors onto the first; also returns their index."""
  sector = np.rint(angle * (count / math.tau))
  angle = angle - sector * (math.tau / count)
  index = sector.astype(np.int32) % count
  return radius * np.cos(angle), radius * np.sin(angle), index


def _height(u, v, distance):
  depth = np.clip(-distance / BEVEL_WIDTH, 0, 1)
  radius = np.sqrt(u * u + v * v)
  web = smoothstep(WEB_INNER, WEB_INNER + 0.06, radius)
  web -= smoothstep(WEB_OUTER, WEB_OUTER + 0.06, radius)
  return BEVEL_SLOPE * BEVEL_WIDTH * depth * (2 - depth) - WEB_DEPTH * web
