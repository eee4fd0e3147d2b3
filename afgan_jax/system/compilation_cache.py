"""Keeps compiled programs on disk, so that a second start compiles nothing.

For programs, not for libraries: `main.py` alone calls it.
"""

import os
import pathlib

import jax
import platformdirs

from afgan_jax.system.log import logger

# Below this, compiling takes hardly longer than reading.
MIN_COMPILE_SECONDS = 0.1
MAX_BYTES = 2**30

_FOLDER = 'JAX_COMPILATION_CACHE_DIR'
_SECONDS = 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'


def enable() -> None:
  """Makes JAX keep what it compiles, in the user's cache folder.

  JAX's own environment variables go first: JAX_COMPILATION_CACHE_DIR names
  another folder, or none if it is empty. Where the folder cannot be written,
  a warning says so and everything is compiled anew.
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
      'Compiled programs are not kept (%s): %s names another folder, or none '
      'if it is empty.',
      error,
      _FOLDER,
    )
    return
  jax.config.update(_FOLDER.lower(), str(folder))


def prune(folder: pathlib.Path, max_bytes: int) -> None:
  """Removes the oldest files of a folder that holds too much.

  JAX's own limit, `jax_compilation_cache_max_size`, would do once JAX 0.12 is
  the oldest to be served. JAX 0.10 keeps nothing more, and warns of each
  program, where one entry lacks the file of its last use: each of a folder
  that was filled without that limit, or one whose writer was killed.

  Args:
    folder: with the files, also in subfolders.
    max_bytes: that may stay.
  """
  files = []
  for path in folder.rglob('*'):
    if path.is_file():
      files.append((path.stat(), path))
  for status, path in sorted(files, key=lambda file: -file[0].st_mtime_ns):
    max_bytes -= status.st_size
    if max_bytes < 0:
      path.unlink(missing_ok=True)  # Another process may have been faster.
