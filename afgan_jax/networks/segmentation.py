"""The segmentation head, a classifier of defective pixels as in DRAEM.

Zavrtanik et al., ICCV 2021: a network that sees both the image and its
reconstruction finds defects better than their difference does.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.generator import Concatenation, Decoder, Encoder
from afgan_jax.networks.layers import ConvNorm, ModuleDef


class SegmentationHead(nn.Module):
  """An encoder and a decoder with plain skip connections.

  Attributes:
    features: number of features of each level; the image's side is a multiple
      of 2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    convolutions: of each level, 1 or 2; the second one is 3×3, as in DRAEM.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  convolutions: int = 1
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, reconstruction: jax.Array, *, train: bool
  ) -> jax.Array:
    """Segments images into good and defective pixels.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      reconstruction: of the same shape and range.
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The logit that each pixel is defective, [batch, size, size], float32.
    """

    def norm(name: str) -> nn.Module:
      return self.norm(use_running_average=not train, name=name)

    def refine(features: int, name: str) -> nn.Module:
      return ConvNorm(features, norm, self.dtype, name=name)

    second = refine if self.convolutions == 2 else None
    pair = jnp.concatenate([image, reconstruction], axis=-1)
    pyramid = Encoder(
      self.features, norm, self.dtype, refine=second, name='encoder'
    )(pair.astype(self.dtype))
    logits = Decoder(
      self.features,
      norm,
      lambda name: Concatenation(name=name),
      self.dtype,
      out_features=1,
      refine=second,
      name='decoder',
    )(pyramid)
    return logits[..., 0]
