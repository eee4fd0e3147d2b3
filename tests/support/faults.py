"""Faults of one process, which `tests.support.several` calls in it first."""

import ctypes
import errno
import pathlib
import resource
import shutil
import sys
import time


def wait_less(seconds: float) -> None:
  """Waits shorter for processes that do not come."""
  from afgan_jax.cli import joining

  joining.WAIT = seconds


def other_version() -> None:
  import afgan_jax

  afgan_jax.__version__ = 'other'


def report_full_disk() -> None:
  usage = shutil.disk_usage
  shutil.disk_usage = lambda path: usage(path)._replace(free=0)


def fill_disk(name: str) -> None:
  """Fails to write text to files whose name begins so."""
  write = pathlib.Path.write_text

  def write_text(path, *args, **kwargs):
    if path.name.startswith(name):
      raise OSError(errno.ENOSPC, 'No space left on device', str(path))
    return write(path, *args, **kwargs)

  pathlib.Path.write_text = write_text


def fail_at_evaluation() -> None:
  """Raises what no part of the program expects."""
  from afgan_jax.jobs import train

  def fail(*args, **kwargs):
    raise RuntimeError('A defect of the program.')

  train.measure_and_write = fail


def hang_at_first_step() -> None:
  """Blocks the main thread where no signal is noticed, as a compilation."""
  from afgan_jax.training import programs

  programs.map_sampled_steps = lambda config: _hang


def _hang(*args):
  print('It hangs.', file=sys.stderr, flush=True)
  c = ctypes.CDLL(None)
  mutex = ctypes.create_string_buffer(64)
  while True:
    c.pthread_mutex_lock(mutex)  # The second time it waits for itself.


def save_slowly(seconds: float) -> None:
  """Takes long for each checkpoint and says when it begins."""
  from afgan_jax.checkpoints import checksums

  write = checksums.write

  def write_slowly(*args, **kwargs):
    print('It saves.', file=sys.stderr, flush=True)
    time.sleep(seconds)
    write(*args, **kwargs)

  checksums.write = write_slowly


def fill_disk_while_it_saves(size: int) -> None:
  """Lets Orbax fail in its C++ code after some bytes of each file."""
  from afgan_jax.checkpoints.store import Checkpoints

  save = Checkpoints.save

  def save_partly(*args, **kwargs):
    # Python ignores the signal, so writing reports an error.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    save(*args, **kwargs)

  Checkpoints.save = save_partly
