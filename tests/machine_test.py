import jax
import numpy as np
import pytest

from afgan_jax import machine


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_a_matrix_product_takes_the_time_that_is_measured(monkeypatch, dtype):
  monkeypatch.setattr(machine, '_sizes', lambda devices: (64, 2**12))
  monkeypatch.setattr(machine, '_best_seconds', lambda run, *_: _shapes(run))
  devices = jax.devices()[:2]
  # Half a second for two products of 64×64×64.
  assert machine.matrix_peak(dtype, devices) == 2 * (2 * 64**3) / 0.5
  assert machine.bandwidth(devices) == 2 * (2 * 2**12) / 0.5


def _shapes(run):
  result = run()
  assert len(result.sharding.device_set) == 2
  if result.ndim == 3:
    assert result.shape == (2, 64, 64)
    factor = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    for product in np.asarray(result, np.float32):
      np.testing.assert_allclose(product, factor @ factor, atol=0.3)
  else:
    assert result.nbytes == 2 * 2**12
  return 0.5


def test_peak_memory_of_the_process_and_of_devices():
  class Device:
    def __init__(self, peak):
      self._peak = peak

    def memory_stats(self):
      return self._peak

  assert machine.peak_memory([Device(None)]) > 10 * 2**20
  devices = [Device({'peak_bytes_in_use': n}) for n in (5, 9, 7)]
  assert machine.peak_memory(devices) == 9
