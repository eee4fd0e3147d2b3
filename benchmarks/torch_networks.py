"""Defines the networks of Table 2's methods in PyTorch, to time them.

The same layers as those of `afgan_jax.networks`, from PyTorch's own modules.
"""

import torch
from torch import nn
from torch.nn import functional


def features(base: int, cap: int, num_levels: int) -> list[int]:
  """Returns the features of each level."""
  return [min(base * 2**level, cap) for level in range(num_levels)]


def dcgan_encoder(widths: list[int], num_outputs: int) -> nn.Sequential:
  """Builds 4×4 convolutions down to 4×4 pixels and one to a vector."""
  layers = [nn.Conv2d(3, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
  for before, after in zip(widths, widths[1:], strict=False):
    layers += [
      nn.Conv2d(before, after, 4, 2, 1, bias=False),
      nn.BatchNorm2d(after),
      nn.LeakyReLU(0.2),
    ]
  head = nn.Conv2d(widths[-1], num_outputs, 4, 1, 0, bias=False)
  return nn.Sequential(nn.Sequential(*layers), head)


def dcgan_decoder(widths: list[int], num_inputs: int) -> nn.Sequential:
  """Builds the mirror image of `dcgan_encoder`."""
  layers = [
    nn.ConvTranspose2d(num_inputs, widths[-1], 4, 1, 0, bias=False),
    nn.BatchNorm2d(widths[-1]),
    nn.ReLU(),
  ]
  for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
    layers += [
      nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
      nn.BatchNorm2d(after),
      nn.ReLU(),
    ]
  last = nn.ConvTranspose2d(widths[0], 3, 4, 2, 1, bias=False)
  return nn.Sequential(*layers, last, nn.Tanh())


class DualAttention(nn.Module):
  """Gates features by channel and pixel attention."""

  def __init__(self, width: int, reduction: int, pixel_reduction: int):
    super().__init__()

    def branch() -> nn.Sequential:
      inner = max(width // reduction, 1)
      return nn.Sequential(
        nn.Conv2d(width, inner, 1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, width, 1, bias=False),
        nn.BatchNorm2d(width),
      )

    inner = max(width // pixel_reduction, 1)
    self.near, self.far = branch(), branch()
    self.pixel = nn.Sequential(
      nn.Conv2d(width, inner, 1), nn.ReLU(), nn.Conv2d(inner, 1, 1)
    )

  def forward(self, x):
    """Maps images to features or images."""
    far = self.far(x.mean((2, 3), keepdim=True))
    return x * torch.sigmoid(self.near(x) + far + self.pixel(x))


class UNet(nn.Module):
  """Skip-GANomaly's generator: a U-Net down to 1×1."""

  def __init__(self, widths: list[int]):
    super().__init__()
    pairs = list(zip([3, *widths], widths, strict=False))
    self.down = nn.ModuleList(
      nn.Conv2d(a, b, 4, 2, 1, bias=False) for a, b in pairs
    )
    self.down_norm = nn.ModuleList(nn.BatchNorm2d(w) for w in widths[1:-1])
    self.up = nn.ModuleList()
    self.up_norm = nn.ModuleList()
    for level in reversed(range(1, len(widths))):
      double = 1 if level == len(widths) - 1 else 2
      self.up.append(
        nn.ConvTranspose2d(
          double * widths[level], widths[level - 1], 4, 2, 1, bias=False
        )
      )
      self.up_norm.append(nn.BatchNorm2d(widths[level - 1]))
    self.last = nn.ConvTranspose2d(2 * widths[0], 3, 4, 2, 1)

  def forward(self, x):
    """Maps images to features or images."""
    skips = []
    for level, conv in enumerate(self.down):
      x = conv(functional.leaky_relu(x, 0.2) if level else x)
      if 0 < level < len(self.down) - 1:
        x = self.down_norm[level - 1](x)
      skips.append(x)
    skips.pop()
    for conv, norm in zip(self.up, self.up_norm, strict=True):
      x = norm(conv(functional.relu(x)))
      x = torch.cat([skips.pop(), x], 1)
    return torch.tanh(self.last(functional.relu(x)))


class AutoEncoder(nn.Sequential):
  """DAGAN's discriminator."""

  def __init__(self, widths: list[int]):
    layers = [nn.Conv2d(3, widths[0], 3, 1, 1)]
    for before, after in zip(widths, widths[1:], strict=False):
      layers += [
        nn.Conv2d(before, after, 4, 2, 1),
        nn.LeakyReLU(),
        nn.BatchNorm2d(after),
      ]
    for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
      layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.ReLU()]
    super().__init__(*layers, nn.Conv2d(widths[0], 3, 3, 1, 1), nn.Tanh())


class LatentGenerator(nn.Module):
  """AnoGAN's generator."""

  def __init__(self, widths: list[int], num_inputs: int):
    super().__init__()
    self.width = widths[-1]
    self.project = nn.Linear(num_inputs, 16 * widths[-1], bias=False)
    layers = [nn.BatchNorm2d(widths[-1]), nn.ReLU()]
    for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
      layers += [
        nn.ConvTranspose2d(before, after, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
      ]
    last = nn.ConvTranspose2d(widths[0], 3, 5, 2, 2, 1)
    self.layers = nn.Sequential(*layers, last, nn.Tanh())

  def forward(self, z):
    """Maps latent vectors to images."""
    return self.layers(self.project(z).view(len(z), self.width, 4, 4))


def anogan_discriminator(widths: list[int]) -> nn.Sequential:
  """Builds AnoGAN's discriminator."""
  layers = [nn.Conv2d(3, widths[0], 5, 2, 2), nn.LeakyReLU(0.2)]
  for before, after in zip(widths, widths[1:], strict=False):
    layers += [
      nn.Conv2d(before, after, 5, 2, 2, bias=False),
      nn.BatchNorm2d(after),
      nn.LeakyReLU(0.2),
    ]
  return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * widths[-1], 1))
