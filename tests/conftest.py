"""What all tests share."""

import logging
import os
import shutil

# Before JAX starts: four devices on the CPU, so that the mapped step is tested
# on several; and without the optimizations of LLVM, which take most of the
# suite's time and make programs fast that run for milliseconds here.
os.environ['XLA_FLAGS'] = ' '.join(
  [
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=4',
    '--xla_backend_optimization_level=0',
  ]
)
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import jax  # noqa: E402  After the environment above.
import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def _log():
  """Undoes what the command line does to the package's logger."""
  yield
  logger = logging.getLogger('afgan_jax')
  logger.propagate = True
  logger.setLevel(logging.NOTSET)
  logger.handlers = [logging.NullHandler()]


@pytest.fixture(scope='session', autouse=True)
def _compile_once(tmp_path_factory):
  """Lets tests that compile the same program share it: most of their time."""
  folder = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    folder = folder.parent  # The workers' share.
  os.environ['XDG_CACHE_HOME'] = str(folder / 'cache')  # Not the user's.
  folder = folder / 'xla'
  folder.mkdir(exist_ok=True)
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)
  os.environ['JAX_COMPILATION_CACHE_DIR'] = str(folder)
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.1'


@pytest.fixture
def copy(trained, tmp_path):
  """Returns a copy, to change, of the run that the module's `trained` made."""
  shutil.copytree(trained[0], tmp_path / 'run')
  return tmp_path / 'run'
