"""Defines the residual networks of f-AnoGAN and CBiGAN in PyTorch."""

import math

import torch
from torch import nn
from torch.nn import functional


class PreActivated(nn.Module):
  """A residual block of f-AnoGAN."""

  def __init__(self, width: int, features: int, size: int, *, up: bool, norm):
    super().__init__()
    inner = features if up else width
    larger = 2 * size if up else size
    self.up = up
    self.norms = nn.ModuleList([norm(width, size), norm(inner, larger)])
    self.first = nn.Conv2d(width, inner, 3, 1, 1, bias=False)
    self.second = nn.Conv2d(inner, features, 3, 1, 1)
    self.shortcut = nn.Conv2d(width, features, 1)

  def forward(self, x):
    """Maps images to features or images."""
    y = functional.relu(self.norms[0](x))
    if self.up:
      y = functional.interpolate(y, scale_factor=2)
      y = self.second(functional.relu(self.norms[1](self.first(y))))
      return y + functional.interpolate(self.shortcut(x), scale_factor=2)
    y = self.second(functional.relu(self.norms[1](self.first(y))))
    shortcut = self.shortcut(functional.avg_pool2d(x, 2))
    return shortcut + functional.avg_pool2d(y, 2)


def batch_norm(width: int, size: int) -> nn.Module:
  """Builds a batch norm."""
  del size
  return nn.BatchNorm2d(width)


def layer_norm(width: int, size: int) -> nn.Module:
  """Builds a norm over all pixels and features, with weights by feature."""
  del size
  return nn.GroupNorm(1, width)


class ResidualGenerator(nn.Module):
  """f-AnoGAN's generator."""

  def __init__(self, widths: list[int], num_inputs: int):
    super().__init__()
    self.width = widths[-1]
    self.project = nn.Linear(num_inputs, 16 * widths[-1])
    blocks, before = [], widths[-1]
    for level, width in enumerate(reversed(widths)):
      size = 4 * 2**level
      blocks.append(PreActivated(before, width, size, up=True, norm=batch_norm))
      before = width
    end = [nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, 3, 3, 1, 1)]
    self.layers = nn.Sequential(*blocks, *end, nn.Tanh())

  def forward(self, z):
    """Maps latent vectors to images."""
    return self.layers(self.project(z).view(len(z), self.width, 4, 4))


def residual_critic(widths: list[int]) -> nn.Sequential:
  """Builds f-AnoGAN's critic."""
  blocks = [nn.Conv2d(3, widths[0], 3, 1, 1)]
  for level, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
    size = 4 * 2 ** (len(widths) - 1 - level)
    blocks.append(PreActivated(a, b, size, up=False, norm=layer_norm))
  return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(16 * widths[-1], 1))


class Plain(nn.Module):
  """A residual block of CBiGAN, without norms."""

  def __init__(self, width: int, features: int):
    super().__init__()
    self.first = nn.Conv2d(width, features, 3, 1, 1, bias=False)
    self.second = nn.Conv2d(features, features, 3, 1, 1, bias=False)
    self.third = nn.Conv2d(features, features, 1)
    self.shortcut = nn.Conv2d(width, features, 1, bias=False)

  def forward(self, x):
    """Maps images to features or images."""
    y = functional.leaky_relu(self.first(x), 0.2)
    y = self.third(functional.leaky_relu(self.second(y), 0.2))
    return functional.leaky_relu(y + self.shortcut(x), 0.2)


class PlainTrunk(nn.Module):
  """Blocks of CBiGAN with pooling down to 2×2, to vectors."""

  def __init__(self, widths: list[int], size: int):
    super().__init__()
    pairs = zip([3, *widths], widths, strict=False)
    self.blocks = nn.ModuleList(Plain(a, b) for a, b in pairs)
    pools = min(len(widths) - 1, round(math.log2(size / 2)))
    self.num_outputs = widths[-1] * (size // 2**pools) ** 2

  def forward(self, x):
    """Maps images to features or images."""
    for level, block in enumerate(self.blocks):
      x = block(x)
      if level < len(self.blocks) - 1 and x.shape[2] > 2:
        x = functional.avg_pool2d(x, 2)
    return x.flatten(1)


class PlainEncoder(nn.Sequential):
  """CBiGAN's encoder."""

  def __init__(self, widths: list[int], size: int, latent: int):
    trunk = PlainTrunk(widths, size)
    super().__init__(
      trunk,
      nn.Linear(trunk.num_outputs, widths[-1], bias=False),
      nn.LeakyReLU(0.2),
      nn.Linear(widths[-1], latent),
    )


class PlainGenerator(nn.Module):
  """CBiGAN's generator."""

  def __init__(self, widths: list[int], size: int, latent: int):
    super().__init__()
    self.width, self.doublings = widths[-1], round(math.log2(size / 2))
    self.project = nn.Linear(latent, 4 * widths[-1], bias=False)
    pairs = zip([widths[-1], *widths[::-1]], widths[::-1], strict=False)
    self.blocks = nn.ModuleList(Plain(a, b) for a, b in pairs)
    self.last = nn.Conv2d(widths[0], 3, 1)

  def forward(self, z):
    """Maps latent vectors to images."""
    x = self.project(z).view(len(z), self.width, 2, 2)
    for level, block in zip(
      reversed(range(len(self.blocks))), self.blocks, strict=True
    ):
      if level < self.doublings:
        x = functional.interpolate(x, scale_factor=2, mode='bilinear')
      x = block(x)
    return torch.tanh(self.last(x))


class JointCritic(nn.Module):
  """CBiGAN's discriminator."""

  def __init__(self, widths: list[int], size: int, latent: int):
    super().__init__()
    self.trunk = PlainTrunk(widths, size)
    layers, before = [], latent
    for _ in range(3):
      layers += [nn.Linear(before, 512, bias=False), nn.LeakyReLU(0.2)]
      before = 512
    self.latent = nn.Sequential(*layers)
    joint = self.trunk.num_outputs + 512
    self.joint = nn.Linear(joint, widths[-1], bias=False)
    self.head = nn.Linear(widths[-1], 1)

  def forward(self, x, z):
    """Rates pairs."""
    joint = torch.cat([self.trunk(x), self.latent(z)], 1)
    return self.head(functional.leaky_relu(self.joint(joint), 0.2))
