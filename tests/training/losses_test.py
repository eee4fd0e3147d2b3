import jax.numpy as jnp
import numpy as np

from afgan_jax.training import losses

LOG2 = np.log(2)


def test_discriminator_loss_by_hand():
  # An undecided discriminator pays log 2 for each side.
  loss = losses.discriminator_loss(jnp.zeros(3), jnp.zeros(3))
  np.testing.assert_allclose(loss, 2 * LOG2, rtol=1e-6)
  # −log σ(2) and −log(1 − σ(−1)) = −log σ(1).
  loss = losses.discriminator_loss(jnp.array([2.0]), jnp.array([-1.0]))
  np.testing.assert_allclose(loss, 0.126928 + 0.313262, rtol=1e-5)


def test_adversarial_loss_wants_the_fake_to_pass():
  np.testing.assert_allclose(
    losses.adversarial_loss(jnp.array([0.0, 2.0])),
    (LOG2 + 0.126928) / 2,
    rtol=1e-5,
  )


def test_losses_of_extreme_logits_are_finite():
  huge = jnp.array([1e4])
  np.testing.assert_allclose(losses.adversarial_loss(-huge), 1e4)
  np.testing.assert_allclose(losses.discriminator_loss(-huge, huge), 2e4)


def test_reconstruction_error_is_a_mean_over_pixels_and_channels():
  image = jnp.zeros((2, 4, 4, 3))
  other = image.at[1, 0, 0].set(jnp.array([0.5, -0.25, 0.25]))
  np.testing.assert_allclose(
    losses.reconstruction_error(image, other), [0, 1 / 48], rtol=1e-6
  )


def test_latent_error_is_a_mean_square():
  real = jnp.array([[1.0, 2.0], [0.0, 0.0]])
  fake = jnp.array([[1.0, 4.0], [3.0, -1.0]])
  np.testing.assert_allclose(losses.latent_error(real, fake), [2, 5])
