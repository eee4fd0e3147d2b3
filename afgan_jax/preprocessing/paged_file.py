"""Reads the pages of an image file in turn, without a search for each."""

from __future__ import annotations

import copy
import threading

from afgan_jax.preprocessing.decoder_errors import named_errors
from afgan_jax.preprocessing.open_image import allow_pixels
from afgan_jax.preprocessing.readers import (
  Opened,
  Reader,
  TiffReader,
  open_reader,
  opened,
)

# Pixels of the frames of an animation that are kept until they are asked for,
# since a thread asked for a later one first.
_KEPT_PIXELS = 16_000_000


class PagedFile:
  """An image file with its pages, safe in several threads.

  All pages in about their order take a time that is proportional to their
  number. Any other order is possible, and slow for animations. A TIFF file is
  opened once for each thread that reads it, an animation once. It is closed
  after as many pages as it has.

  Attributes:
    path: of the file.
    count: of its pages that are images of their own, at least 1.
  """

  def __init__(self, path: str, max_pixels: int):
    """Counts the pages.

    Args:
      path: of the file.
      max_pixels: images with more are not decoded.

    Raises:
      DataError: the file is not an image.
    """
    allow_pixels(max_pixels)
    self.path, self._max_pixels = path, max_pixels
    with named_errors(path), opened(path, None, None) as reader:
      self._pages, self._is_ordered = reader.pages, reader.is_ordered
    self.count = len(self._pages)
    self._begin()

  def _begin(self) -> None:
    self._left = self.count
    self._free: list[Reader | TiffReader] = []
    self._kept: dict[int, Opened] = {}
    self._lock, self._order = threading.Lock(), threading.Lock()

  def twin(self) -> PagedFile:
    """Returns the same file, for another turn through its pages."""
    twin = copy.copy(self)
    twin._begin()
    return twin

  def __del__(self):  # If not all pages were read.
    self._close(getattr(self, '_free', [])[:])

  def read(self, page: int) -> Opened:
    """Decodes a page.

    Args:
      page: from 0.

    Returns:
      The page.

    Raises:
      DataError: it cannot be read, or the file has no such page.
    """
    with named_errors(self.path):
      try:
        if not self._is_ordered:
          return self._read(self._take(page), page)
        with self._order:
          return self._read_in_order(page)
      finally:
        self._count_down()

  def _read_in_order(self, page: int) -> Opened:
    """Decodes a frame, and keeps those before it for other threads."""
    if page in self._kept:
      return self._kept.pop(page)
    reader = self._take(page)
    try:
      for before in self._passed(reader, page):
        self._kept[before] = reader.read(before)
    except Exception:  # The thread that asks for that frame reports it.
      reader.close()
      reader = self._open()
    return self._read(reader, page)

  def _passed(self, reader: Reader | TiffReader, page: int) -> range:
    """Returns the frames to keep between the last one and a new one."""
    passed = range(reader.last + 1, page)
    number = len(self._kept) + len(passed)
    return range(0) if number * reader.pixels > _KEPT_PIXELS else passed

  def _read(self, reader: Reader | TiffReader, page: int) -> Opened:
    """Decodes a page; the reader is free afterwards, or closed on errors."""
    try:
      found = reader.read(page)
    except BaseException:
      reader.close()
      raise
    with self._lock:
      self._free.append(reader)
      if self._is_ordered:  # One is enough, that which is furthest.
        self._free.sort(key=lambda free: free.last)
        self._close(self._free[:-1])
    return found

  def _take(self, page: int) -> Reader | TiffReader:
    """Returns a free reader that can read a page, or a new one."""
    with self._lock:
      for reader in self._free:
        if reader.can_read(page):
          self._free.remove(reader)
          return reader
    return self._open()

  def _open(self) -> Reader | TiffReader:
    return open_reader(self.path, None, self._max_pixels, self._pages)

  def _count_down(self) -> None:
    """Closes the file after its last page."""
    with self._lock:
      self._left -= 1
      if self._left <= 0:
        self._close(self._free[:])
        self._kept.clear()

  def _close(self, readers: list[Reader | TiffReader]) -> None:
    for reader in readers:
      self._free.remove(reader)
      reader.close()
