"""Generator and discriminator of DCGAN (Radford et al. 2016), as in AnoGAN.

Convolutions have 5×5 taps and stride 2. Only layers without a norm after them
have a bias, since elsewhere it would have no effect.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import ModuleDef, UpConv, leaky_relu
from afgan_jax.ops.conv5x5 import conv, conv_transpose

# Side of the innermost level in pixels.
INNERMOST = 4


class UpConv5x5(UpConv):
  """A 5×5 transposed convolution of stride 2; doubles height and width.

  Attributes: see `UpConv`.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, 2h, 2w, features]."""
    kernel = self.param(
      'kernel',
      nn.initializers.lecun_normal(),
      (5, 5, x.shape[-1], self.features),
    )
    y = conv_transpose(x.astype(self.dtype), kernel.astype(self.dtype))
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
      y += bias.astype(self.dtype)
    return y


class LatentGenerator(nn.Module):
  """Generates images from latent vectors.

  Attributes:
    features: number of features at each level, from the image inwards; the
      image's side is 4 · 2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, latent: jax.Array, *, train: bool) -> jax.Array:
    """Generates images.

    Args:
      latent: z, float32 [batch, latent_features].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """

    def activate(x: jax.Array, level: int) -> jax.Array:
      norm = self.norm(use_running_average=not train, name=f'norm_{level}')
      return nn.relu(norm(x))

    innermost = len(self.features)
    x = nn.Dense(
      INNERMOST**2 * self.features[-1],
      use_bias=False,
      dtype=self.dtype,
      name='project',
    )(latent)
    x = x.reshape(-1, INNERMOST, INNERMOST, self.features[-1])
    x = activate(x, innermost)
    for level in reversed(range(1, innermost)):
      features = self.features[level - 1]
      x = UpConv5x5(features, dtype=self.dtype, name=f'conv_{level}')(x)
      x = activate(x, level)
    # The output is compared with the image, so it is not rounded to `dtype`.
    return jnp.tanh(UpConv5x5(3, use_bias=True, name='conv_0')(x))


class FeatureDiscriminator(nn.Module):
  """Classifies images and returns the features of its last convolution.

  The first level has no norm. The sigmoid is part of the loss.

  Attributes: see `LatentGenerator`.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The logit that each image is real, [batch], and the activations of the
      last convolution, [batch, 16 · features[-1]]; both float32.
    """
    x = image.astype(self.dtype)
    for level, features in enumerate(self.features):
      x = nn.Conv(
        features,
        (5, 5),
        strides=2,
        use_bias=level == 0,
        dtype=self.dtype,
        conv_general_dilated=_conv,
        name=f'conv_{level}',
      )(x)
      if level:
        x = self.norm(use_running_average=not train, name=f'norm_{level}')(x)
      x = leaky_relu(x)
    # Losses and scores depend on these, so they are not rounded to `dtype`.
    x = x.reshape(x.shape[0], -1).astype(jnp.float32)
    return nn.Dense(1, dtype=jnp.float32, name='head')(x)[:, 0], x


def _conv(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
  """Replaces `lax.conv_general_dilated` in `FeatureDiscriminator`."""
  return conv(x, kernel)
