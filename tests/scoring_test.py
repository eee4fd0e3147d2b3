"""What is said before scoring takes long."""

import re

import pytest

from afgan_jax import scoring
from afgan_jax.methods.registry import build_method
from tests.support.tiny import tiny_config


@pytest.mark.parametrize('features, share', [(20, 1 / 2), (5, 1 / 5)])
def test_narrow_networks_take_longer_than_a_product_of_matrices(
  monkeypatch, caplog, features, share
):
  caplog.set_level('INFO', 'afgan_jax')
  speed = 1e7
  monkeypatch.setattr(scoring.machine, 'expected_speed', lambda *_: speed)
  monkeypatch.setattr(scoring, '_FAST', {'cpu': speed, 'gpu': speed})
  config = tiny_config(**{'generator.base_features': features})
  scoring.announce(config, 10_000)
  (found,) = re.findall(r'([\d.e+]+) s each', caplog.text)
  expected = build_method(config).score_flops() / speed / share
  assert float(found) == pytest.approx(expected, rel=0.06)
