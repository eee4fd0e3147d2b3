import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from afgan_jax.ops.warp import Motion, draw_motion, sample, warp

SIZE = 8


def _image(size=SIZE):
  return np.random.default_rng(0).uniform(-1, 1, (size, size, 3)).astype('f4')


def _motion(angle=0.0, scale=1.0, shift=(0.0, 0.0), flip=(1.0, 1.0)):
  return Motion(*map(jnp.asarray, (angle, scale, shift, flip)))


def test_no_motion_gives_the_image_back():
  np.testing.assert_array_equal(warp(_image(), _motion()), _image())


@pytest.mark.parametrize(
  ('motion', 'expected'),
  [
    ({'flip': (-1.0, 1.0)}, lambda x: x[::-1]),
    ({'flip': (1.0, -1.0)}, lambda x: x[:, ::-1]),
    ({'angle': np.pi / 2}, lambda x: np.rot90(x, -1)),
    ({'angle': np.pi}, lambda x: x[::-1, ::-1]),
    # Two pixels down; the rows above come from the mirrored image.
    ({'shift': (0.25, 0.0)}, lambda x: np.concatenate([x[1::-1], x[:-2]])),
    ({'scale': 2.0}, lambda x: _twice_as_large(x)),
  ],
)
def test_motions_that_numpy_knows(motion, expected):
  moved = warp(_image(), _motion(**motion))
  np.testing.assert_allclose(moved, expected(_image()), atol=2e-6)


def _twice_as_large(x):
  grid = (np.arange(SIZE) + 0.5 - SIZE / 2) / 2 + SIZE / 2 - 0.5
  rows, columns = np.meshgrid(grid, grid, indexing='ij')
  return np.stack(
    [
      ndimage.map_coordinates(x[..., c], [rows, columns], order=1)
      for c in range(3)
    ],
    axis=-1,
  )


def test_samples_are_those_of_scipy_inside_and_far_outside():
  rng = np.random.default_rng(1)
  rows, columns = rng.uniform(-20, 30, (2, 50)).astype('f4')
  expected = ndimage.map_coordinates(
    _image()[..., 0], [rows, columns], order=1, mode='grid-mirror'
  )
  got = sample(_image(), rows, columns)[..., 0]
  np.testing.assert_allclose(got, expected, atol=1e-5)


def test_drawn_motions_stay_within_their_ranges_and_fill_them():
  draw = jax.vmap(
    lambda key: draw_motion(
      key, rotation=30.0, scale=(0.5, 2.0), shift=0.1, flip_rows=True
    )
  )
  motion = draw(jax.random.split(jax.random.key(0), 400))
  for values, low, high in (
    (np.rad2deg(motion.angle), -30, 30),
    (motion.scale, 0.5, 2.0),
    (motion.shift, -0.1, 0.1),
  ):
    span = high - low
    assert low <= values.min() < low + 0.05 * span
    assert high - 0.05 * span < values.max() <= high * (1 + 1e-6)
  rows, columns = np.asarray(motion.flip).T
  assert set(rows) == {-1, 1} and set(columns) == {1}
  assert 0.4 < np.mean(rows == 1) < 0.6
