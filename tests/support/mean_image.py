"""A method of the tests' own: a network, one class, and nothing else."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from afgan_jax.methods.state import create_network, create_train_state
from afgan_jax.methods.update import make_update, mean_over
from afgan_jax.ops.pixels import to_float


class _Mean(nn.Module):
  """Gives one learnt image back for all."""

  @nn.compact
  def __call__(self, image):
    shape = image.shape[1:]
    mean = self.param('mean', nn.initializers.zeros_init(), shape)
    return jnp.broadcast_to(mean, image.shape)


class MeanImage:
  """Scores by the distance to a mean image that it learns by descent."""

  def __init__(self, config):
    self._config = config
    self._network = _Mean()
    self._optimizer = optax.sgd(50.0)

  def init(self):
    image = jnp.zeros((1, self._config.tile_size, self._config.tile_size, 3))
    params = self._network.init(jax.random.key(0), image)['params']
    variables = {'params': params, 'batch_stats': {}}
    return create_train_state(mean=create_network(variables, self._optimizer))

  def train_step(self, axis_name=None):
    update = make_update(self._optimizer, 0.0, axis_name)

    def step(state, batch):
      def loss(params):
        given = self._network.apply({'params': params}, batch['image'])
        return jnp.mean((given - batch['image']) ** 2)

      network = state.networks['mean']
      value, grads = jax.value_and_grad(loss)(network.params)
      network = update(state.step, network, grads, {})
      state = state.update_networks(mean=network).replace(step=state.step + 1)
      return state, mean_over(axis_name, {'squares': value})

    return step

  def score(self, variables, pixels):
    image = to_float(pixels)
    params = variables['mean']['params']
    distance = abs(self._network.apply({'params': params}, image) - image)
    values = distance.mean(axis=-1)
    return {'score': values.max(axis=(1, 2)), 'map': values}

  def train_flops(self):
    return 0

  def score_flops(self):
    return 0

  def collapse_remedy(self):
    return ''


class MeanError(MeanImage):
  """Scores by the mean of the map, as the paper's methods do."""

  def score(self, variables, pixels):
    scores = super().score(variables, pixels)
    mean = scores['map'].mean(axis=(1, 2))
    return {**scores, 'score': mean, 'paper': mean}
