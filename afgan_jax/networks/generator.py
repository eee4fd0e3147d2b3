"""The generator: encoder, decoder and skip connections (§3.1.1)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import DownConv, ModuleDef, UpConv, leaky_relu
from afgan_jax.ops.filters import high_pass


class Encoder(nn.Module):
  """Downsamples the image by two at each level, to 1×1 in the generator (eq 1).

  The first and the innermost level have no norm, as in Skip-GANomaly.

  Attributes:
    features: number of features of each level.
    norm: creates a norm.
    dtype: compute type.
    innermost_norm: whether the innermost level has a norm after all.
    attention: creates a module that ends a level and keeps its shape; None for
      no such module.
    attention_levels: number of levels with attention, from the first.
    refine: creates a module that follows each level, called with the number of
      features; None for no such module.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32
  innermost_norm: bool = False
  attention: ModuleDef | None = None
  attention_levels: int = 0
  refine: ModuleDef | None = None

  @nn.compact
  def __call__(self, x: jax.Array) -> list[jax.Array]:
    """Maps [batch, size, size, channels] to the features of each level.

    Level i of the result is [batch, size/2^(i+1), size/2^(i+1), features[i]];
    the last is the latent vector z.
    """
    pyramid = []
    num_normed = len(self.features) - (not self.innermost_norm)
    for level, features in enumerate(self.features):
      x = DownConv(features, self.dtype, name=f'conv_{level}')(x)
      if 0 < level < num_normed:
        x = self.norm(name=f'norm_{level}')(x)
      x = leaky_relu(x)
      if self.attention is not None and level < self.attention_levels:
        x = self.attention(name=f'attention_{level}')(x)
      if self.refine is not None:
        x = self.refine(features, name=f'refine_{level}')(x)
      pyramid.append(x)
    return pyramid


class Decoder(nn.Module):
  """Upsamples the innermost level by two at each level, to the image (eq 2).

  Attributes:
    features: number of features of each level of the encoder.
    norm: creates a norm.
    fusion: creates a skip connection, called with the features of the encoder
      and the decoder at equal resolution; None for no connection.
    dtype: compute type.
    out_features: number of features of the output.
    use_bias: whether to add a bias to the output.
    refine: as in `Encoder`; follows the skip connections.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  fusion: ModuleDef | None
  dtype: Any = jnp.float32
  out_features: int = 3
  use_bias: bool = True
  refine: ModuleDef | None = None

  @nn.compact
  def __call__(self, pyramid: list[jax.Array]) -> jax.Array:
    """Maps the encoder's levels to [batch, size, size, out_features]."""
    x = pyramid[-1]
    for level in reversed(range(1, len(self.features))):
      features = self.features[level - 1]
      x = UpConv(features, dtype=self.dtype, name=f'conv_{level}')(x)
      x = nn.relu(self.norm(name=f'norm_{level}')(x))
      if self.fusion is not None:
        x = self.fusion(name=f'fusion_{level}')(pyramid[level - 1], x)
      if self.refine is not None:
        x = self.refine(features, name=f'refine_{level}')(x)
    # The output is compared with the image, so it is not rounded to `dtype`.
    return UpConv(self.out_features, self.use_bias, name='conv_0')(x)


class Concatenation(nn.Module):
  """The plain skip connection, "Connection" in Table 4."""

  @nn.compact
  def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
    """Concatenates two [batch, h, w, c] to [batch, h, w, 2c]."""
    return jnp.concatenate([x, y], axis=-1)


class Generator(nn.Module):
  """Reconstructs images without defects: x' = f_De(f_En(x)).

  Attributes:
    features: number of features of each level; the image's side is
      2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    fusion: as in `Decoder`, called with `norm` as well; None for no connection.
    fusion_norm: creates the norms of fusions.
    dtype: compute type.
    cutoff: of the high-pass filter of its input, in cycles per pixel; None for
      no filter. The first layer then sees one grey channel.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  fusion: ModuleDef | None
  fusion_norm: ModuleDef
  dtype: Any = jnp.float32
  cutoff: float | None = None

  @nn.compact
  def __call__(self, image: jax.Array, *, train: bool) -> jax.Array:
    """Reconstructs images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    fusion_norm = functools.partial(
      self.fusion_norm, use_running_average=not train
    )

    def fusion(name: str) -> nn.Module:
      return self.fusion(norm=fusion_norm, name=name)

    seen = image
    if self.cutoff is not None:
      grey = high_pass(image.astype(jnp.float32), cutoff=self.cutoff)
      seen = grey[..., None]
    pyramid = Encoder(self.features, norm, self.dtype, name='encoder')(
      seen.astype(self.dtype)
    )
    x = Decoder(
      self.features,
      norm,
      fusion if self.fusion else None,
      self.dtype,
      name='decoder',
    )(pyramid)
    return jnp.tanh(x)
