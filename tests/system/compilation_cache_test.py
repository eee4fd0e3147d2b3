import os
import pathlib
import subprocess
import sys

import pytest

from afgan_jax.system import compilation_cache

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
import jax
from afgan_jax.cli.main import show_log
from afgan_jax.system import compilation_cache
show_log()
compilation_cache.enable()
print(jax.config.jax_compilation_cache_dir)
print(jax.config.jax_persistent_cache_min_compile_time_secs)
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
"""


# As in a container that is given a user's number alone.
NOBODY = """
import pwd

def _unknown(uid):
  raise KeyError(f'uid not found: {uid}')

pwd.getpwuid = _unknown
"""


def run(before='', **variables):
  """Returns folder and threshold as JAX has them, and what stderr says."""
  environment = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(('JAX_', 'XDG_'))
  }
  done = subprocess.run(
    [sys.executable, '-c', before + PROGRAM],
    cwd=ROOT,
    env=environment | {'JAX_PLATFORMS': 'cpu'} | variables,
    check=True,
    capture_output=True,
    text=True,
  )
  return *done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize('name', ['XDG_CACHE_HOME', 'HOME'])
def test_the_default_is_the_users_cache_folder(name, tmp_path):
  folder, seconds, stderr = run(**{name: str(tmp_path)})
  cache = tmp_path if name == 'XDG_CACHE_HOME' else tmp_path / '.cache'
  assert pathlib.Path(folder) == cache / 'afgan_jax' / 'xla'
  assert pathlib.Path(folder).is_dir()
  assert float(seconds) == compilation_cache.MIN_COMPILE_SECONDS
  assert stderr == ''


def test_a_relative_cache_folder_is_ignored(tmp_path):
  folder, _, stderr = run(XDG_CACHE_HOME='relative', HOME=str(tmp_path))
  assert pathlib.Path(folder) == tmp_path / '.cache' / 'afgan_jax' / 'xla'
  assert stderr == '' and not (ROOT / 'relative').exists()


def test_the_variables_of_jax_go_first(tmp_path):
  other = tmp_path / 'other'
  folder, seconds, stderr = run(
    HOME=str(tmp_path / 'home'),
    JAX_COMPILATION_CACHE_DIR=str(other),
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0',
  )
  assert pathlib.Path(folder) == other
  assert float(seconds) == 0
  assert list(other.glob('*-cache'))  # JAX does keep programs there.
  assert stderr == ''
  assert not (tmp_path / 'home').exists()


def test_an_empty_variable_turns_it_off(tmp_path):
  folder, _, stderr = run(
    HOME=str(tmp_path),
    JAX_COMPILATION_CACHE_DIR='',
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0',
  )
  assert folder == '' and stderr == ''
  assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
  (tmp_path / 'afgan_jax').write_text('not a folder')
  folder, _, stderr = run(XDG_CACHE_HOME=str(tmp_path))
  assert folder == 'None'
  assert len(stderr.splitlines()) == 1
  assert str(tmp_path) in stderr and 'JAX_COMPILATION_CACHE_DIR' in stderr


@pytest.mark.parametrize('cache', [None, 'relative'])
def test_a_user_without_an_entry_is_told_in_a_line(monkeypatch, cache):
  monkeypatch.delenv('HOME')
  variables = {} if cache is None else {'XDG_CACHE_HOME': cache}
  folder, _, stderr = run(NOBODY, **variables)
  assert folder == 'None'
  assert len(stderr.splitlines()) == 1
  assert 'decoded images' in stderr and 'XDG_CACHE_HOME' in stderr


@pytest.mark.parametrize('name', ['HOME', 'XDG_CACHE_HOME'])
def test_a_home_that_is_a_file_is_told_in_a_line(tmp_path, name):
  (tmp_path / 'file').write_text('not a folder')
  folder, _, stderr = run(**{name: str(tmp_path / 'file')})
  assert folder == 'None'
  assert len(stderr.splitlines()) == 1 and str(tmp_path) in stderr


ANNOUNCED = """
import time
import jax
from jax import monitoring
from afgan_jax.cli.main import show_log
from afgan_jax.system import compilation_cache
show_log()
compilation_cache.announce(0.3)
event = compilation_cache._COMPILATION

def compile_for(seconds):
  monitoring.record_scalar(event, 0.0)
  time.sleep(seconds)
  monitoring.record_event_duration_secs(event, seconds)

compile_for(0.0)
time.sleep(0.6)
print('quick')
compile_for(0.9)
compile_for(0.9)
"""


def _run_program(program, **variables):
  return subprocess.run(
    [sys.executable, '-c', program],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'} | variables,
    check=True,
    capture_output=True,
    text=True,
  )


@pytest.mark.training
def test_a_long_compilation_is_announced_once(tmp_path):
  done = _run_program(
    ANNOUNCED + "print('long')", JAX_COMPILATION_CACHE_DIR=str(tmp_path)
  )
  (line,) = done.stderr.splitlines()
  assert 'Compiling' in line and 'minutes' in line and 'cache' in line
  # A quick one is not.
  quick = ANNOUNCED.replace('compile_for(0.9)', '')
  assert _run_program(quick).stderr == ''
  done = _run_program(ANNOUNCED, JAX_COMPILATION_CACHE_DIR='')
  assert 'Compiling' in done.stderr and 'cache' not in done.stderr


def test_jax_tells_of_its_compilations():
  program = ANNOUNCED[: ANNOUNCED.index('event =')].replace('0.3', '0')
  program += """
jax.jit(lambda x: [x := jax.numpy.sin(x @ x) for _ in range(200)])(
  jax.numpy.ones((8, 8)))
"""
  done = _run_program(program, JAX_COMPILATION_CACHE_DIR='')
  assert done.stderr.count('Compiling') == 1


@pytest.mark.slow
def test_xla_asks_for_no_bug_report():
  # It folds a constant for longer than a second.
  program = """
from afgan_jax.system import cpu
cpu.prepare()
import jax
import numpy as np
values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
window = ((15, 15), (1, 1), 'SAME')
print(jax.jit(
  lambda x: x + jax.lax.reduce_window(values, 0.0, jax.lax.add, *window).sum()
)(1.0))
"""
  level = {'JAX_COMPILATION_CACHE_DIR': ''}
  loud = _run_program(program, TF_CPP_MIN_LOG_LEVEL='1', **level)
  assert 'file a bug' in loud.stderr
  quiet = _run_program(program, TF_CPP_MIN_LOG_LEVEL='3', **level)
  assert quiet.stderr == '' and quiet.stdout == loud.stdout


def test_the_oldest_files_go_first(tmp_path):
  (tmp_path / 'sub').mkdir()
  names = ['new', 'sub/old', 'middle']
  for name, age in zip(names, (1, 3, 2), strict=True):
    (tmp_path / name).write_bytes(bytes(10))
    os.utime(tmp_path / name, (100 - age, 100 - age))
  compilation_cache.prune(tmp_path, 30)
  assert all((tmp_path / name).exists() for name in names)
  compilation_cache.prune(tmp_path, 25)
  assert [name for name in names if (tmp_path / name).exists()] == [
    'new',
    'middle',
  ]
