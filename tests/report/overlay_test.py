import numpy as np
import pytest

from afgan_jax.report.overlay import color_table, overlay
from afgan_jax.system.errors import UsageError


def test_seven_tenths_heat_and_three_tenths_image():
  colors = np.zeros((256, 3), np.uint8)
  colors[255] = 200, 100, 0
  image = np.full((1, 3, 3), 50, np.uint8)
  heat = np.array([[0.0, 1.0, 7.0]])  # Beyond 1 is shown as 1.
  mixed = overlay(image, heat, colors)
  hot = [0.7 * 200 + 15, 0.7 * 100 + 15, 15]
  np.testing.assert_array_equal(mixed, [[[15, 15, 15], hot, hot]])


@pytest.mark.parametrize('name', ['inferno', 'jet'])
def test_color_table(name):
  colors = color_table(name)
  assert colors.shape == (256, 3) and colors.dtype == np.uint8
  assert len(np.unique(colors, axis=0)) > 200


def test_jet_goes_from_blue_to_red():
  colors = color_table('jet').astype(int)
  assert colors[0].argmax() == 2 and colors[255].argmax() == 0


def test_unknown_color_map():
  with pytest.raises(UsageError, match='colormap'):
    color_table('rainbows')
