import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.system.errors import UsageError
from afgan_jax.training import programs
from afgan_jax.training import step_runner as feed
from tests.support.tiny import tiny_config


@pytest.mark.training
def test_steps_in_one_call_are_the_steps_one_by_one():
  config = tiny_config()
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (8, 16, 16, 3), np.uint8)
  arguments = parallel.resident(images)
  steps = programs.map_sampled_steps(config)

  state = programs.create_state(config)
  apart = []
  for _ in range(5):
    state, metrics = steps(state, *arguments, 1)
    apart.append({k: v[0] for k, v in jax.device_get(metrics).items()})
  together, metrics = steps(programs.create_state(config), *arguments, 5)

  jax.tree.map(
    np.testing.assert_array_equal, *jax.device_get((state, together))
  )
  for name, values in jax.device_get(metrics).items():
    assert values.shape == (parallel.MAX_STEPS,)
    np.testing.assert_array_equal(values[:5], [m[name] for m in apart])
    assert not values[5:].any()


@pytest.mark.parametrize(
  ('seconds_per_step', 'most'),
  [(1.0, 1), (0.2, 2), (0.1, 4), (0.001, parallel.MAX_STEPS)],
)
def test_calls_grow_to_half_a_second(monkeypatch, seconds_per_step, most):
  now = 100.0
  monkeypatch.setattr(feed.time, 'perf_counter', lambda: now)
  pace = feed._Pace()
  counts = []
  for call in range(12):
    counts.append(pace.next_count(1000))
    # The first one compiles.
    now += 20 if call == 0 else counts[-1] * seconds_per_step
  assert counts[0] == 1
  assert counts == sorted(counts)
  assert counts[-1] == most


def test_calls_end_where_they_must(monkeypatch):
  now = 0.0
  monkeypatch.setattr(feed.time, 'perf_counter', lambda: now)
  pace = feed._Pace()
  for limit in (1000,) * 8 + (3, 1000, 2):
    count = pace.next_count(limit)
    now += 0.001 * count
    assert 1 <= count <= limit
  assert count == 2


def test_a_set_too_large_for_a_device_is_refused(monkeypatch):
  class Device:
    device_kind = 'Made-up GPU'

    def memory_stats(self):
      return {'bytes_limit': 3000, 'bytes_in_use': 1000}

  images = np.zeros((3, 16, 16, 3), np.uint8)
  monkeypatch.setattr(jax, 'local_devices', lambda: [Device()])
  with pytest.raises(UsageError, match=r'Made-up GPU.*placement=host'):
    feed.make_advance(tiny_config(), images, None, 0, 1)
