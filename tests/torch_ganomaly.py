"""Writes what GANomaly's published networks and one update of them give.

The networks are those of the authors, run in float64: the script takes the path
of `lib/networks.py` in a checkout of https://github.com/samet-akcay/ganomaly
(MIT licence; tried at 78da4ea). Losses and update follow the article and
that code's options, in PyTorch's own terms. `tests/methods/ganomaly_test.py`
compares ours with the file that this script leaves. After a change of either
run by hand, where PyTorch is installed,

  python tests/torch_ganomaly.py lib/networks.py tests/networks/fixtures

Every array is float32, by the name and in the layout that Flax has for it.
"""

import argparse
import copy
import functools
import importlib.util
import pathlib
import types
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch_twin
from torch import nn
from torch.nn import functional as F
from torch_twin import LEARNING_RATE, SIZE, draw_images, prepare

OPTIONS = types.SimpleNamespace(
  isize=SIZE, nz=8, nc=3, ngf=4, ngpu=1, extralayers=0
)
WEIGHTS = {'adversarial': 1, 'reconstruction': 50, 'latent': 1}


def flax_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
  """Yields Flax's path of each convolution and norm, with the module."""
  if hasattr(network, 'decoder'):
    yield from _encoder('encoder/', network.encoder1)
    yield from _decoder('decoder/', network.decoder)
    yield from _encoder('second_encoder/', network.encoder2)
  else:
    yield from _encoder('', network, last='head')


def _encoder(
  prefix: str, network: nn.Module, last: str = 'latent'
) -> Iterator[tuple[str, nn.Module]]:
  convolutions = _of_kind(network, nn.Conv2d)
  for i, convolution in enumerate(convolutions[:-1]):
    yield f'{prefix}levels/conv_{i}/Conv_0', convolution
  for i, norm in enumerate(_of_kind(network, nn.BatchNorm2d), start=1):
    yield f'{prefix}levels/norm_{i}', norm
  yield prefix + last, convolutions[-1]


def _decoder(
  prefix: str, network: nn.Module
) -> Iterator[tuple[str, nn.Module]]:
  first, *others = _of_kind(network, nn.ConvTranspose2d)
  first_norm, *norms = _of_kind(network, nn.BatchNorm2d)
  yield f'{prefix}latent', first
  yield f'{prefix}latent_norm', first_norm
  for i, convolution in enumerate(reversed(others)):
    yield f'{prefix}levels/conv_{i}', convolution
  for i, norm in enumerate(reversed(norms), start=1):
    yield f'{prefix}levels/norm_{i}', norm


def _of_kind(network: nn.Module, kind: type) -> list[nn.Module]:
  return [module for module in network.modules() if isinstance(module, kind)]


def arrays(
  network: nn.Module, pick: Callable[[nn.Parameter], torch.Tensor]
) -> dict[str, np.ndarray]:
  """Returns something of each parameter by Flax's names, in Flax's layout."""
  result = {}
  for path, module in flax_modules(network):
    value = pick(module.weight).detach()
    if isinstance(module, nn.BatchNorm2d):
      result[f'{path}/scale'] = value.numpy().copy()
      result[f'{path}/bias'] = pick(module.bias).detach().numpy().copy()
      continue
    if isinstance(module, nn.ConvTranspose2d):  # [in, out, height, width].
      value = value.permute(2, 3, 0, 1)
    else:  # [out, in, height, width].
      value = value.permute(2, 3, 1, 0)
    if module.stride == (1, 1):  # A matrix product there.
      inputs, outputs = value.shape[2:]
      if isinstance(module, nn.ConvTranspose2d):
        value = value.permute(2, 0, 1, 3).reshape(inputs, 16 * outputs)
      else:
        value = value.reshape(16 * inputs, outputs)
    result[f'{path}/kernel'] = value.numpy().copy()
  return result


def outputs(
  generator: nn.Module, discriminator: nn.Module, image: torch.Tensor
) -> dict[str, np.ndarray]:
  """Returns what both networks give for the images in either mode."""
  result = {}
  for mode in ('eval', 'train'):  # The latter changes the norms' statistics.
    for network in (generator, discriminator):
      network.train(mode == 'train')
    with torch.no_grad():
      fake, latent, second = generator(image)
      probability, features = discriminator(image)
    # Every third pixel is all phases of the strides in a ninth of the space.
    reconstruction = fake.permute(0, 2, 3, 1)[:, ::3, ::3]
    result[f'{mode}/reconstruction'] = reconstruction.numpy()
    result[f'{mode}/latent'] = latent.flatten(1).numpy()
    result[f'{mode}/second_latent'] = second.flatten(1).numpy()
    result[f'{mode}/probability'] = probability.numpy()
    features = features.permute(0, 2, 3, 1).flatten(1)
    result[f'{mode}/features'] = features.numpy()
  return result


def train_step(
  generator: nn.Module, discriminator: nn.Module, image: torch.Tensor
) -> dict[str, np.ndarray]:
  """Updates the generator, then the discriminator, once.

  Returns:
    The losses, and gradients, updates and running statistics of both.
  """
  result = {}
  names = {'generator': generator, 'discriminator': discriminator}
  before = {
    name: torch_twin.statistics(network, flax_modules)
    for name, network in names.items()
  }
  adam = functools.partial(
    torch.optim.Adam, lr=LEARNING_RATE, betas=(0.5, 0.999)
  )
  optimizers = {n: adam(network.parameters()) for n, network in names.items()}

  def update(name: str, loss: torch.Tensor) -> None:
    network = names[name]
    old = arrays(network, lambda p: p)
    network.zero_grad()
    loss.backward(retain_graph=True)
    optimizers[name].step()
    new = arrays(network, lambda p: p)
    for path, gradient in arrays(network, lambda p: p.grad).items():
      # As a share of the learning rate and rounded, nearly all updates are 1
      # or -1, which keeps the file small.
      share = (new[path] - old[path]) / LEARNING_RATE
      result[f'{name}/update/{path}'] = share.round(3)
      result[f'{name}/gradient/{path}'] = gradient

  generator.train()
  discriminator.train()
  fake, latent, second = generator(image)
  real_probability, _ = discriminator(image)
  fake_probability, _ = discriminator(fake.detach())
  # Taken here because PyTorch's norms go on counting below, where the
  # discriminator is only asked for its features.
  for name, network in names.items():
    updated = torch_twin.updated_statistics(network, before[name], flax_modules)
    for path, value in updated.items():
      result[f'{name}/updated_batch_stats/{path}'] = value

  losses = {
    'adversarial': F.mse_loss(discriminator(fake)[1], discriminator(image)[1]),
    'reconstruction': F.l1_loss(fake, image),
    'latent': F.mse_loss(second, latent),
  }
  losses['generator'] = sum(WEIGHTS[name] * losses[name] for name in losses)
  update('generator', losses['generator'])
  real = F.binary_cross_entropy(
    real_probability, torch.ones_like(real_probability)
  )
  unreal = F.binary_cross_entropy(
    fake_probability, torch.zeros_like(fake_probability)
  )
  losses['discriminator'] = (real + unreal) / 2
  update('discriminator', losses['discriminator'])
  for name, value in losses.items():
    result[f'loss/{name}'] = value.detach().numpy()
  return result


def make_fixture(networks: types.ModuleType) -> dict[str, np.ndarray]:
  """Returns all that the test needs to know."""
  torch.manual_seed(0)
  image, _ = draw_images()
  others, _ = draw_images()
  generator = networks.NetG(OPTIONS)
  discriminator = networks.NetD(OPTIONS)
  result = {'image': image.permute(0, 2, 3, 1).numpy()}
  for name, network in (
    ('generator', generator),
    ('discriminator', discriminator),
  ):
    prepare(network, others)
    for path, value in arrays(network, lambda p: p).items():
      result[f'{name}/params/{path}'] = value
    for path, value in torch_twin.statistics(network, flax_modules).items():
      result[f'{name}/batch_stats/{path}'] = value
  result |= outputs(
    copy.deepcopy(generator), copy.deepcopy(discriminator), image
  )
  result |= train_step(generator, discriminator, image)
  return {k: np.asarray(v, np.float32) for k, v in result.items()}


def load_networks(path: pathlib.Path) -> types.ModuleType:
  """Imports the published module."""
  spec = importlib.util.spec_from_file_location('ganomaly_networks', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('networks', type=pathlib.Path)
  parser.add_argument('folder', type=pathlib.Path)
  arguments = parser.parse_args()
  arguments.folder.mkdir(parents=True, exist_ok=True)
  torch.set_default_dtype(torch.float64)
  np.savez_compressed(
    arguments.folder / 'ganomaly.npz',
    **make_fixture(load_networks(arguments.networks)),
  )


if __name__ == '__main__':
  main()
