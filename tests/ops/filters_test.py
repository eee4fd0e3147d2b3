import functools

import jax
import numpy as np
import pytest

from afgan_jax.ops.filters import high_pass

SIZE = 32


def _images(seed=0, size=SIZE):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)


def _filter(images, cutoff):
  return np.asarray(
    jax.jit(functools.partial(high_pass, cutoff=cutoff))(images)
  )


def _by_fourier_transform(grey, cutoff):
  """Filters the image with its mirror images, in float64."""
  size = len(grey)
  whole = np.block(
    [[grey, grey[:, ::-1]], [grey[::-1], grey[::-1, ::-1]]]
  ).astype(np.float64)
  frequencies = np.fft.fftfreq(2 * size)  # In cycles per pixel.
  squared = frequencies[:, None] ** 2 + frequencies**2
  gain = squared**2 / (squared**2 + cutoff**4)
  return np.fft.ifft2(gain * np.fft.fft2(whole)).real[:size, :size]


@pytest.mark.parametrize('size', [16, 64])
@pytest.mark.parametrize('cutoff', [0.01, 30 / 256, 0.5])
def test_agrees_with_the_fourier_transform_of_the_mirrored_image(size, cutoff):
  images = _images(size=size)
  got = _filter(images, cutoff)
  assert got.shape == (2, size, size) and got.dtype == np.float32
  want = [_by_fourier_transform(x.mean(axis=-1), cutoff) for x in images]
  np.testing.assert_allclose(got, want, atol=2e-6)


def test_a_lamp_that_adds_light_changes_nothing():
  images = _images()
  np.testing.assert_allclose(
    _filter(images + 0.5, 0.1), _filter(images, 0.1), atol=3e-6
  )
  np.testing.assert_allclose(_filter(0 * images + 0.7, 0.1), 0, atol=1e-6)


def test_a_wave_of_the_cutoff_frequency_is_halved():
  # A cosine of 4 half periods in the image, 1/16 cycles a pixel.
  wave = np.cos(2 * np.pi * (np.arange(SIZE) + 0.5) / 16)
  images = np.broadcast_to(wave[:, None], (SIZE, SIZE))[None, ..., None]
  got = _filter(images.astype(np.float32), 1 / 16)
  np.testing.assert_allclose(got, images[..., 0] / 2, atol=1e-6)


def test_colour_alone_is_not_seen():
  tint = np.array([0.3, -0.1, -0.2], np.float32)
  np.testing.assert_allclose(
    _filter(_images() + tint, 0.1), _filter(_images(), 0.1), atol=1e-6
  )
