import re

import pytest

from afgan_jax.benchmark import estimate
from afgan_jax.config.rules import check_config
from afgan_jax.methods.registry import build_method
from afgan_jax.system.log import in_words
from configs import default
from configs.compare import anogan, f_anogan
from tests.support.tiny import tiny_config


@pytest.mark.parametrize(
  ('seconds', 'words'),
  [
    (0.01, '1 s'),
    (45.2, '45 s'),
    (119, '120 s'),
    (121, '2 min'),
    (3600, '60 min'),
    (2.54 * 3600, '2.5 h'),
    (36000, '10 h'),
    (60 * 3600, '2.5 days'),
  ],
)
def test_durations_in_words(seconds, words):
  assert in_words(seconds) == words


@pytest.fixture
def peak(monkeypatch):
  """A machine whose matrix product reaches 10 GFLOP/s."""
  monkeypatch.setattr(estimate.machine, 'matrix_peak', lambda *_, **__: 1e10)
  return 1e10


def test_the_duration_is_that_of_the_operations(peak):
  config = tiny_config(**{'generator.base_features': 20})
  # 20 features reach half of the peak.
  operations = 4 * build_method(config).train_flops()
  seconds = 50_000 * operations / (peak / 2)
  line, _ = estimate.describe_duration(config, 50_000)
  assert line.startswith('50000 steps of 4 images of 16 px with 20 features')
  assert f'about {in_words(seconds)} on' in line


def test_a_long_run_is_told_what_makes_it_an_hour(peak):
  _, fields = estimate.describe_duration(default.get_config(), 1600)
  smaller = default.get_config()
  smaller.update_from_flattened_dict(fields)
  check_config(smaller, num_devices=1)
  hour, shorter = estimate.describe_duration(smaller, smaller.num_steps)
  minutes = float(re.search(r'about (\d+) min', hour)[1])
  assert 50 <= minutes <= 65
  assert not shorter


@pytest.mark.parametrize('module', [anogan, f_anogan])
def test_an_hour_of_another_method_is_a_run_that_can_be(peak, module):
  config = module.get_config()
  _, fields = estimate.describe_duration(config, config.num_steps)
  config.update_from_flattened_dict(fields)
  check_config(config, num_devices=1)
  assert config.discriminator.base_features == 16
  _, shorter = estimate.describe_duration(config, config.num_steps)
  assert not shorter
