import os
import pathlib
import subprocess
import sys

import jaxlib
import pytest

from afgan_jax.system import cpu

ROOT = pathlib.Path(__file__).parents[2]
FLAG = '--xla_cpu_prefer_vector_width'
ASKS_FOR_THE_SAME_MEMORY_AGAIN = """
import resource
from afgan_jax.system import cpu as cpu_runtime
if not cpu_runtime.keep_freed_memory():
  raise SystemExit('no glibc')
import jax, jax.numpy as jnp
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# A temporary and a result of 80 MB, larger than what malloc keeps by default.
f = jax.jit(lambda x: jnp.cos(x)[::-1] @ jnp.ones((100, 100)))
x = jnp.ones((200_000, 100))
counts = []
for _ in range(12):
  before = faults()
  f(x).block_until_ready()
  counts.append(faults() - before)
print(min(counts))
"""


@pytest.mark.parametrize(
  ('given', 'expected'),
  [
    (None, f'{FLAG}=512'),
    ('--xla_a=1', f'--xla_a=1 {FLAG}=512'),
    (f'{FLAG}=128', f'{FLAG}=128'),
  ],
)
def test_flags_that_are_set_stay(given, expected):
  environment = {k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'}
  if given:
    environment['XLA_FLAGS'] = given
  program = (
    'import os; from afgan_jax.system import cpu; cpu.prepare(); '
    'print(os.environ["XLA_FLAGS"])'
  )
  assert run(program, environment).strip() == expected


@pytest.mark.parametrize('given', [None, '0'])
def test_the_log_of_xla_is_hidden_unless_a_level_is_set(monkeypatch, given):
  monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
  if given is not None:
    monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', given)
  cpu.silence_compiler()
  assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == (given or '3')


@pytest.mark.parametrize(
  ('version', 'expected'),
  [
    ('0.10.2', f'{FLAG}=512'),
    ('0.12.0.1', f'{FLAG}=512'),
    ('0.13.0.dev20270101', ''),
    ('1.0', ''),
  ],
)
def test_no_flag_for_a_release_that_may_not_know_it(
  version, expected, monkeypatch
):
  monkeypatch.setattr(jaxlib, '__version__', version)
  monkeypatch.setenv('XLA_FLAGS', '')
  cpu.use_whole_vectors()
  assert os.environ['XLA_FLAGS'] == expected


def test_xla_knows_the_flag():
  # XLA ends the process at a flag that it does not know.
  program = (
    'from afgan_jax.system import cpu; cpu.prepare(); '
    'import jax; print(jax.numpy.ones(3).sum())'
  )
  assert run(program, dict(os.environ)).strip() == '3.0'


def test_freed_memory_comes_back_without_page_faults():
  # Compiled as a user's programs are, or it takes long.
  environment = {k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'}
  output = run(ASKS_FOR_THE_SAME_MEMORY_AGAIN, environment, check=False)
  if not output:
    pytest.skip('memory can be kept with glibc only')
  # The 80 MB of the result alone are 19,531 pages.
  assert int(output) < 2000


def run(program, environment, check=True):
  return subprocess.run(
    [sys.executable, '-c', program],
    cwd=ROOT,
    env=environment | {'JAX_PLATFORMS': 'cpu'},
    check=check,
    stdout=subprocess.PIPE,
    text=True,
  ).stdout
