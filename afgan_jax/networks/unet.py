"""The U-Net of pix2pix (Isola et al. 2017), generator of two methods.

Skip-GANomaly (Akcay et al. 2019) and DAGAN (Tang et al. 2020) reconstruct
images with it.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.generator import Concatenation, Decoder, Encoder
from afgan_jax.networks.layers import ModuleDef


class UNet(nn.Module):
  """Reconstructs images: an encoder to 1×1 and a decoder with skip connections.

  It differs from AFGAN's generator with plain connections in one point: what
  the encoder passes to the decoder goes through a ReLU.

  Attributes:
    features: number of features of each level; the image's side is
      2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

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
    pyramid = Encoder(self.features, norm, self.dtype, name='encoder')(
      image.astype(self.dtype)
    )
    x = Decoder(
      self.features,
      norm,
      lambda name: Concatenation(name=name),
      self.dtype,
      name='decoder',
    )([nn.relu(x) for x in pyramid])
    return jnp.tanh(x)
