"""Builds train steps of Table 2's methods in PyTorch, to time them.

Each does the arithmetic of ours: the same networks, losses and updates, but no
moving averages and no resets.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from ml_collections import ConfigDict
from torch import nn
from torch.nn import functional

from benchmarks import torch_networks as networks
from benchmarks import torch_residual as residual

Step = Callable[[], None]
_bce = functional.binary_cross_entropy_with_logits


def make_train(config: ConfigDict, image: torch.Tensor) -> Step:
  """Builds the train step of `config.method`.

  Args:
    config: of one of Table 2's methods. The generator is updated as often as
      its discriminator, whatever `config.optimizer` says.
    image: batch in [-1, 1], [batch, 3, size, size].

  Returns:
    A function that updates all networks once.
  """
  return _MAKERS[config.method](config, image)


def _ganomaly(config: ConfigDict, image: torch.Tensor) -> Step:
  widths, latent = _to_4x4(config.generator, config), _latent(config)
  encoder = networks.dcgan_encoder(widths, latent)
  decoder = networks.dcgan_decoder(widths, latent)
  second = networks.dcgan_encoder(widths, latent)
  judge = networks.dcgan_encoder(_to_4x4(config.discriminator, config), 1)
  generator = _place(nn.ModuleList([encoder, decoder, second]), image)
  optimizers = _adam(config, generator, _place(judge, image))

  def step() -> None:
    z = encoder(image)
    fake = decoder(z)
    with _frozen(judge):
      loss = functional.mse_loss(judge[0](fake), judge[0](image))
    loss = loss + 50 * functional.l1_loss(fake, image)
    _update(optimizers[0], loss + functional.mse_loss(second(fake), z))
    logits = judge(image), judge(fake.detach())
    _update(optimizers[1], _judge(*logits) / 2)

  return step


def _skip_ganomaly(config: ConfigDict, image: torch.Tensor) -> Step:
  latent = config.discriminator.latent_features
  generator = _place(networks.UNet(_to_1x1(config)), image)
  widths = _to_4x4(config.discriminator, config)
  body = networks.dcgan_encoder(widths, latent)
  head = nn.Conv2d(latent, 1, 1, bias=False)
  judge = _place(nn.ModuleList([body, head]), image)
  optimizers = _adam(config, generator, judge)

  def step() -> None:
    fake = generator(image)
    with _frozen(judge):
      f, g = body(image), body(fake)
      loss = _real(head(g)) + functional.mse_loss(f, g)
    _update(optimizers[0], loss + 40 * functional.l1_loss(fake, image))
    f, g = body(image), body(fake.detach())
    loss = _judge(head(f), head(g))
    _update(optimizers[1], loss + functional.mse_loss(f, g))

  return step


def _dagan(config: ConfigDict, image: torch.Tensor) -> Step:
  generator = _place(networks.UNet(_to_1x1(config)), image)
  group = config.discriminator
  widths = [group.base_features * 2**i for i in range(group.num_levels + 1)]
  judge = _place(networks.AutoEncoder(widths), image)
  optimizers = _adam(config, generator, judge)

  def step() -> None:
    fake = generator(image)
    with _frozen(judge):
      loss = functional.mse_loss(judge(image), judge(fake))
    _update(optimizers[0], loss + 40 * functional.mse_loss(fake, image))
    real, given = judge(image), judge(fake.detach())
    loss = functional.mse_loss(real, image) - functional.mse_loss(real, given)
    _update(optimizers[1], loss)

  return step


def _anogan(config: ConfigDict, image: torch.Tensor) -> Step:
  latent = _latent(config)
  widths = _to_4x4(config.generator, config)
  generator = _place(networks.LatentGenerator(widths, latent), image)
  widths = _to_4x4(config.discriminator, config)
  judge = _place(networks.anogan_discriminator(widths), image)
  optimizers = _adam(config, generator, judge)

  def step() -> None:
    fake = generator(torch.rand(len(image), latent) * 2 - 1)
    _update(optimizers[1], _judge(judge(image), judge(fake.detach())))
    with _frozen(judge):
      _update(optimizers[0], _real(judge(fake)))

  return step


def _f_anogan(config: ConfigDict, image: torch.Tensor) -> Step:
  latent = _latent(config)
  widths = _to_4x4(config.generator, config)
  generator = _place(residual.ResidualGenerator(widths, latent), image)
  group = config.discriminator
  widths = networks.features(
    group.base_features, group.max_features, len(widths) + 1
  )
  critic = _place(residual.residual_critic(widths), image)
  optimizers = _adam(config, generator, critic)

  def step() -> None:
    z = torch.randn(len(image), latent)
    with torch.no_grad():
      fake = generator(z)
    loss = critic(fake).mean() - critic(image).mean()
    _update(optimizers[1], loss + 10 * _penalty(critic, [(image, fake)]))
    with _frozen(critic):
      _update(optimizers[0], -critic(generator(z)).mean())

  return step


def _cbigan(config: ConfigDict, image: torch.Tensor) -> Step:
  from afgan_jax.networks.bigan_blocks import residual_features

  size, latent = config.tile_size, _latent(config)
  widths = residual_features(config.generator.base_features, size)
  encoder = residual.PlainEncoder(widths, size, latent)
  generator = residual.PlainGenerator(widths, size, latent)
  pair = _place(nn.ModuleList([encoder, generator]), image)
  widths = residual_features(config.discriminator.base_features, size)
  critic = _place(residual.JointCritic(widths, size, latent), image)
  optimizers = _adam(config, pair, critic)

  def step() -> None:
    z = torch.randn(len(image), latent)
    with torch.no_grad():
      code, fake = encoder(image), generator(z)
    loss = critic(fake, z).mean() - critic(image, code).mean()
    pairs = [(image, fake), (code, z)]
    _update(optimizers[1], loss + 10 * _penalty(critic, pairs))
    code, fake = encoder(image), generator(z)
    with _frozen(critic):
      loss = critic(image, code).mean() - critic(fake, z).mean()
    cycles = (image - generator(code)).abs().sum() / len(image)
    cycles = cycles + (z - encoder(fake)).abs().sum() / len(image)
    _update(optimizers[0], loss + 1e-5 * cycles)

  return step


def _dual_attention(config: ConfigDict, image: torch.Tensor) -> Step:
  group, latent = config.generator, _latent(config)
  widths = _to_4x4(group, config)
  encoder = networks.dcgan_encoder(widths, latent)
  layers, level = [], 0
  for layer in encoder[0]:
    layers.append(layer)
    if isinstance(layer, nn.LeakyReLU):
      if level < group.attention_levels:
        layers.append(
          networks.DualAttention(
            widths[level], group.attention_reduction, group.pixel_reduction
          )
        )
      level += 1
  generator = nn.Sequential(
    *layers, encoder[1], networks.dcgan_decoder(widths, latent)
  )
  judge = networks.dcgan_encoder(_to_4x4(config.discriminator, config), 1)
  generator, judge = _place(generator, image), _place(judge, image)
  optimizers = _adam(config, generator, judge)

  def step() -> None:
    fake = generator(image)
    _update(optimizers[1], _judge(judge(image), judge(fake.detach())))
    with _frozen(judge):
      loss = _real(judge(fake)) + 40 * functional.l1_loss(fake, image)
    loss = loss + 10 * _ssim_error(image, fake)
    for axis in (2, 3):
      slopes = torch.diff(image, dim=axis) - torch.diff(fake, dim=axis)
      loss = loss + 10 * slopes.abs().mean()
    _update(optimizers[0], loss)

  return step


_MAKERS = {
  'anogan': _anogan,
  'cbigan': _cbigan,
  'dagan': _dagan,
  'dual_attention_gan': _dual_attention,
  'f_anogan': _f_anogan,
  'ganomaly': _ganomaly,
  'skip_ganomaly': _skip_ganomaly,
}


def _latent(config: ConfigDict) -> int:
  return config.generator.latent_features


def _to_4x4(group: ConfigDict, config: ConfigDict) -> list[int]:
  num_levels = config.tile_size.bit_length() - 3
  return networks.features(group.base_features, group.max_features, num_levels)


def _to_1x1(config: ConfigDict) -> list[int]:
  group, num_levels = config.generator, config.tile_size.bit_length() - 1
  return networks.features(group.base_features, group.max_features, num_levels)


def _place(network: nn.Module, image: torch.Tensor) -> nn.Module:
  return network.to(image.device, memory_format=torch.channels_last)


def _adam(config: ConfigDict, *pair: nn.Module) -> list[torch.optim.Adam]:
  betas = config.optimizer.beta1, config.optimizer.beta2
  rate = config.optimizer.learning_rate
  return [torch.optim.Adam(n.parameters(), rate, betas) for n in pair]


def _update(optimizer: torch.optim.Adam, loss: torch.Tensor) -> None:
  optimizer.zero_grad(set_to_none=True)
  loss.backward()
  optimizer.step()


@contextlib.contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
  """Computes no gradients of a network's weights."""
  network.requires_grad_(False)
  yield
  network.requires_grad_(True)


def _real(logit: torch.Tensor) -> torch.Tensor:
  return _bce(logit, torch.ones_like(logit))


def _judge(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
  return _real(real) + _bce(fake, torch.zeros_like(fake))


def _penalty(critic: nn.Module, pairs) -> torch.Tensor:
  """Returns the mean square of the slope's distance from 1."""
  share = torch.rand(len(pairs[0][0]))
  mixed = []
  for real, fake in pairs:
    weights = share.view(-1, *[1] * (real.ndim - 1))
    mixed.append((fake + weights * (real - fake)).requires_grad_(True))
  slopes = torch.autograd.grad(critic(*mixed).sum(), mixed, create_graph=True)
  squares = sum(slope.square().flatten(1).sum(1) for slope in slopes)
  return (squares.sqrt() - 1).square().mean()


def _ssim_error(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
  taps = torch.exp(-0.5 * (torch.arange(-6.0, 7) / 1.5) ** 2)
  taps = taps / taps.sum()

  def smooth(image: torch.Tensor) -> torch.Tensor:
    planes = image.reshape(-1, 1, *image.shape[2:])
    planes = functional.pad(planes, (6, 6, 6, 6), mode='reflect')
    planes = functional.conv2d(planes, taps.view(1, 1, 1, -1))
    return functional.conv2d(planes, taps.view(1, 1, -1, 1))

  x, y = (x + 1) / 2, (y + 1) / 2
  a, b = smooth(x), smooth(y)
  va, vb = smooth(x * x) - a * a, smooth(y * y) - b * b
  similarity = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
  similarity = similarity * (2 * (smooth(x * y) - a * b) + 9e-4)
  return 1 - (similarity / (va + vb + 9e-4)).mean()
