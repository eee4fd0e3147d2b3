"""Configures a process before JAX starts in it, for speed on a CPU.

For programs, not for libraries: `main.py` and the benchmarks call it. The gain
of each setting is in docs/performance.md.
"""

import ctypes
import os

# From glibc malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8

_VECTOR_WIDTH = '--xla_cpu_prefer_vector_width'
# XLA ends the process at a flag that it does not know, and drops flags between
# releases. This is the newest release of jaxlib that was tried with the flag.
_LAST_TRIED = (0, 12)


def prepare() -> None:
  """Keeps freed memory in the process and lets XLA use full vector width.

  Also silences XLA's log. Call it before JAX is imported. A vector width that
  is already in XLA_FLAGS is kept.
  """
  keep_freed_memory()
  use_whole_vectors()
  silence_compiler()


def silence_compiler() -> None:
  """Hides what XLA logs below a fatal error, unless the user sets a level.

  XLA logs a slow compilation as an error, with a request to file a bug, and
  programs from the cache of another machine with pages on its CPU. Errors that
  matter reach Python as exceptions.
  """
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def use_whole_vectors() -> None:
  """Adds the vector width to XLA_FLAGS, in bits.

  A width that XLA_FLAGS names already stays. With a jaxlib newer than those
  that were tried, XLA_FLAGS stays as it is.
  """
  flags = os.environ.get('XLA_FLAGS', '')
  if _VECTOR_WIDTH not in flags and jaxlib_release() <= _LAST_TRIED:
    # XLA's default is half of AVX-512; CPUs with narrower vectors use those.
    os.environ['XLA_FLAGS'] = f'{flags} {_VECTOR_WIDTH}=512'.lstrip()


def jaxlib_release() -> tuple[int, int]:
  """Returns the first two numbers of jaxlib's version, which decide on flags.

  They come from jaxlib itself, for XLA is in it; reading them loads no XLA.
  """
  import jaxlib

  major, minor = jaxlib.__version__.split('.')[:2]
  return int(major), int(minor)


def keep_freed_memory() -> bool:
  """Stops malloc from handing freed memory back to the operating system.

  Each step frees gigabytes and the next one allocates them again, and each new
  page from the system costs a page fault and is filled with zeros first.

  Returns:
    True if it was set; only glibc supports it.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (AttributeError, OSError, TypeError):
    return False
  # All memory comes from one heap that grows and never shrinks: mapped blocks
  # are unmapped when freed, and per-thread heaps hold no large blocks. A
  # threshold of -1 disables it; the largest, 2 GiB, is less than a step frees.
  settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_ARENA_MAX: 1}
  return all([mallopt(key, value) == 1 for key, value in settings.items()])
