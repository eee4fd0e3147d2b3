"""Defines a page of an image file on its way to a row."""

import dataclasses

import numpy as np

from afgan_jax.jobs.predict.rows import Stamp
from afgan_jax.preprocessing.paged_file import PagedFile
from afgan_jax.preprocessing.prepared import PreparedImage


@dataclasses.dataclass
class Item:
  """A page of a file in the pipeline; with an `error` it is not scored.

  Attributes:
    path: of the file.
    stamp: of the file, before it was read.
    page: from 1; None if the file could not be opened.
    pages: of the file; None likewise.
    pixels: that its first page claims to have.
    prepared: the page; without its original if that is too large to keep.
    error: why it cannot be read or scored.
    score: of the page.
    map: its anomaly map, [size, size].
    file: that all its pages are read from; None if it has one.
    again: the same file for overlays of pages that were not kept.
  """

  path: str
  stamp: Stamp | None = None
  page: int | None = None
  pages: int | None = None
  pixels: int = 0
  prepared: PreparedImage | None = None
  error: str | None = None
  score: float | None = None
  map: np.ndarray | None = None
  file: PagedFile | None = None
  again: PagedFile | None = None

  @property
  def index(self) -> int:
    """Number of the page, from 0."""
    return (self.page or 1) - 1
