"""Checks and locks the folder of a run."""

import contextlib
import pathlib
from collections.abc import Iterator

import filelock

from afgan_jax.system.errors import UsageError, WorkdirInUse

_LOCK = '.lock'


def check_not_file(folder: pathlib.Path) -> None:
  """Checks that a folder can be created or written to.

  Args:
    folder: need not exist.

  Raises:
    UsageError: the path, or a parent, is a file.
  """
  for path in (folder, *folder.parents):
    if path.exists() and not path.is_dir():
      raise UsageError(f'{path} is a file, not a folder.')


@contextlib.contextmanager
def claim(workdir: pathlib.Path) -> Iterator[None]:
  """Locks a workdir against other runs and creates it if it is missing.

  The operating system releases the lock however the process ends.

  Args:
    workdir: of the run.

  Raises:
    WorkdirInUse: another run holds the lock.
  """
  workdir.mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(workdir / _LOCK, blocking=False)
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(lock)
    except filelock.Timeout as error:
      raise WorkdirInUse(f'{workdir} is in use by another run.') from error
    except NotImplementedError:
      pass  # Some network drives do not support locks.
    yield
