import signal
import threading

import numpy as np
import pytest

from afgan_jax.checkpoints import store as checkpoints
from afgan_jax.system.errors import Interrupted
from afgan_jax.training import loop
from afgan_jax.training.interrupts import catch_interrupts
from tests.support.tiny import tiny_config


@pytest.mark.training
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_last_save_is_heard(tmp_path, monkeypatch, signum):
  write = checkpoints.checksums.write

  def stopped(*args, **kwargs):
    signal.pthread_kill(threading.main_thread().ident, signum)
    write(*args, **kwargs)

  monkeypatch.setattr(checkpoints.checksums, 'write', stopped)
  before = signal.getsignal(signum)
  images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
  with pytest.raises(Interrupted, match='step 2 of 2 and saved') as caught:
    loop.train(tiny_config(num_epochs=1), tmp_path, images, None)
  assert caught.value.exit_code == 128 + signum
  assert signal.getsignal(signum) is before
  assert int(checkpoints.restore(tmp_path)[1].step) == 2


@pytest.fixture
def terminated():
  """Counts SIGTERM in a list."""
  received = []
  before = signal.signal(signal.SIGTERM, lambda *_: received.append(1))
  yield received
  signal.signal(signal.SIGTERM, before)


def test_a_signal_after_the_last_poll_has_its_previous_effect(terminated):
  with catch_interrupts() as poll:
    assert poll() is None
    signal.raise_signal(signal.SIGTERM)
    assert not terminated
  assert terminated


def test_a_signal_that_was_polled_has_no_further_effect(terminated):
  with catch_interrupts() as poll:
    signal.raise_signal(signal.SIGTERM)
    assert poll() == signal.SIGTERM
  assert not terminated
