"""Attention feature fusion (§3.1.3; Dai et al., WACV 2021)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import ModuleDef


class ChannelAttention(nn.Module):
  """One branch of MS-CAM: BN(PC(ReLU(BN(PC(x))))) (eqs 5 and 6).

  Attributes:
    reduction: r, ratio of the input's features to the bottleneck's.
    norm: creates a norm.
    dtype: compute type.
  """

  reduction: int
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to the same shape."""
    features = x.shape[-1]
    x = self._pointwise(x, max(features // self.reduction, 1), 'reduce')
    x = nn.relu(self.norm(name='reduce_norm')(x))
    x = self._pointwise(x, features, 'expand')
    return self.norm(name='expand_norm')(x)

  def _pointwise(self, x: jax.Array, features: int, name: str) -> jax.Array:
    dense = nn.Dense(features, use_bias=False, dtype=self.dtype, name=name)
    # A point-wise convolution is a matrix product over the channels, here with
    # a single matrix: for a stack of them, XLA takes twice as long on a CPU to
    # compute the gradient with respect to the kernel.
    return dense(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], features)


class AttentionFeatureFusion(nn.Module):
  """Z = scale · (X ⊗ M(X ⊕ Y) + Y ⊗ (1 − M(X ⊕ Y))) (eqs 3 to 8).

  Attributes:
    norm: creates a norm.
    reduction: r of both branches.
    gate: 'sigmoid' if M is the attention map F' of eq 7, or 'product' if it is
      F ⊗ F' as in eq 8.
    scale: factor on Z.
    dtype: compute type.
  """

  norm: ModuleDef
  reduction: int = 4
  gate: str = 'sigmoid'
  scale: float = 1.0
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
    """Fuses two feature maps.

    Args:
      x: features of the encoder, [batch, h, w, c].
      y: features of the decoder, [batch, h, w, c].

    Returns:
      [batch, h, w, c].
    """

    def attention(name: str) -> nn.Module:
      return ChannelAttention(self.reduction, self.norm, self.dtype, name=name)

    total = x + y
    pooled = jnp.mean(total, axis=(1, 2), keepdims=True)
    gate = nn.sigmoid(
      attention('local_branch')(total) + attention('global_branch')(pooled)
    )
    if self.gate == 'product':
      gate = total * gate
    fused = x * gate + y * (1 - gate)
    return fused if self.scale == 1 else self.scale * fused
