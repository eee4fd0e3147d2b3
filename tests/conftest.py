"""Fixtures and settings of all tests."""

import gc
import logging
import os
import pathlib
import shutil

from afgan_jax.system import cpu

# Before JAX starts: four devices on the CPU, so that the mapped step is tested
# on several; without the optimizations of LLVM and, in the releases that still
# have it, by XLA's older and quicker way to compile fusions, for compilation
# takes most of the suite's time and the programs run for milliseconds; and with
# the vectors that `main.py` asks for, so that it shares the compiled programs.
os.environ['XLA_FLAGS'] = ' '.join(
  [
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=4',
    '--xla_backend_optimization_level=0',
  ]
)
if cpu.jaxlib_release() < (0, 11):  # XLA ends the process at unknown flags.
  os.environ['XLA_FLAGS'] += ' --xla_cpu_use_fusion_emitters=false'
cpu.use_whole_vectors()
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Tracing makes many objects and TensorFlow has many that stay: looking through
# all of them again and again takes a tenth of the time.
gc.set_threshold(100_000, 20, 100)

import jax  # noqa: E402  After the environment above.
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

# Before their import: calls of these modules fail on a wrong shape.
jaxtyping.install_import_hook(
  [
    f'afgan_jax.{name}'
    for name in ('methods.losses', 'methods.maps', 'ops.filters')
  ],
  'beartype.beartype',
)

from afgan_jax import scoring  # noqa: E402
from afgan_jax.system import compilation_cache  # noqa: E402
from afgan_jax.training import programs  # noqa: E402

# Of all sessions in this checkout; those of one need some 50 MB.
_MOST_BYTES = 2**28
_is_damaged = False

# Groups and fields of which no program of a kind is made. Those that build the
# programs get a config without them, and would fail if they read one. Of the
# data scoring reads the geometry, for the margin.
_RUN = 'calibration data log checkpoint metrics predict benchmark study'.split()
_RUN += ['num_epochs', 'num_steps']
_UNUSED = {
  'map_train_step': [*_RUN, 'score'],
  'map_sampled_steps': [*_RUN, 'score'],
  'map_score': [*_RUN, 'batch_size', 'augmentation', 'optimizer'],
}


@pytest.fixture(autouse=True)
def _log():
  """Undoes what the command line does to the package's logger."""
  yield
  logger = logging.getLogger('afgan_jax')
  logger.propagate = True
  logger.setLevel(logging.NOTSET)
  logger.handlers = [logging.NullHandler()]


@pytest.fixture(scope='session', autouse=True)
def _compile_once(tmp_path_factory, pytestconfig):
  """Lets tests that compile the same program share it: most of their time.

  The programs stay in `.pytest_cache` for the next session.
  """
  folder = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    folder = folder.parent  # The workers' share.
  os.environ['XDG_CACHE_HOME'] = str(folder / 'cache')  # Not the user's.
  folder = _programs(pytestconfig) or folder / 'xla'
  folder.mkdir(exist_ok=True)
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)
  os.environ['JAX_COMPILATION_CACHE_DIR'] = str(folder)
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.1'


def _programs(config):
  """Returns the folder of the programs; None with `-p no:cacheprovider`."""
  cache = getattr(config, 'cache', None)
  return cache and pathlib.Path(cache.mkdir('xla'))


def pytest_runtest_logreport(report):
  """Notes an entry that cannot be read: JAX warns, and the test fails."""
  global _is_damaged
  _is_damaged |= 'persistent compilation cache' in report.longreprtext


def pytest_sessionfinish(session):
  """Limits the compiled programs that stay, or removes damaged ones.

  JAX writes them in place, so one may be cut off by what ends a process.
  """
  folder = _programs(session.config)
  if folder and 'PYTEST_XDIST_WORKER' not in os.environ:
    compilation_cache.prune(folder, 0 if _is_damaged else _MOST_BYTES)


@pytest.fixture
def copy(trained, tmp_path):
  """Returns a copy, to change, of the run that the module's `trained` made."""
  shutil.copytree(trained[0], tmp_path / 'run')
  return tmp_path / 'run'


@pytest.fixture(scope='session', autouse=True)
def _trace_once():
  """Lets tests share mapped functions too: tracing a step takes seconds."""

  def share(name, build):
    mapped = {}

    def shared(config, devices=None):
      config = config.copy_and_resolve_references()
      geometry = config.data.geometry
      with config.unlocked():
        for field in _UNUSED[name]:
          if field in config:
            del config[field]
        if name == 'map_score':
          config.data = {'geometry': geometry}
      key = config.to_json(sort_keys=True), devices and tuple(devices)
      if key not in mapped:
        mapped[key] = build(config, devices)
      return mapped[key]

    return shared

  with pytest.MonkeyPatch.context() as patch:
    for module, name in (
      (programs, 'map_train_step'),
      (programs, 'map_sampled_steps'),
      (scoring, 'map_score'),
    ):
      patch.setattr(module, name, share(name, getattr(module, name)))
    yield
