"""The flags of the service, and what it needs to be installed."""

import subprocess
import sys

import pytest
from absl import flags as absl_flags

from afgan_jax.cli import serve_flags as flags
from afgan_jax.service import serve
from afgan_jax.service.limits import Limits
from afgan_jax.system.errors import UsageError


@pytest.fixture
def parse():
  before = {
    name: absl_flags.FLAGS[name].value
    for name in absl_flags.FLAGS
    if absl_flags.FLAGS[name].using_default_value is not None
  }

  def parse(*arguments):
    values = absl_flags.FLAGS
    values.unparse_flags()
    values(['serve', *arguments], known_only=True)

  yield parse
  for name in before:
    if absl_flags.FLAGS[name].present:
      absl_flags.FLAGS[name].unparse()


def test_the_defaults_are_those_of_the_limits(parse):
  parse()
  assert flags.limits() == Limits()


def test_flags_set_the_limits(parse):
  parse('--max_queue=3', '--deadline_ms=0', '--max_megabytes=1.5')
  expected = Limits(max_queue=3, deadline_ms=0, max_megabytes=1.5)
  assert flags.limits() == expected


def test_serve_gets_what_the_flags_say(parse, monkeypatch, tmp_path):
  calls = []
  monkeypatch.setattr(
    serve, 'serve', lambda models, load, **rest: calls.append((models, rest))
  )
  tokens = tmp_path / 'tokens'
  tokens.write_text('ann of-the-line\n')
  parse(
    *('--model=a=/a', '--model=/b', '--host=::1', '--port=0'),
    *(f'--token_file={tokens}', '--drain_s=0', '--poll_s=5'),
  )
  flags.serve_by_flags(None)
  ((models, rest),) = calls
  assert models == ['a=/a', '/b']
  assert (rest['host'], rest['port']) == ('::1', 0)
  assert rest['token'] == {'ann': 'of-the-line'}
  assert (rest['drain_s'], rest['poll_s'], rest['state']) == (0, 5, None)


@pytest.mark.parametrize(
  'flag, name',
  [
    ('--max_batch=0', 'max_batch'),
    ('--poll_s=0', 'poll_s'),
    ('--drain_s=-1', 'drain_s'),
    ('--drain_s=nan', 'drain_s'),
  ],
)
def test_flags_out_of_range(parse, flag, name):
  parse('--model=/x', flag)
  with pytest.raises(UsageError, match=name):
    flags.serve_by_flags(None)


def test_it_needs_no_jax():
  program = """
import sys
for name in ('jax', 'flax', 'optax', 'orbax', 'tensorflow', 'matplotlib',
             'sklearn', 'jinja2', 'tqdm', 'tensorboard'):
  sys.modules[name] = None
import afgan_jax.cli.serve_flags, afgan_jax.service.serve
assert 'afgan_jax.detector' not in sys.modules
"""
  subprocess.run([sys.executable, '-c', program], check=True)
