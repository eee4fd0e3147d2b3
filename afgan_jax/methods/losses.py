"""Computes the losses of §3.3 in float32."""

from typing import Any

import jax.numpy as jnp
import optax
from jax import nn

from afgan_jax.ops.filters import smooth_map
from afgan_jax.ops.types import (
  Examples,
  Images,
  Maps,
  Masks,
  Scalar,
  Values,
  Vectors,
)

# SSIM (Wang et al. 2004): standard deviation of the window in pixels, and the
# constants C1 and C2 for intensities in [0, 1].
_SSIM_WINDOW = 1.5
_SSIM_MEAN = 0.01**2
_SSIM_VARIANCE = 0.03**2


def discriminator_loss(real_logit: Values, fake_logit: Values) -> Scalar:
  """Computes the adversarial loss of the discriminator, −L_adv of eq 9.

  Args:
    real_logit: of defect-free images, [batch].
    fake_logit: of reconstructions, [batch].

  Returns:
    BCE(real, 1) + BCE(fake, 0), a scalar.
  """
  real = optax.sigmoid_binary_cross_entropy(
    real_logit, jnp.ones_like(real_logit)
  )
  fake = optax.sigmoid_binary_cross_entropy(
    fake_logit, jnp.zeros_like(fake_logit)
  )
  return jnp.mean(real) + jnp.mean(fake)


def adversarial_loss(fake_logit: Values) -> Scalar:
  """Computes the generator's adversarial loss, the non-saturating BCE(fake, 1).

  Eq 9 as written gives the generator no gradient while the discriminator wins;
  this is the usual replacement (Goodfellow et al. 2014, §3).

  Args:
    fake_logit: of reconstructions, [batch].

  Returns:
    A scalar.
  """
  return jnp.mean(
    optax.sigmoid_binary_cross_entropy(fake_logit, jnp.ones_like(fake_logit))
  )


def reconstruction_error(image: Images, reconstruction: Images) -> Values:
  """Computes the L1 loss of eq 10, a mean over pixels and channels.

  Args:
    image: [batch, h, w, c], in [-1, 1].
    reconstruction: of the same shape.

  Returns:
    [batch], in [0, 2].
  """
  return jnp.mean(jnp.abs(image - reconstruction), axis=(1, 2, 3))


def squared_error(x: Examples, y: Examples) -> Values:
  """Computes the mean square of x − y of each example.

  Args:
    x: [batch, ...].
    y: of the same shape.

  Returns:
    [batch], at least 0.
  """
  return jnp.mean(jnp.square(x - y).reshape(x.shape[0], -1), axis=-1)


def absolute_sum(x: Examples, y: Examples) -> Values:
  """Computes the sum of |x − y| of each example.

  Args:
    x: [batch, ...].
    y: of the same shape.

  Returns:
    [batch], at least 0.
  """
  return jnp.sum(jnp.abs(x - y).reshape(x.shape[0], -1), axis=-1)


def latent_error(real_latent: Vectors, fake_latent: Vectors) -> Values:
  """Computes the latent loss of eq 11, a mean square as in Skip-GANomaly.

  Args:
    real_latent: f(x), [batch, features].
    fake_latent: f(G(x)), of the same shape.

  Returns:
    [batch], at least 0.
  """
  return jnp.mean(jnp.square(real_latent - fake_latent), axis=-1)


def ssim_error(image: Images, reconstruction: Images) -> Values:
  """Computes 1 − the mean structural similarity (SSIM, Wang et al. 2004).

  Intensities are mapped to [0, 1] first: SSIM compares local means, and its
  luminance term changes sign if they have opposite signs.

  Args:
    image: [batch, size, size, c], in [-1, 1].
    reconstruction: of the same shape.

  Returns:
    [batch], in [0, 2].
  """
  batch, size, _, channels = image.shape

  def planes(x: Any) -> Any:
    x = (x + 1) / 2
    return jnp.moveaxis(x, -1, 1).reshape(batch * channels, size, size)

  def local_mean(x: Any) -> Any:
    return smooth_map(x, sigma=_SSIM_WINDOW / size)

  x, y = planes(image), planes(reconstruction)
  mean_x, mean_y = local_mean(x), local_mean(y)
  variance_x = local_mean(x**2) - mean_x**2
  variance_y = local_mean(y**2) - mean_y**2
  covariance = local_mean(x * y) - mean_x * mean_y
  similarity = (
    (2 * mean_x * mean_y + _SSIM_MEAN)
    / (mean_x**2 + mean_y**2 + _SSIM_MEAN)
    * (2 * covariance + _SSIM_VARIANCE)
    / (variance_x + variance_y + _SSIM_VARIANCE)
  )
  return 1 - jnp.mean(similarity.reshape(batch, -1), axis=-1)


def gradient_error(image: Images, reconstruction: Images) -> Values:
  """Computes the L1 distance of image gradients, by finite differences.

  Args:
    image: [batch, h, w, c], in [-1, 1].
    reconstruction: of the same shape.

  Returns:
    [batch], in [0, 8]: the mean distance along rows plus that along columns.
  """
  residual = image - reconstruction
  return sum(
    jnp.mean(jnp.abs(jnp.diff(residual, axis=axis)), axis=(1, 2, 3))
    for axis in (1, 2)
  )


def segmentation_loss(
  logits: Maps, mask: Masks | Maps, *, focus: float
) -> Scalar:
  """Computes the focal loss of pixels (Lin et al., ICCV 2017).

  `optax.losses.sigmoid_focal_loss` differs by rounding errors, and a resumed
  run must continue exactly.

  Args:
    logits: of defective pixels, [batch, size, size].
    mask: ground truth, bool of the same shape, or graded labels in [0, 1], for
      which it is the quality focal loss (Li et al., NeurIPS 2020).
    focus: γ, how much less well-classified pixels count; 0 for cross entropy.

  Returns:
    A scalar, the mean over all pixels.
  """
  cross_entropy = optax.sigmoid_binary_cross_entropy(
    logits, mask.astype(jnp.float32)
  )
  if mask.dtype != bool:
    return jnp.mean(_graded_focus(logits, mask, focus) * cross_entropy)
  # 1 − the probability of the true class.
  error = -jnp.expm1(-cross_entropy)
  if focus < 1:  # At 0 the power's gradient is infinite, and the product's NaN.
    error = jnp.where(cross_entropy > 0, error, 1.0)
  return jnp.mean(error**focus * cross_entropy)


def _graded_focus(logits: Maps, labels: Maps, focus: float) -> Maps | float:
  """Returns |label − probability|^focus, as the mask's for labels 0 and 1."""
  if not focus:
    return 1.0
  error = jnp.abs(labels - nn.sigmoid(logits))
  # At 0 a root's gradient is infinite.
  return (jnp.maximum(error, 1e-6) if focus < 1 else error) ** focus
