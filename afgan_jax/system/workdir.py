"""The folder of a run: whether it can be one, and who has it."""

import contextlib
import pathlib
from collections.abc import Iterator

import filelock

from afgan_jax.system.errors import UsageError, WorkdirInUse

_LOCK = '.lock'


def check_not_file(folder: pathlib.Path) -> None:
  """Refuses a folder that is a file.

  Args:
    folder: to write to; need not exist.

  Raises:
    UsageError: it, or a folder above it, is a file.
  """
  for path in (folder, *folder.parents):
    if path.exists() and not path.is_dir():
      raise UsageError(f'{path} is a file, not a folder.')


@contextlib.contextmanager
def claim(workdir: pathlib.Path) -> Iterator[None]:
  """Keeps other runs out of a workdir, which is made where it is missing.

  The operating system takes the claim back however the process ends.

  Args:
    workdir: of the run.

  Raises:
    WorkdirInUse: another run has it.
  """
  workdir.mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(workdir / _LOCK, blocking=False)
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(lock)
    except filelock.Timeout as error:
      raise WorkdirInUse(f'{workdir} is in use by another run.') from error
    except NotImplementedError:
      pass  # Some network drives know no locks.
    yield
