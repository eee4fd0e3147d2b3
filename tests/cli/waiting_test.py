"""A process that waits ends in time, or at once at a signal."""

import os
import signal
import time

import pytest

from afgan_jax.cli import ending, waiting
from afgan_jax.system.errors import ProcessStopped
from afgan_jax.system.group import Group
from tests.support.program import SERVER


def _run(path, seconds, sleep, signum):
  file = os.open(path, os.O_WRONLY | os.O_CREAT)
  os.dup2(file, 2)
  with waiting.at_most(seconds, 'Nobody came.'):
    if signum:
      os.kill(os.getpid(), signum)
    # A signal does not end this, as it does not end a wait in C++.
    time.sleep(sleep)
  os._exit(7)


def outcome(path, *args):
  process = SERVER.Process(target=_run, args=(path, *args))
  process.start()
  process.join(30)
  return process.exitcode, path.read_text()


def test_the_time_ends_the_process_with_a_sentence(tmp_path):
  assert outcome(tmp_path / 'a', 0.2, 30, None) == (1, 'Nobody came.\n')


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_at_once(tmp_path, signum):
  code, text = outcome(tmp_path / 'a', 30, 30, signum)
  assert code == 128 + signum
  assert text.startswith(f'Stopped by {signum.name}') and text.count('\n') == 1


def test_the_signals_are_as_before_after_a_wait(tmp_path):
  before = [signal.getsignal(each) for each in waiting.SIGNALS]
  with waiting.at_most(0.2, 'Nobody came.'):
    pass
  time.sleep(0.4)  # It would have ended the tests.
  assert [signal.getsignal(each) for each in waiting.SIGNALS] == before
  assert outcome(tmp_path / 'a', 5, 0, None) == (7, '')


class _Dropped:
  """Receives a signal where Python drops exceptions."""

  def __del__(self):
    signal.raise_signal(signal.SIGTERM)


def _stop_in_callback(path):
  file = os.open(path, os.O_WRONLY | os.O_CREAT)
  os.dup2(file, 2)
  ending.prepare(Group(None, 0, 1))
  try:
    _Dropped()
    time.sleep(30)
  except ProcessStopped as error:
    os._exit(error.exit_code)


def test_a_signal_in_a_callback_is_not_lost(tmp_path):
  process = SERVER.Process(target=_stop_in_callback, args=(tmp_path / 'a',))
  process.start()
  process.join(20)
  assert process.exitcode == 143
  assert (tmp_path / 'a').read_text() == ''
