"""Caches compiled programs on disk, so that a second start compiles nothing.

For programs, not for libraries: only `main.py` calls it.
"""

import os
import pathlib
import threading
from typing import Any

import jax
import jax.monitoring
import platformdirs

from afgan_jax.system.log import logger

# Faster compilations take hardly longer than reading the cache.
MIN_COMPILE_SECONDS = 0.1
MAX_BYTES = 2**30

_FOLDER = 'JAX_COMPILATION_CACHE_DIR'
# JAX's name of the compilation of a program, at its begin and end.
_COMPILATION = '/jax/core/compile/backend_compile_duration'
_SECONDS = 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'


def enable() -> None:
  """Enables JAX's persistent compilation cache in the user's cache folder.

  JAX's own environment variables take precedence: JAX_COMPILATION_CACHE_DIR
  sets another folder, or disables the cache if it is empty. If the folder
  cannot be written, or a user has none, as in a container, a warning is logged
  and nothing is cached, decoded images neither.
  """
  if _SECONDS not in os.environ:
    jax.config.update(_SECONDS.lower(), MIN_COMPILE_SECONDS)
  if _FOLDER in os.environ:
    return
  try:
    folder = platformdirs.user_cache_path('afgan_jax', appauthor=False) / 'xla'
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
      raise PermissionError(f'{folder} cannot be written')
    prune(folder, MAX_BYTES)
  except (OSError, RuntimeError) as error:
    logger.warning(
      'Neither compiled programs nor decoded images are cached (%s): set '
      'XDG_CACHE_HOME to a folder that can be written; an empty %s disables '
      'the cache of programs.',
      error,
      _FOLDER,
    )
    return
  jax.config.update(_FOLDER.lower(), str(folder))


def announce(seconds: float = 5) -> None:
  """Warns once that a compilation is under way, if it takes long.

  Args:
    seconds: a compilation that ends sooner is not announced, nor is a program
      that comes from the cache.
  """
  timers: dict[int, threading.Timer] = {}  # By the thread that compiles.
  said = threading.Event()

  def say() -> None:
    if said.is_set():
      return
    said.set()
    cached = getattr(jax.config, _FOLDER.lower())
    logger.warning(
      'Compiling the networks for this machine, which takes half a minute to '
      'three minutes%s.',
      '; later starts take them from the cache' if cached else '',
    )

  def begin(event: str, value: float, **kwargs: Any) -> None:
    if event == _COMPILATION and not said.is_set():
      timer = threading.Timer(seconds, say)
      timer.daemon = True
      timers[threading.get_ident()] = timer
      timer.start()

  def end(event: str, duration_secs: float, **kwargs: Any) -> None:
    if event == _COMPILATION:
      timer = timers.pop(threading.get_ident(), None)
      if timer:
        timer.cancel()

  jax.monitoring.register_scalar_listener(begin)
  jax.monitoring.register_event_duration_secs_listener(end)


def prune(folder: pathlib.Path, max_bytes: int) -> None:
  """Removes the oldest files of a folder until it fits a size limit.

  JAX's own limit, `jax_compilation_cache_max_size`, can replace this once JAX
  0.12 is the oldest supported version. With it, JAX 0.10 stops caching, and
  warns for each program, if one entry lacks the file with its last use: all
  entries of a folder filled without that limit, or one whose writer was killed.

  Args:
    folder: contains the files, also in subfolders.
    max_bytes: size limit of all files.
  """
  files = []
  for path in folder.rglob('*'):
    if path.is_file():
      files.append((path.stat(), path))
  for status, path in sorted(files, key=lambda file: -file[0].st_mtime_ns):
    max_bytes -= status.st_size
    if max_bytes < 0:
      path.unlink(missing_ok=True)  # Another process may have removed it.
