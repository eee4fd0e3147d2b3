"""The discriminator of DAGAN (Tang et al. 2020), an auto-encoder."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import DownConv, ModuleDef, SameConv, UpConv


class AutoEncoder(nn.Module):
  """Reconstructs images without skip connections, which would copy any image.

  Norms come after activations, and in the encoder only.

  Attributes:
    features: number of features at the image's size and after each halving; the
      image's side is a multiple of 2^(len(features) - 1).
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
    first, *deeper = self.features
    x = SameConv(first, (3, 3), dtype=self.dtype, name='first')(
      image.astype(self.dtype)
    )
    for level, features in enumerate(deeper, start=1):
      x = DownConv(features, self.dtype, use_bias=True, name=f'down_{level}')(x)
      x = nn.leaky_relu(x)  # Slope 0.01.
      x = self.norm(use_running_average=not train, name=f'norm_{level}')(x)
    for level in reversed(range(1, len(self.features))):
      features = self.features[level - 1]
      x = UpConv(features, use_bias=True, dtype=self.dtype, name=f'up_{level}')(
        x
      )
      x = nn.relu(x)
    # The output is compared with the image, so it is not rounded to `dtype`.
    x = SameConv(3, (3, 3), dtype=jnp.float32, name='last')(x)
    return jnp.tanh(x)
