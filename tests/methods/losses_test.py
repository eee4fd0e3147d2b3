import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from scipy import ndimage

from afgan_jax.methods import losses

LOG2 = np.log(2)


def test_discriminator_loss_by_hand():
  # An undecided discriminator pays log 2 for each side.
  loss = losses.discriminator_loss(jnp.zeros(3), jnp.zeros(3))
  np.testing.assert_allclose(loss, 2 * LOG2, rtol=1e-6)
  # −log σ(2) and −log(1 − σ(−1)) = −log σ(1).
  loss = losses.discriminator_loss(jnp.array([2.0]), jnp.array([-1.0]))
  np.testing.assert_allclose(loss, 0.126928 + 0.313262, rtol=1e-5)


def test_adversarial_loss_wants_the_fake_to_pass():
  np.testing.assert_allclose(
    losses.adversarial_loss(jnp.array([0.0, 2.0])),
    (LOG2 + 0.126928) / 2,
    rtol=1e-5,
  )


def test_losses_of_extreme_logits_are_finite():
  huge = jnp.array([1e4])
  np.testing.assert_allclose(losses.adversarial_loss(-huge), 1e4)
  np.testing.assert_allclose(losses.discriminator_loss(-huge, huge), 2e4)


def test_reconstruction_error_is_a_mean_over_pixels_and_channels():
  image = jnp.zeros((2, 4, 4, 3))
  other = image.at[1, 0, 0].set(jnp.array([0.5, -0.25, 0.25]))
  np.testing.assert_allclose(
    losses.reconstruction_error(image, other), [0, 1 / 48], rtol=1e-6
  )


def test_latent_error_is_a_mean_square():
  real = jnp.array([[1.0, 2.0], [0.0, 0.0]])
  fake = jnp.array([[1.0, 4.0], [3.0, -1.0]])
  np.testing.assert_allclose(losses.latent_error(real, fake), [2, 5])


def _ssim(x, y):
  """Computes SSIM of images in [0, 1] by its definition, window by window."""
  size = len(x)
  radius = 6  # Four standard deviations.
  offsets = np.arange(-radius, radius + 1)
  weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
  weights /= weights.sum()
  padding = ((radius, radius), (radius, radius))
  x, y = (np.pad(z, padding, mode='symmetric') for z in (x, y))
  values = []
  for i in range(size):
    for j in range(size):
      window = np.s_[i : i + 2 * radius + 1, j : j + 2 * radius + 1]
      mean_x, mean_y = (np.sum(weights * z[window]) for z in (x, y))
      dx, dy = x[window] - mean_x, y[window] - mean_y
      var_x, var_y, cov = (np.sum(weights * z) for z in (dx**2, dy**2, dx * dy))
      luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
      values.append(luminance * (2 * cov + 9e-4) / (var_x + var_y + 9e-4))
  return np.mean(values)


def test_ssim_error_against_the_definition():
  rng = np.random.default_rng(0)
  x = rng.uniform(0, 1, (2, 12, 12, 3))
  y = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1)
  expected = [
    1 - np.mean([_ssim(x[i, ..., c], y[i, ..., c]) for c in range(3)])
    for i in range(2)
  ]
  got = losses.ssim_error(jnp.asarray(2 * x - 1), jnp.asarray(2 * y - 1))
  np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_structural_similarity_is_that_of_scipys_gaussian_windows():
  rng = np.random.default_rng(0)
  x = rng.uniform(0, 1, (2, 16, 16, 3))
  y = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1)

  def local_mean(z):
    return ndimage.gaussian_filter(z, (0, 1.5, 1.5, 0), truncate=4)

  mean_x, mean_y = local_mean(x), local_mean(y)
  covariance = local_mean(x * y) - mean_x * mean_y
  variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
  similarity = (
    (2 * mean_x * mean_y + 0.0001)
    * (2 * covariance + 0.0009)
    / ((mean_x**2 + mean_y**2 + 0.0001) * (variances + 0.0009))
  )
  expected = 1 - similarity.mean(axis=(1, 2, 3))
  x, y = jnp.asarray(2 * x - 1), jnp.asarray(2 * y - 1)
  np.testing.assert_allclose(losses.ssim_error(x, y), expected, rtol=1e-4)
  np.testing.assert_allclose(losses.ssim_error(x, x), 0, atol=1e-5)


def test_ssim_error_of_flat_images_by_hand():
  # Intensities 0.1 and 0.9 have luminance (2 · 0.09 + C1) / (0.82 + C1).
  dark = jnp.full((1, 8, 8, 3), -0.8)
  bright = -dark
  np.testing.assert_allclose(
    losses.ssim_error(dark, bright), 1 - 0.1801 / 0.8201, rtol=1e-4
  )
  np.testing.assert_allclose(losses.ssim_error(dark, dark), 0, atol=1e-5)


def test_ssim_error_is_symmetric_and_bounded():
  rng = np.random.default_rng(0)
  x, y = (jnp.asarray(rng.uniform(-1, 1, (4, 8, 8, 3))) for _ in range(2))
  error = losses.ssim_error(x, y)
  np.testing.assert_allclose(error, losses.ssim_error(y, x), rtol=1e-5)
  # An inverted image has the opposite structure.
  inverted = losses.ssim_error(x, -x)
  assert np.all(inverted > 1) and np.all(inverted <= 2)
  assert np.all(error > 0) and np.all(error <= 2)


def test_ssim_error_grows_with_the_difference_of_brightness():
  structure = np.random.default_rng(0).uniform(-0.1, 0.1, (1, 16, 16, 3))
  middle = jnp.asarray(structure)
  errors = [
    float(losses.ssim_error(middle - shift, middle + shift)[0])
    for shift in (0.0, 0.2, 0.5, 0.8)
  ]
  assert abs(errors[0]) < 1e-5
  assert errors == sorted(errors)
  # The structure is the same, so similarity stays positive.
  assert errors[-1] < 1


def test_focal_loss_by_hand():
  logits = jnp.array([[[0.0, 2.0], [-1.0, 0.0]]])
  mask = jnp.array([[[True, True], [False, False]]])
  # Probabilities of the right answers, and −log of them.
  right = np.array([0.5, 0.880797, 0.731059, 0.5])
  for focus in (0.0, 2.0):
    expected = np.mean((1 - right) ** focus * -np.log(right))
    got = losses.segmentation_loss(logits, mask, focus=focus)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize('focus', [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_of_certain_pixels_is_finite_and_so_is_its_gradient(focus):
  logits = jnp.array([[[1e4, -1e4, 60.0, 200.0, -1e4]]])
  mask = jnp.array([[[False, True, True, True, False]]])
  value, gradient = jax.value_and_grad(
    lambda x: losses.segmentation_loss(x, mask, focus=focus)
  )(logits)
  np.testing.assert_allclose(value, 2e4 / 5, rtol=1e-6)
  # Where it is certainly wrong the loss is the logit's size, else nothing.
  np.testing.assert_allclose(
    gradient, [[[0.2, -0.2, 0.0, 0.0, 0.0]]], atol=1e-20
  )


@pytest.mark.parametrize('focus', [0.0, 0.5, 1.0, 2.0])
def test_gradient_of_the_focal_loss_is_that_of_differences(focus):
  logits = np.random.default_rng(0).normal(0, 3, (2, 4, 4))
  mask = np.random.default_rng(1).uniform(size=logits.shape) < 0.3

  def pixels(x):  # In double precision, by the definition.
    right = 1 / (1 + np.exp(np.where(mask, -x, x)))
    return (1 - right) ** focus * -np.log(right) / x.size

  expected = (pixels(logits + 1e-5) - pixels(logits - 1e-5)) / 2e-5
  gradient = jax.grad(
    lambda x: losses.segmentation_loss(x, jnp.asarray(mask), focus=focus)
  )(jnp.asarray(logits, jnp.float32))
  np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
  'shape', [(2, 4, 4, 1), (1, 4, 4, 3), (2, 4, 1, 3), (4, 4, 3)]
)
def test_images_of_other_shapes_are_not_broadcast(shape):
  image = np.zeros((2, 4, 4, 3), np.float32)
  for loss in (losses.reconstruction_error, losses.ssim_error):
    with pytest.raises(jaxtyping.TypeCheckError):
      loss(image, np.zeros(shape, np.float32))


@pytest.mark.parametrize('focus', [0.0, 0.5, 1.0, 2.0])
def test_loss_of_graded_labels_is_the_quality_focal_loss(focus):
  rng = np.random.default_rng(0)
  logits = rng.normal(0, 3, (2, 4, 4))
  labels = rng.uniform(size=logits.shape)

  def pixels(x):  # In double precision, by the definition.
    p = 1 / (1 + np.exp(-x))
    entropy = -labels * np.log(p) - (1 - labels) * np.log(1 - p)
    return np.abs(labels - p) ** focus * entropy / x.size

  value, gradient = jax.value_and_grad(
    lambda x: losses.segmentation_loss(
      x, jnp.asarray(labels, jnp.float32), focus=focus
    )
  )(jnp.asarray(logits, jnp.float32))
  np.testing.assert_allclose(value, pixels(logits).sum(), rtol=1e-5)
  expected = (pixels(logits + 1e-5) - pixels(logits - 1e-5)) / 2e-5
  np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('focus', [0.0, 0.5, 1.0, 2.0])
def test_labels_0_and_1_are_the_mask(focus):
  rng = np.random.default_rng(0)
  logits = jnp.asarray(rng.normal(0, 3, (2, 4, 4)), jnp.float32)
  mask = rng.uniform(size=logits.shape) < 0.3
  binary, graded = (
    losses.segmentation_loss(logits, jnp.asarray(labels), focus=focus)
    for labels in (mask, mask.astype(np.float32))
  )
  np.testing.assert_allclose(graded, binary, rtol=1e-5)


@pytest.mark.parametrize('focus', [0.0, 0.5, 2.0])
def test_a_pixel_as_likely_as_its_label_has_a_finite_gradient(focus):
  gradient = jax.grad(
    lambda x: losses.segmentation_loss(x, jnp.full((1, 1, 2), 0.5), focus=focus)
  )(jnp.zeros((1, 1, 2)))
  np.testing.assert_allclose(gradient, 0, atol=1e-6)
