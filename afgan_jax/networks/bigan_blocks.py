"""Residual blocks of CBiGAN, without norms, and their initial weights."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.initialize import STANDARD_DEVIATION, initialize_on
from afgan_jax.networks.layers import SameConv, leaky_relu

# Features of the levels, outermost first, as multiples of the first's.
_MULTIPLES = (1, 2, 3, 4, 8, 16)
# Side of the innermost level of the generator.
INNERMOST = 2


def num_halvings(size: int) -> int:
  """Returns the number of times a side can be halved, down to 2."""
  return round(math.log2(size / INNERMOST))


def residual_features(base: int, size: int) -> tuple[int, ...]:
  """Returns the features of each level, outermost first.

  Six levels for 64 and 128 px, as published; of other sizes the innermost
  levels are left out or repeated.

  Args:
    base: features of the first level.
    size: side of the image in pixels.
  """
  halvings = num_halvings(size)
  num_levels = max(halvings, min(halvings + 1, len(_MULTIPLES)))
  repeated = [_MULTIPLES[-1]] * (num_levels - len(_MULTIPLES))
  return tuple(
    base * multiple for multiple in [*_MULTIPLES[:num_levels], *repeated]
  )


class ResidualBlock(nn.Module):
  """Two 3×3 convolutions and a 1×1 one beside a 1×1 shortcut.

  Attributes:
    features: number of output features.
    dtype: compute type.
  """

  features: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, h, w, features]."""

    y = leaky_relu(self._spatial(x, 'conv_0'))
    y = leaky_relu(self._spatial(y, 'conv_1'))
    y = self._pointwise(y, 'conv_2', use_bias=True)
    return leaky_relu(y + self._pointwise(x, 'shortcut'))

  def _spatial(self, x: jax.Array, name: str) -> jax.Array:
    return SameConv(
      self.features, (3, 3), use_bias=False, dtype=self.dtype, name=name
    )(x)

  def _pointwise(
    self, x: jax.Array, name: str, *, use_bias: bool = False
  ) -> jax.Array:
    dense = nn.Dense(
      self.features, use_bias=use_bias, dtype=self.dtype, name=name
    )
    # One matrix product, which XLA differentiates into fast ones on a CPU.
    return dense(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


class ResidualTrunk(nn.Module):
  """Residual blocks, each but the last followed by 2×2 average pooling.

  Attributes:
    features: number of features of each level.
    dtype: compute type.
  """

  features: tuple[int, ...]
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, image: jax.Array) -> jax.Array:
    """Maps [batch, size, size, 3] to [batch, n], its innermost features."""
    x = image.astype(self.dtype)
    for level, features in enumerate(self.features):
      x = ResidualBlock(features, self.dtype, name=f'block_{level}')(x)
      if level < len(self.features) - 1:
        x = nn.avg_pool(x, (2, 2), (2, 2))
    return x.reshape(x.shape[0], -1)


def initialize_residual(
  input_shapes: list[tuple[int, ...]], network: nn.Module, key: jax.Array
) -> dict[str, Any]:
  """Draws kernels with the variance of Glorot and Bengio (2010), Keras's.

  Without norms the initial weights of DCGAN would let the signal vanish.

  Args:
    input_shapes: of the network's inputs, with the batch's axis.
    network: the module.
    key: a typed key.

  Returns:
    'params', with biases of 0, and the empty 'batch_stats'.
  """

  def scale(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
    if path[-1].key != 'kernel':
      return leaf
    taps = math.prod(leaf.shape[:-2])
    fans = taps * (leaf.shape[-2] + leaf.shape[-1])
    return leaf * (math.sqrt(2 / fans) / STANDARD_DEVIATION)

  variables = initialize_on(input_shapes, network, key)
  return jax.tree.map_with_path(scale, variables)
