"""Writes files so that they are never seen half-written."""

import os
import pathlib


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a text file in UTF-8; it appears as a whole or not at all."""
  temporary = path.with_name(path.name + '.tmp')
  temporary.write_text(text, encoding='utf-8')
  os.replace(temporary, path)
