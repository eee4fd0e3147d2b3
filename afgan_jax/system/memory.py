"""Measures the memory of the process; imports only small modules."""

import contextlib
import pathlib
import resource
import sys

_CGROUP = pathlib.Path('/sys/fs/cgroup')


def process_peak() -> int:
  """Returns the peak resident memory of the process in bytes."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # Linux counts in KiB, macOS in bytes.
  return peak if sys.platform == 'darwin' else 1024 * peak


def available() -> int | None:
  """Returns the bytes that a process can allocate; None if unknown.

  Swap counts, as does what the system keeps of files; a container has its own
  limit.
  """
  found = []
  with contextlib.suppress(OSError, ValueError, KeyError):
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
    words = {name: rest.split() for name, _, rest in map(_split, lines)}
    kib = int(words['MemAvailable'][0]) + int(words['SwapFree'][0])
    found.append(1024 * kib)
  with contextlib.suppress(OSError, ValueError):
    limit = int((_CGROUP / 'memory.max').read_text())
    lines = (_CGROUP / 'memory.stat').read_text().splitlines()
    used = dict(line.split() for line in lines)
    found.append(max(limit - int(used.get('anon', 0)), 0))
  return min(found, default=None)


def anonymous() -> int | None:
  """Returns the resident bytes that belong to no file; None if unknown.

  Pages of files, which the system may take back at any time, do not count.
  """
  with contextlib.suppress(OSError, ValueError, KeyError):
    lines = pathlib.Path('/proc/self/status').read_text().splitlines()
    words = {name: rest.split() for name, _, rest in map(_split, lines)}
    return 1024 * int(words['RssAnon'][0])
  return None


def _split(line: str) -> tuple[str, str, str]:
  return line.partition(':')
