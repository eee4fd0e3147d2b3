"""Tells by names, times and sizes whether the files of a model changed."""

import contextlib
import os
import pathlib

# Files that belong to a model, in its folder.
_NAMES = ('detector.json', 'calibration.json')
_SUFFIXES = ('.onnx', '.data', '.stablehlo')

Stamp = tuple[tuple[str, int, int], ...]


def stamp_of(folder: pathlib.Path) -> Stamp:
  """Returns names, times and sizes of the files of a model.

  Args:
    folder: of the model; if it cannot be listed, it holds nothing.
  """
  found = []
  with contextlib.suppress(OSError), os.scandir(folder) as entries:
    for entry in entries:
      if entry.name in _NAMES or entry.name.endswith(_SUFFIXES):
        with contextlib.suppress(OSError):  # Removed meanwhile.
          status = entry.stat()
          found.append((entry.name, status.st_mtime_ns, status.st_size))
  return tuple(sorted(found))
