"""The discriminator's side of eq 12: latent loss, order of updates, reset."""

import json
import shutil

import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.checkpoints import store as checkpoints
from afgan_jax.methods.adversary import reset_if_below
from afgan_jax.methods.afgan.init import create_state
from afgan_jax.methods.afgan.step import make_train_step
from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.system.errors import UsageError
from afgan_jax.training import loop, programs
from tests.support.saved import saved_state
from tests.support.tiny import tiny_config as _tiny_config

WEIGHT = 3.0
FIRST = {'optimizer.first': 'generator'}


def tiny_config(**fields):
  """Returns one whose programs are compiled soon: fusions play no part here."""
  return _tiny_config(**{'generator.fusion': 'none'} | fields)


def _batch():
  rng = np.random.default_rng(0)
  image = rng.uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
  return {'image': image, 'input': np.roll(image, 3, axis=1)}


def _step(**fields):
  """Returns the state before and after a step, and its metrics."""
  config = tiny_config(**fields)
  before = create_state(config)
  after, metrics = jax.jit(make_train_step(config))(before, _batch())
  return jax.device_get((before, after, metrics))


@pytest.fixture(scope='module')
def steps():
  """A step by the weight of the latent loss in the discriminator's."""
  return {
    weight: _step(**FIRST, **{'loss.discriminator_latent_weight': weight})
    for weight in (0.0, WEIGHT)
  }


def _gradient(network):
  # After one step Adam's first moment is half of it.
  return jax.tree.map(lambda m: m / 0.5, network.opt_state[0].mu)


def test_gradient_of_the_latent_loss_is_the_formulas(steps):
  states = {weight: after for weight, (_, after, _) in steps.items()}
  before = steps[0.0][0]
  difference = jax.tree.map(
    lambda x, y: x - y,
    *(
      _gradient(states[weight].networks['discriminator'])
      for weight in (WEIGHT, 0.0)
    ),
  )
  discriminator = build_discriminator(tiny_config())

  def latents(params, image):
    variables = {'params': params, 'batch_stats': {}}
    variables['batch_stats'] = before.networks['discriminator'].batch_stats
    (_, latent), _ = discriminator.apply(
      variables, image, train=True, mutable=['batch_stats']
    )
    return latent

  @jax.jit
  def formula(params, real, fake):
    real_latent, real_pullback = jax.vjp(lambda p: latents(p, real), params)
    fake_latent, fake_pullback = jax.vjp(lambda p: latents(p, fake), params)
    # (2 w / M) Σ (J f(x') − J f(x))ᵀ e with e = f(x') − f(x), M its elements.
    error = 2 * WEIGHT / real_latent.size * (fake_latent - real_latent)
    return jax.tree.map(
      lambda x, y: x - y, fake_pullback(error)[0], real_pullback(error)[0]
    )

  expected = formula(
    before.networks['discriminator'].params,
    _batch()['image'],
    _reconstructions(before),
  )
  assert not any(np.any(leaf) for leaf in jax.tree.leaves(difference['head']))
  largest = max(np.abs(x).max() for x in jax.tree.leaves(expected))
  assert largest > 0.01
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4 * largest),
    difference,
    expected,
  )


def _reconstructions(state):
  generator = build_generator(tiny_config())
  apply = jax.jit(
    lambda variables, image: generator.apply(
      variables, image, train=True, mutable=['batch_stats']
    )
  )
  return apply(state.networks['generator'].train_variables, _batch()['input'])[
    0
  ]


def test_the_term_counts_in_the_loss_and_sends_nothing_to_the_generator(steps):
  (_, without, metrics), (_, with_it, others) = steps.values()
  np.testing.assert_allclose(
    others['discriminator'],
    metrics['discriminator'] + WEIGHT * metrics['latent'],
    rtol=1e-5,
  )
  jax.tree.map(
    np.testing.assert_array_equal,
    _gradient(without.networks['generator']),
    _gradient(with_it.networks['generator']),
  )


@pytest.fixture(scope='module')
def resets():
  """States around each of two steps after which all is drawn anew."""
  config = tiny_config(
    **{'discriminator.reset_below': 1e9, 'optimizer.decay_steps': 9}
  )
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (8, 16, 16, 3), np.uint8)
  state = programs.create_state(config)
  states = [jax.device_get(state)]
  steps = programs.map_sampled_steps(config)
  for _ in range(2):
    state, _ = steps(state, *parallel.resident(images), 1)
    states.append(jax.device_get(state))
  assert jax.device_count() == 4
  return states


def test_a_reset_draws_all_of_the_discriminator_anew(resets):
  drawn = [state.networks['discriminator'].params for state in resets]
  for old, new in ((0, 1), (1, 2)):
    for x, y in zip(
      *(jax.tree.leaves(drawn[i]) for i in (old, new)), strict=True
    ):
      assert x.ndim == 1 or not np.array_equal(x, y)
  for state in resets[1:]:
    network = state.networks['discriminator']
    kernels = [
      leaf.ravel() for leaf in jax.tree.leaves(network.params) if leaf.ndim > 1
    ]
    values = np.concatenate(kernels)
    # N(0, 0.02), as at the start.
    assert abs(values.mean()) < 4 * 0.02 / len(values) ** 0.5
    assert abs(values.std() / 0.02 - 1) < 4 / (2 * len(values)) ** 0.5
    for statistics in network.batch_stats.values():
      np.testing.assert_array_equal(statistics['mean'], 0)
      np.testing.assert_array_equal(statistics['var'], 1)
    adam, schedule = network.opt_state
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(adam))
    # A learning rate that falls goes on falling.
    assert int(schedule.count) == int(state.step)


def test_only_a_loss_below_the_bound_draws():
  config = tiny_config(**{'discriminator.reset_below': 0.5})
  state = jax.jit(lambda: create_state(config))()

  @jax.jit
  def reset(loss):
    return reset_if_below(config, build_discriminator(config), loss, state)

  kept, drawn = reset(0.5), reset(0.49)
  jax.tree.map(np.testing.assert_array_equal, kept, state)
  # All but the discriminator stays.
  jax.tree.map(
    np.testing.assert_array_equal,
    drawn.update_networks(discriminator=None),
    state.update_networks(discriminator=None),
  )
  heads = [
    s.networks['discriminator'].params['head']['kernel'] for s in (drawn, state)
  ]
  assert not np.array_equal(*heads)


OLD = {'loss.discriminator_latent_weight': 0.0}


@pytest.fixture(scope='module')
def old_run(tmp_path_factory):
  """A run of two epochs from before the fields came."""
  workdir = tmp_path_factory.mktemp('old') / 'run'
  _train(workdir, 2)
  for folder in (workdir / 'checkpoints').iterdir():
    (folder / 'SHA256SUMS').unlink()
    (file,) = (folder / 'config').glob('metadata')
    stored = json.loads(file.read_text())
    del stored['config']['loss']['discriminator_latent_weight']
    del stored['config']['optimizer']['first']
    del stored['config']['discriminator']['reset_below']
    del stored['config']['norm']['kind']
    file.write_text(json.dumps(stored))
  return workdir


def _train(workdir, num_epochs, **fields):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (6, 16, 16, 3), np.uint8)
  config = tiny_config(num_epochs=num_epochs, **OLD | fields)
  return jax.device_get(loop.train(config, workdir, images, None))


def test_an_old_run_opens_with_what_it_was_trained_with(old_run):
  config, _ = checkpoints.restore(old_run)
  assert config.loss.discriminator_latent_weight == 0
  assert config.optimizer.first == 'discriminator'
  assert config.discriminator.reset_below == 0
  assert config.norm.kind == 'batch'
  # No score depends on how the discriminator was trained.
  checkpoints.restore(old_run, tiny_config())


def test_an_old_run_continues_to_the_bit(old_run, tmp_path):
  shutil.copytree(old_run, tmp_path / 'run')
  parts = _train(tmp_path / 'run', 3)
  whole = _train(tmp_path / 'whole', 3)
  jax.tree.map(np.testing.assert_array_equal, parts, whole)
  jax.tree.map(
    np.testing.assert_array_equal,
    jax.device_get(saved_state(tmp_path / 'run')),
    whole,
  )


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('loss.discriminator_latent_weight', 1.0),
    ('optimizer.first', 'generator'),
    ('discriminator.reset_below', 1e-5),
    ('norm.kind', 'group'),
  ],
)
def test_an_old_run_does_not_go_on_in_another_way(old_run, field, value):
  with pytest.raises(UsageError, match=f'config.{field} .was'):
    _train(old_run, 3, **{field: value})
