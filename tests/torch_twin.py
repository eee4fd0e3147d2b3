"""Writes what the networks and one train step give in PyTorch.

The networks and the step are defined a second time here, from PyTorch's own
layers and with nothing of `afgan_jax`, and run in float64.
`tests/networks/torch_twin_test.py` compares ours with the files that this
script leaves; `benchmarks/compare_pytorch.py` times the networks. PyTorch is
needed for that, not to test; after a change of the architecture or of the step
install it and run by hand

  python tests/torch_twin.py tests/networks/fixtures

Every array is float32, by the name and in the layout that Flax has for it.
"""

import argparse
import copy
import functools
import pathlib
import re
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SIZE = 32
BASE = 4
CAP = 16
# With 4 the narrowest bottleneck would have one feature, and a kernel between
# it and a norm a gradient of zero but for epsilon and rounding.
REDUCTION = 2
LATENT = 10
BATCH = 6
LEARNING_RATE = 2e-4
# Which network is updated first, by the fusion: both orders are looked at.
FIRST = {
  'aff': 'discriminator',
  'concat': 'generator',
  'none': 'discriminator',
}
# Weights and images are whole multiples of it: exact in float32, and few
# enough different ones for the files to be small.
GRAIN = 2**-5


class ChannelAttention(nn.Module):
  def __init__(self, channels: int, reduction: int):
    super().__init__()
    hidden = channels // reduction
    self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
    self.reduce_norm = nn.BatchNorm2d(hidden)
    self.expand = nn.Conv2d(hidden, channels, 1, bias=False)
    self.expand_norm = nn.BatchNorm2d(channels)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = F.relu(self.reduce_norm(self.reduce(x)))
    return self.expand_norm(self.expand(x))


class AttentionFeatureFusion(nn.Module):
  def __init__(self, channels: int, reduction: int):
    super().__init__()
    self.local_branch = ChannelAttention(channels, reduction)
    self.global_branch = ChannelAttention(channels, reduction)

  def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    total = x + y
    pooled = F.adaptive_avg_pool2d(total, 1)
    gate = torch.sigmoid(self.local_branch(total) + self.global_branch(pooled))
    return torch.lerp(y, x, gate)


class Concatenation(nn.Module):
  def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, y], dim=1)


class Encoder(nn.Module):
  def __init__(self, widths: list[int]):
    super().__init__()
    inputs = [3, *widths[:-1]]
    self.conv = nn.ModuleList(
      nn.Conv2d(i, o, 4, stride=2, padding=1, bias=False)
      for i, o in zip(inputs, widths, strict=True)
    )
    normed = [nn.BatchNorm2d(width) for width in widths[1:-1]]
    self.norm = nn.ModuleList([nn.Identity(), *normed, nn.Identity()])

  def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
    pyramid = []
    for conv, norm in zip(self.conv, self.norm, strict=True):
      x = F.leaky_relu(norm(conv(x)), 0.2)
      pyramid.append(x)
    return pyramid


class Decoder(nn.Module):
  def __init__(self, widths: list[int], fusion: str, reduction: int):
    super().__init__()
    outputs = widths[:-1]
    fused = [width * (2 if fusion == 'concat' else 1) for width in outputs]
    self.conv = nn.ModuleList(
      nn.ConvTranspose2d(i, o, 4, stride=2, padding=1, bias=o == 3)
      for i, o in zip([*fused, widths[-1]], [3, *outputs], strict=True)
    )
    self.norm = nn.ModuleList(
      [nn.Identity(), *(nn.BatchNorm2d(width) for width in outputs)]
    )
    make = {
      'aff': lambda width: AttentionFeatureFusion(width, reduction),
      'concat': lambda width: Concatenation(),
      'none': lambda width: nn.Identity(),
    }[fusion]
    self.fusion = nn.ModuleList(
      [nn.Identity(), *(make(width) for width in outputs)]
    )

  def forward(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
    x = pyramid[-1]
    for level in range(len(pyramid) - 1, 0, -1):
      x = F.relu(self.norm[level](self.conv[level](x)))
      if not isinstance(self.fusion[level], nn.Identity):
        x = self.fusion[level](pyramid[level - 1], x)
    return torch.tanh(self.conv[0](x))


class Generator(nn.Module):
  def __init__(
    self, fusion: str, size: int, base: int, cap: int, reduction: int = 4
  ):
    super().__init__()
    widths = [min(base * 2**i, cap) for i in range(size.bit_length() - 1)]
    self.encoder = Encoder(widths)
    self.decoder = Decoder(widths, fusion, reduction)

  def forward(self, image: torch.Tensor) -> torch.Tensor:
    return self.decoder(self.encoder(image))


class Discriminator(nn.Module):
  def __init__(self, size: int, base: int, cap: int, latent: int = 100):
    super().__init__()
    widths = [min(base * 2**i, cap) for i in range(size.bit_length() - 3)]
    self.conv = nn.ModuleList(
      nn.Conv2d(i, o, 4, stride=2, padding=1, bias=False)
      for i, o in zip([3, *widths[:-1]], widths, strict=True)
    )
    self.norm = nn.ModuleList(
      [nn.Identity(), *(nn.BatchNorm2d(width) for width in widths[1:])]
    )
    self.latent = nn.Conv2d(widths[-1], latent, 4, bias=False)
    self.head = nn.Conv2d(latent, 1, 1)

  def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    for conv, norm in zip(self.conv, self.norm, strict=True):
      x = F.leaky_relu(norm(conv(x)), 0.2)
    latent = self.latent(x)
    return self.head(latent).flatten(), latent.flatten(start_dim=1)


def draw_images() -> tuple[torch.Tensor, torch.Tensor]:
  """Draws smooth images, and the same with a rectangle of each moved."""
  coarse = 0.5 * torch.randn(BATCH, 3, 6, 6) + 0.3 * torch.randn(BATCH, 3, 1, 1)
  image = F.interpolate(coarse, (SIZE, SIZE), mode='bicubic').clamp(-1, 1)
  image = grainy(image)
  augmented = image.clone()
  for i in range(BATCH):
    augmented[i, :, 4 : 12 + i, 10:24] = image[i, :, 20 - i : 28, 3:17]
  return image, augmented


def prepare(network: nn.Module, image: torch.Tensor) -> None:
  """Draws weights, and gives norms the statistics of other images.

  Statistics that belong to no image would let the activations explode in eval
  mode, and the tanh at the end would then hide any difference.
  """
  norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
  with torch.no_grad():
    first = next(network.parameters())
    for parameter in network.parameters():
      noise = 0.2 * torch.randn_like(parameter)
      # The first level has no norm. Were its weights multiples of GRAIN as the
      # image is, then some of its outputs would be exactly 0, where the slope
      # of the leaky ReLU is 0.2 in PyTorch and 1 in JAX.
      exact = noise.float() if parameter is first else grainy(noise)
      parameter.copy_(exact)
    for norm in norms:
      norm.weight += 1
      norm.momentum = 1
    network.train()(image)
    for norm in norms:
      norm.momentum = 0.1
      norm.num_batches_tracked.zero_()
      norm.running_mean.copy_(norm.running_mean.float())
      norm.running_var.copy_(norm.running_var.float())
      norm.register_forward_hook(count_values)


def grainy(x: torch.Tensor) -> torch.Tensor:
  return (x / GRAIN).round() * GRAIN


def count_values(norm: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
  norm.values_per_channel = output.numel() // output.shape[1]


def arrays(
  network: nn.Module, pick: Callable[[nn.Parameter], torch.Tensor]
) -> dict[str, np.ndarray]:
  """Returns something of each parameter by Flax's names, in Flax's layout."""
  result = {}
  for path, module in flax_modules(network):
    for name, parameter in module.named_parameters(recurse=False):
      value = pick(parameter).detach()
      if isinstance(module, nn.BatchNorm2d):
        name = name.replace('weight', 'scale')
      elif name == 'weight':
        name = 'kernel'
        if isinstance(module, nn.ConvTranspose2d):
          value = value.permute(2, 3, 0, 1)  # From [in, out, height, width].
        elif module.kernel_size == (1, 1):
          value = value[:, :, 0, 0].T  # A matrix product there.
        else:
          value = value.permute(2, 3, 1, 0)  # From [out, in, height, width].
      result[f'{path}/{name}'] = value.numpy().copy()
  return result


def statistics(network: nn.Module, modules=None) -> dict[str, np.ndarray]:
  """Returns the running statistics by Flax's names, see `flax_modules`."""
  result = {}
  for path, module in (modules or flax_modules)(network):
    if isinstance(module, nn.BatchNorm2d):
      result[f'{path}/mean'] = module.running_mean.numpy().copy()
      result[f'{path}/var'] = module.running_var.numpy().copy()
  return result


def updated_statistics(
  network: nn.Module, before: dict[str, np.ndarray], modules=None
) -> dict[str, np.ndarray]:
  """Returns the running statistics as Flax would have updated them.

  The variance of a batch goes into PyTorch's running variance times
  n / (n - 1), n being the number of values, and into Flax's as it is. So what
  the batches have added since `before` is scaled back here.
  """
  result = statistics(network, modules)
  for path, module in (modules or flax_modules)(network):
    if isinstance(module, nn.BatchNorm2d):
      n = module.values_per_channel
      updates = module.num_batches_tracked.item()
      kept = (1 - module.momentum) ** updates * before[f'{path}/var']
      added = result[f'{path}/var'] - kept
      result[f'{path}/var'] = kept + added * (n - 1) / n
  return result


def flax_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
  for path, module in network.named_modules():
    path = re.sub(r'\.(\d+)', r'_\1', path).replace('.', '/')
    if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
      path += '/Conv_0'
    yield path, module


def outputs(
  generator: Generator, discriminator: Discriminator, image: torch.Tensor
) -> dict[str, np.ndarray]:
  """Returns what both networks give for the images in either mode."""
  result = {}
  for mode in ('eval', 'train'):  # The latter changes the norms' statistics.
    for network in (generator, discriminator):
      network.train(mode == 'train')
    with torch.no_grad():
      logit, latent = discriminator(image)
      reconstruction = generator(image).permute(0, 2, 3, 1)
    # Every third pixel is all phases of the strides in a ninth of the space.
    result[f'{mode}/reconstruction'] = reconstruction[:, ::3, ::3].numpy()
    result[f'{mode}/logit'] = logit.numpy()
    result[f'{mode}/latent'] = latent.numpy()
  return result


def train_step(
  generator: Generator,
  discriminator: Discriminator,
  image: torch.Tensor,
  augmented: torch.Tensor,
  first: str,
) -> dict[str, np.ndarray]:
  """Updates both networks once; returns the losses and what changed.

  If the generator is updated first, it still is the reconstructions from before
  that the discriminator sees: there is one pass for both.
  """
  result = {}

  def update(
    name: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor,
  ) -> None:
    before = arrays(network, lambda p: p)
    network.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    after = arrays(network, lambda p: p)
    for path, gradient in arrays(network, lambda p: p.grad).items():
      # As a share of the learning rate and rounded, nearly all updates are 1
      # or -1, which keeps the files small.
      share = (after[path] - before[path]) / LEARNING_RATE
      result[f'{name}/update/{path}'] = share.round(3)
      result[f'{name}/gradient/{path}'] = gradient

  adam = functools.partial(
    torch.optim.Adam, lr=LEARNING_RATE, betas=(0.5, 0.999)
  )
  bce = F.binary_cross_entropy_with_logits
  generator_statistics = statistics(generator)
  discriminator_statistics = statistics(discriminator)
  generator.train()
  discriminator.train()

  losses = {}
  fake = generator(augmented)
  real_logit, real_latent = discriminator(image)
  fake_logit, fake_latent = discriminator(fake.detach())
  loss = bce(real_logit, torch.ones_like(real_logit))
  loss = loss + bce(fake_logit, torch.zeros_like(fake_logit))
  losses['discriminator'] = loss + F.mse_loss(fake_latent, real_latent)
  # Taken here because PyTorch's norms go on counting below, where the
  # discriminator is only asked for its opinion.
  changed = {
    'generator': updated_statistics(generator, generator_statistics),
    'discriminator': updated_statistics(
      discriminator, discriminator_statistics
    ),
  }

  def update_discriminator() -> None:
    optimizer = adam(discriminator.parameters())
    update('discriminator', discriminator, optimizer, losses['discriminator'])

  if first == 'discriminator':
    update_discriminator()
  _, real_latent = discriminator(image)
  fake_logit, fake_latent = discriminator(fake)
  losses['adversarial'] = bce(fake_logit, torch.ones_like(fake_logit))
  losses['reconstruction'] = F.l1_loss(fake, image)
  losses['latent'] = F.mse_loss(fake_latent, real_latent)
  loss = losses['adversarial'] + 40 * losses['reconstruction']
  loss = loss + losses['latent']
  update('generator', generator, adam(generator.parameters()), loss)
  losses['generator'] = loss
  if first == 'generator':
    update_discriminator()

  for name, values in changed.items():
    for path, value in values.items():
      result[f'{name}/updated_batch_stats/{path}'] = value
  for name, value in losses.items():
    result[f'loss/{name}'] = value.detach().numpy()
  return result


def make_fixture(fusion: str) -> dict[str, np.ndarray]:
  """Returns all that the test needs to know about one kind of fusion."""
  torch.manual_seed(0)
  image, augmented = draw_images()
  others, _ = draw_images()
  generator = Generator(fusion, SIZE, BASE, CAP, REDUCTION)
  discriminator = Discriminator(SIZE, BASE, CAP, LATENT)
  result = {
    'image': image.permute(0, 2, 3, 1).numpy(),
    'input': augmented.permute(0, 2, 3, 1).numpy(),
  }
  for network in (generator, discriminator):
    prepare(network, others)
    name = type(network).__name__.lower()
    for path, value in arrays(network, lambda p: p).items():
      result[f'{name}/params/{path}'] = value
    for path, value in statistics(network).items():
      result[f'{name}/batch_stats/{path}'] = value
  result |= outputs(
    copy.deepcopy(generator), copy.deepcopy(discriminator), augmented
  )
  result |= train_step(
    generator, discriminator, image, augmented, FIRST[fusion]
  )
  return {k: np.asarray(v, np.float32) for k, v in result.items()}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('folder', type=pathlib.Path)
  folder = parser.parse_args().folder
  folder.mkdir(parents=True, exist_ok=True)
  torch.set_default_dtype(torch.float64)
  for fusion in ('aff', 'concat', 'none'):
    np.savez_compressed(folder / f'{fusion}.npz', **make_fixture(fusion))


if __name__ == '__main__':
  main()
