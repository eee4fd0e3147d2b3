"""Checks and locks the folder of a run."""

import contextlib
import pathlib
import time
import uuid
from collections.abc import Iterator

import filelock

from afgan_jax.system import processes
from afgan_jax.system.errors import ProcessesDiffer, UsageError, WorkdirInUse

_LOCK = '.lock'
# Written and removed at the start of a run of several processes.
_SHARED = '.shared'
# Network drives show a new file late.
_SECONDS_TO_SEE = 30


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

  Of several processes the writer locks it for all.

  Args:
    workdir: of the run.

  Raises:
    WorkdirInUse: another run holds the lock.
    ProcessesDiffer: a process does not see the folder of the writer.
  """
  if not processes.is_writer():
    _check_shared(workdir)
    yield
    return
  workdir.mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(workdir / _LOCK, blocking=False)
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(lock)
    except filelock.Timeout as error:
      raise WorkdirInUse(f'{workdir} is in use by another run.') from error
    except NotImplementedError:
      pass  # Some network drives do not support locks.
    _check_shared(workdir)
    yield


def _check_shared(workdir: pathlib.Path) -> None:
  """Checks that all processes see what the writer writes to a workdir."""
  if processes.count() == 1:
    return
  file = workdir / _SHARED
  token = processes.agree('workdir', uuid.uuid4().hex)[0]
  if processes.is_writer():
    file.write_text(token, encoding='utf-8')
  saw = processes.agree('shared', _sees(file, token))
  if processes.is_writer():
    file.unlink(missing_ok=True)
  if not all(saw):
    raise ProcessesDiffer(
      f'Process {saw.index(False)} does not see what process 0 writes to '
      f'{workdir}: it must be on a file system that all processes share.'
    )


def _sees(file: pathlib.Path, token: str) -> bool:
  """Returns True once a file holds a token, False if it does not in time."""
  end = time.monotonic() + _SECONDS_TO_SEE
  while time.monotonic() < end:
    with contextlib.suppress(OSError, ValueError):
      if file.read_text(encoding='utf-8') == token:
        return True
    time.sleep(0.1)
  return False
