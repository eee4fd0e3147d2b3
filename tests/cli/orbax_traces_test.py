import logging
import pathlib
import sys

import pytest

from afgan_jax.cli.orbax_traces import hide_orbax_traces
from tests.support import faults
from tests.support.several import Several

SHORT = ['--config.num_steps=4']


@pytest.fixture
def hidden(monkeypatch):
  """Hides the traces during a test; lists the other dropped errors."""
  shown = []
  monkeypatch.setattr(
    sys, 'unraisablehook', lambda x: shown.append(x.exc_value)
  )
  loggers = [logging.getLogger(name) for name in ('absl', 'asyncio')]
  for logger in loggers:
    monkeypatch.setattr(logger, 'filters', list(logger.filters))
  hide_orbax_traces()
  return shown


def record(path, level):
  return logging.LogRecord('absl', level, path, 1, 'Text', (), None)


@pytest.mark.parametrize(
  ('path', 'level', 'shown'),
  [
    ('/lib/orbax/checkpoint/future.py', logging.ERROR, False),
    ('/lib/orbax/checkpoint/future.py', logging.WARNING, True),
    ('/home/orbax-user/main.py', logging.ERROR, True),
  ],
)
def test_errors_that_orbax_logs_are_hidden(hidden, path, level, shown):
  for name in ('absl', 'asyncio'):
    passed = logging.getLogger(name).filter(record(path, level))
    assert bool(passed) == shown


def test_a_trace_through_orbax_is_hidden(hidden):
  code = 'def fail():\n  raise OSError(28, "No space left on device")'
  scope = {}
  path = str(pathlib.Path('/lib/orbax/write.py'))
  exec(compile(code, path, 'exec'), scope)
  dropped = record('/lib/asyncio/base_events.py', logging.ERROR)
  try:
    scope['fail']()
  except OSError:
    dropped.exc_info = sys.exc_info()
  assert not logging.getLogger('asyncio').filter(dropped)


def test_other_dropped_errors_are_shown(hidden):
  class Dropped:
    def __init__(self, text):
      self.text = text

    def __del__(self):
      raise RuntimeError(self.text)

  Dropped('Event loop is closed')
  Dropped('A defect')
  assert list(map(str, hidden)) == ['A defect']


@pytest.mark.training
def test_a_disk_that_fills_while_it_saves_is_told_in_one_sentence(tmp_path):
  fault = (faults.fill_disk_while_it_saves, 4096)
  with Several(tmp_path / 'run', 1, 1, *SHORT, faults={0: fault}) as several:
    assert several.finish() == [1]
    lines = several.text(0).splitlines()
  assert lines[-1] == (
    f'{tmp_path}/run/checkpoints: a checkpoint could not be written (File too '
    'large); no checkpoint was saved: make room or give access, then give the '
    'same command again.'
  )
  assert 'Traceback' not in '\n'.join(lines)
  assert len(lines) < 10
