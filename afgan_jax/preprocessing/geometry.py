"""Locates the square that networks see in images of any shape."""

import dataclasses

import numpy as np

from afgan_jax.preprocessing import registration
from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.pose import find_object, reduce_image

GEOMETRIES = ('stretch', 'pad', 'object', 'tiles')


@dataclasses.dataclass(frozen=True)
class Geometry:
  """The mapping to the square, the same for all images of a set.

  Attributes:
    kind: 'stretch' maps the whole image to the square; 'pad' first repeats the
      edge pixels until the image is square; 'object' crops a window around the
      object, rotated so that its longest axis lies along the rows with the
      heavier end to the left, or as on the template, and maps it to the square;
      'tiles' cuts squares of one scale, see `tiling`, and here maps as
      'stretch'.
    window: for 'object', extent of the window across and along that axis, as
      fractions of the image's longer side.
    scale: for 'tiles', pixels of a tile for each pixel of the image.
    template: for 'object', which rotates an object without a long axis to the
      direction that it has there, see `registration.encode`; '' for the axis.
  """

  kind: str = 'stretch'
  window: tuple[float, float] = (1.0, 1.0)
  scale: float = 1.0
  template: str = ''

  @property
  def in_tiles(self) -> bool:
    """True if images are divided into tiles."""
    return self.kind == 'tiles'

  def frame(self, image: np.ndarray) -> Frame:
    """Locates the square in an image.

    Args:
      image: uint8 [height, width, 3].

    Returns:
      The square's frame.

    Raises:
      ValueError: if the kind is left to the program, which chooses it before
        training, see `datasets.geometry_choice`.
    """
    if self.kind not in GEOMETRIES:
      raise ValueError(f'{self.kind!r} is not one of {", ".join(GEOMETRIES)}')
    height, width = image.shape[:2]
    side = max(height, width)
    if self.kind == 'object':
      center, axis = self._locate(image, side)
      along = side * self.window[1] * axis
      across = side * self.window[0] * np.array([-axis[1], axis[0]])
      corner = center - along / 2 - across / 2
      matrix = np.stack([along, across, corner], axis=1)
      return Frame(height, width, matrix, is_turned=True)
    if self.kind == 'pad':
      # An odd pixel is added at the bottom or the right.
      left, top = (side - width) // 2, (side - height) // 2
      matrix = [[side, 0, -left], [0, side, -top]]
    else:
      matrix = [[width, 0, 0], [0, height, 0]]
    return Frame(height, width, np.array(matrix, float))

  def _locate(
    self, image: np.ndarray, side: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns centre and axis of the object, see `Pose`."""
    if not self.template:
      pose = find_object(image)
      return pose.center, pose.axis
    # Once for both searches.
    small, factor = reduce_image(image)
    template = registration.decode(self.template)
    radius = side * max(self.window) / 2 / factor
    center, angle = registration.register(
      small, find_object(small).center, radius, template
    )
    return factor * center, np.array([np.cos(angle), np.sin(angle)])


STRETCH = Geometry()
