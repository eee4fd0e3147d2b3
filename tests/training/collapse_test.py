import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.training import loop
from afgan_jax.training.collapse import (
  Collapse,
  describe_recovery,
  find_collapse,
)
from tests.support.tiny import tiny_config


def _history(discriminator, reconstruction):
  steps = list(range(10, 10 * len(discriminator) + 1, 10))
  return {
    'discriminator': (steps, list(discriminator)),
    'reconstruction': (steps, list(reconstruction)),
  }


def _falling(count, last):
  return np.geomspace(0.7, last, count)


# As runs went (docs/reproduction.md): State 4 with the latent loss in the
# generator's loss alone, and in both; the toothbrush at 64 px.
@pytest.mark.parametrize(
  ('discriminator', 'reconstruction', 'collapsed'),
  [
    (_falling(100, 1e-5), np.full(100, 0.67), True),
    (np.full(100, 0.9), _falling(100, 0.03), False),
    # It wins, but the generator learns all the same.
    (_falling(100, 1e-3), _falling(100, 0.03), False),
    # The error does not fall, but no one wins.
    (np.full(100, 0.9), np.full(100, 0.67), False),
    # It learnt, and then all was lost.
    (
      np.repeat([0.9, 1e-4], 50),
      np.concatenate([_falling(50, 0.03), np.full(50, 0.3)]),
      True,
    ),
    # A discriminator that was ahead for a while.
    (
      np.repeat([0.9, 1e-4, 0.9], [20, 60, 30]),
      np.repeat([0.5, 0.5, 0.05], [20, 60, 30]),
      False,
    ),
    # Too short to tell.
    (np.full(39, 1e-5), np.full(39, 0.67), False),
  ],
)
def test_collapsed_runs_are_told(discriminator, reconstruction, collapsed):
  found = find_collapse(_history(discriminator, reconstruction))
  assert (found is not None) == collapsed
  if collapsed:
    assert found.step == 10 * len(discriminator)
    assert found.reconstruction == pytest.approx(reconstruction[-1])


def test_single_values_do_not_decide():
  rng = np.random.default_rng(0)
  discriminator = np.where(rng.uniform(size=200) < 0.2, 1.0, 1e-4)
  found = find_collapse(_history(discriminator, np.full(200, 0.6)))
  assert found is not None


def test_a_recovery_is_told_when_no_recent_window_is_of_a_collapse():
  # Of the three latest windows of ten values the first has 6, then 5 of them.
  discriminator = np.repeat([1e-4, 0.5], [60, 24])
  history = _history(discriminator, np.full(84, 0.6))
  assert describe_recovery(history) is None
  history = _history(np.append(discriminator, 0.5), np.full(85, 0.6))
  text = describe_recovery(history)
  assert 'step 850' in text and 'discriminator loss is 0.5 ' in text
  # The error fell, although the discriminator is still ahead.
  error = np.repeat([0.6, 0.05], [60, 30])
  assert describe_recovery(_history(np.full(90, 1e-4), error)) is not None


def test_without_a_discriminator_nothing_collapses():
  history = _history(np.zeros(100), np.full(100, 0.6))
  del history['discriminator']
  assert find_collapse(history) is None


@pytest.mark.parametrize(
  ('fields', 'remedy'),
  [
    (
      {'loss.discriminator_latent_weight': 0.0},
      'config.loss.discriminator_latent_weight=1',
    ),
    ({}, 'config.discriminator.norm=group'),
    ({'discriminator.norm': 'group'}, 'config.loss.adversarial_weight'),
  ],
)
def test_the_sentence_names_what_helps(fields, remedy):
  text = Collapse(70, 0.0001, 0.67).describe(tiny_config(**fields))
  assert 'step 70' in text and '0.0001' in text and '0.67' in text
  assert remedy in text and text.count('.\n') == 0


@pytest.mark.training
@pytest.mark.parametrize(
  'older', [False, pytest.param(True, marks=pytest.mark.training)]
)
def test_training_tells_it_once_and_again_when_it_goes_on(
  tmp_path, monkeypatch, capfd, older
):
  def make_advance(*_):
    def advance(state, limit):
      metrics = {'discriminator': 1e-4, 'reconstruction': 0.6}
      metrics = {k: jnp.full(limit, v) for k, v in metrics.items()}
      return state.replace(step=state.step + limit), limit, metrics

    return advance

  monkeypatch.setattr(loop, 'make_advance', make_advance)
  images = np.zeros((8, 16, 16, 3), np.uint8)
  fields = {'generator.fusion': 'none', 'log.every_steps': 1}
  for num_steps in (60, 70):
    config = tiny_config(num_steps=num_steps, **fields)
    loop.train(config, tmp_path, images, None)
    assert capfd.readouterr().err.count('collapsed') == 1
    if older:  # Versions before left TensorBoard's files alone.
      (tmp_path / 'history.jsonl').unlink()


@pytest.mark.training
def test_training_tells_a_recovery_and_does_not_report_the_collapse(
  tmp_path, monkeypatch, capfd
):
  def make_advance(*_):
    def advance(state, limit):
      steps = state.step + 1 + jnp.arange(limit)
      metrics = {
        'discriminator': jnp.where(steps <= 50, 1e-4, 0.7),
        'reconstruction': jnp.full(limit, 0.6),
      }
      return state.replace(step=state.step + limit), limit, metrics

    return advance

  monkeypatch.setattr(loop, 'make_advance', make_advance)
  images = np.zeros((8, 16, 16, 3), np.uint8)
  fields = {'generator.fusion': 'none', 'log.every_steps': 1}
  loop.train(tiny_config(num_steps=120, **fields), tmp_path, images, None)
  text = capfd.readouterr().err
  assert text.count('has collapsed by step') == 1
  assert text.count('has recovered by step') == 1
  assert text.index('collapsed by') < text.index('recovered by')
