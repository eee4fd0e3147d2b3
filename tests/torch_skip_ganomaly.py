"""Writes what the published Skip-GANomaly and one of its train steps give.

The networks are those of https://github.com/samet-akcay/skip-ganomaly at commit
b33bd55 (MIT licence, © 2021 Samet Akçay), of which a checkout is needed and no
line is here, and run in float64. `tests/networks/skip_ganomaly_test.py`
compares ours with the file that this script leaves. PyTorch is needed for that,
not to test; run by hand

  python tests/torch_skip_ganomaly.py CHECKOUT/lib/models/networks.py \
    tests/networks/fixtures

Every array is float32, by the name and in the layout that Flax has for it.
"""

import argparse
import copy
import importlib.util
import pathlib
import types

import numpy as np
import torch
import torch_twin
from torch import nn
from torch.nn import functional as F
from torch_twin import LEARNING_RATE, SIZE

BASE = 2
LATENT = 10
RECONSTRUCTION_WEIGHT = 40


class View(nn.Module):
  """The layers of a published network by our names; shares all weights."""


def view_generator(network: nn.Module) -> View:
  """Names the layers of the U-Net, of which the outer levels come first."""
  kinds = {kind: [] for kind in (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)}
  for module in network.modules():
    if type(module) in kinds:
      kinds[type(module)].append(module)
  down, up, norms = kinds.values()
  levels = len(down)
  assert len(up) == levels and len(norms) == 2 * levels - 3
  view = View()
  view.encoder, view.decoder = View(), View()
  view.encoder.conv = nn.ModuleList(down)
  # The outermost and the innermost level have none.
  view.encoder.norm = nn.ModuleList(
    [nn.Identity(), *norms[: levels - 2], nn.Identity()]
  )
  # On the way up the inner levels come first.
  view.decoder.conv = nn.ModuleList(reversed(up))
  view.decoder.norm = nn.ModuleList(
    [nn.Identity(), *reversed(norms[levels - 2 :])]
  )
  return view


def view_discriminator(network: nn.Module) -> View:
  layers = list(network.feat)
  *convs, latent = (x for x in layers if isinstance(x, nn.Conv2d))
  norms = [x for x in layers if isinstance(x, nn.BatchNorm2d)]
  view = View()
  view.conv = nn.ModuleList(convs)
  view.norm = nn.ModuleList([nn.Identity(), *norms])
  view.latent = latent
  view.head = network.clas.classifier
  return view


def arrays(view: View, pick) -> dict[str, np.ndarray]:
  """Returns something of each parameter, of the classifier its centre.

  The classifier is a convolution of 3×3 on one pixel: the rest of its kernel
  meets the padding only.
  """
  result = torch_twin.arrays(view, pick)
  if 'head/kernel' in result:
    result['head/kernel'] = result['head/kernel'][1, 1]
  return result


def outputs(
  generator: nn.Module, discriminator: nn.Module, image: torch.Tensor
) -> dict[str, np.ndarray]:
  """Returns x', D(x), f(x) and f(x') in either mode of the norms."""
  result = {}
  for mode in ('eval', 'train'):  # The latter changes the norms' statistics.
    for network in (generator, discriminator):
      network.train(mode == 'train')
    with torch.no_grad():
      fake = generator(image)
      probability, real_latent = discriminator(image)
      _, fake_latent = discriminator(fake)
    # Every third pixel is all phases of the strides in a ninth of the space.
    small = fake.permute(0, 2, 3, 1)[:, ::3, ::3]
    result[f'{mode}/reconstruction'] = small.numpy()
    result[f'{mode}/probability'] = probability.flatten().numpy()
    result[f'{mode}/real_latent'] = real_latent.flatten(1).numpy()
    result[f'{mode}/fake_latent'] = fake_latent.flatten(1).numpy()
  return result


def update(name: str, network: nn.Module, view: View, loss: torch.Tensor):
  """Makes one step of Adam; returns gradients and what changed."""
  optimizer = torch.optim.Adam(
    network.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999)
  )
  before = arrays(view, lambda p: p)
  network.zero_grad()
  loss.backward()
  optimizer.step()
  after = arrays(view, lambda p: p)
  result = {}
  for path, gradient in arrays(view, lambda p: p.grad).items():
    share = (after[path] - before[path]) / LEARNING_RATE
    result[f'{name}/update/{path}'] = share.round(3)
    result[f'{name}/gradient/{path}'] = gradient
  return result


def train_step(
  generator: nn.Module,
  discriminator: nn.Module,
  views: dict[str, View],
  image: torch.Tensor,
) -> dict[str, np.ndarray]:
  """Updates the generator, then the discriminator; returns losses and changes.

  The discriminator is differentiated with the reconstruction detached, which
  gives the published code's gradient on any version of PyTorch.
  """
  before = {name: torch_twin.statistics(view) for name, view in views.items()}
  generator.train()
  discriminator.train()
  fake = generator(image)
  constant = fake.detach()

  def judge(fake: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return *discriminator(image), *discriminator(fake)

  # First once as ours does: norms count each call.
  judge(constant)
  result = {}
  for name, view in views.items():
    changed = torch_twin.updated_statistics(view, before[name])
    for path, value in changed.items():
      result[f'{name}/updated_batch_stats/{path}'] = value

  losses = {}
  _, real_latent, probability, fake_latent = judge(fake)
  losses['adversarial'] = F.binary_cross_entropy(
    probability, torch.ones_like(probability)
  )
  losses['reconstruction'] = F.l1_loss(fake, image)
  losses['latent'] = F.mse_loss(fake_latent, real_latent)
  losses['generator'] = (
    losses['adversarial']
    + RECONSTRUCTION_WEIGHT * losses['reconstruction']
    + losses['latent']
  )
  result |= update(
    'generator', generator, views['generator'], losses['generator']
  )
  real, real_latent, probability, fake_latent = judge(constant)
  losses['discriminator'] = (
    F.binary_cross_entropy(real, torch.ones_like(real))
    + F.binary_cross_entropy(probability, torch.zeros_like(probability))
    + F.mse_loss(fake_latent, real_latent)
  )
  result |= update(
    'discriminator',
    discriminator,
    views['discriminator'],
    losses['discriminator'],
  )
  rim = discriminator.clas.classifier.weight.grad.clone()
  rim[..., 1, 1] = 0
  assert not rim.any()
  for name, value in losses.items():
    result[f'loss/{name}'] = value.detach().numpy()
  return result


def make_fixture(published: types.ModuleType) -> dict[str, np.ndarray]:
  torch.manual_seed(0)
  options = types.SimpleNamespace(
    isize=SIZE, nc=3, ngf=BASE, ndf=BASE, nz=LATENT, ngpu=0, gpu_ids=[]
  )
  generator = published.define_G(options)
  discriminator = published.define_D(options)
  image, _ = torch_twin.draw_images()
  others, _ = torch_twin.draw_images()
  views = {
    'generator': view_generator(generator),
    'discriminator': view_discriminator(discriminator),
  }
  result = {'image': image.permute(0, 2, 3, 1).numpy()}
  for network in (generator, discriminator):
    torch_twin.prepare(network, others)
  for name, view in views.items():
    for path, value in arrays(view, lambda p: p).items():
      result[f'{name}/params/{path}'] = value
    for path, value in torch_twin.statistics(view).items():
      result[f'{name}/batch_stats/{path}'] = value
  result |= outputs(
    copy.deepcopy(generator), copy.deepcopy(discriminator), image
  )
  result |= train_step(generator, discriminator, views, image)
  return {k: np.asarray(v, np.float32) for k, v in result.items()}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('networks', type=pathlib.Path)
  parser.add_argument('folder', type=pathlib.Path)
  arguments = parser.parse_args()
  spec = importlib.util.spec_from_file_location('published', arguments.networks)
  published = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(published)
  torch.set_default_dtype(torch.float64)
  np.savez_compressed(
    arguments.folder / 'skip_ganomaly.npz', **make_fixture(published)
  )


if __name__ == '__main__':
  main()
