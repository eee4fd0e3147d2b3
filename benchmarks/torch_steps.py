"""Builds the PyTorch train step and scoring for `compare_pytorch.py`."""

import torch
from torch.nn import functional


def make_train(generator, discriminator, image, autocast):
  """Builds the train step (§3.3).

  Args:
    generator: in training mode.
    discriminator: in training mode.
    image: batch in [-1, 1], [batch, 3, size, size].
    autocast: returns the context in which the networks run.

  Returns:
    A function that updates both networks.
  """
  bce = functional.binary_cross_entropy_with_logits
  optimizers = [
    torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for network in (generator, discriminator)
  ]

  def step() -> None:
    with autocast():
      fake = generator(image)
      real_logit, real_latent = discriminator(image)
      fake_logit, fake_latent = discriminator(fake.detach())
      loss = bce(real_logit, torch.ones_like(real_logit))
      loss = loss + bce(fake_logit, torch.zeros_like(fake_logit))
      loss = loss + functional.mse_loss(fake_latent, real_latent)
    _update(optimizers[1], loss)
    # The generator's loss needs no gradient of these weights.
    discriminator.requires_grad_(False)
    with autocast():
      _, real_latent = discriminator(image)
      fake_logit, fake_latent = discriminator(fake)
      loss = bce(fake_logit, torch.ones_like(fake_logit))
      loss = loss + 40 * functional.l1_loss(fake, image)
      loss = loss + functional.mse_loss(fake_latent, real_latent)
    _update(optimizers[0], loss)
    discriminator.requires_grad_(True)

  return step


def _update(optimizer, loss) -> None:
  optimizer.zero_grad(set_to_none=True)
  loss.backward()
  optimizer.step()


def make_score(generator, discriminator, image, autocast):
  """Builds the scoring (§3.4); arguments as `make_train`."""
  generator.eval()
  discriminator.eval()

  @torch.no_grad()
  def step() -> None:
    with autocast():
      fake = generator(image)
      _, real_latent = discriminator(image)
      _, fake_latent = discriminator(fake)
    (image - fake).abs().mean((1, 2, 3))
    (real_latent - fake_latent).square().mean(1)

  return step
