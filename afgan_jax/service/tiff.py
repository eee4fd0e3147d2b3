"""Bounds the pages of TIFF files before a reader walks through them."""

import struct

MAX_PAGES = 1000


def has_too_many_pages(content: bytes, most: int = MAX_PAGES) -> bool:
  """Returns True if a file lists more pages than allowed, read as TIFF.

  Pillow takes minutes for a small file that lists many thousands, since its
  time grows with their square.

  Args:
    content: of any file; False if it is no TIFF or BigTIFF.
    most: pages, reduced copies included.
  """
  if content[:2] not in (b'II', b'MM'):
    return False
  order = '<' if content[:2] == b'II' else '>'
  # Readers disagree on which of the odd headers mean BigTIFF.
  is_long = _is_long(content, struct.Struct(f'{order}I'), 4, 'H', 12, most)
  if b'+' in content[2:4]:
    is_long |= _is_long(content, struct.Struct(f'{order}Q'), 8, 'Q', 20, most)
  return is_long


def _is_long(
  content: bytes,
  place: struct.Struct,
  first: int,
  kind: str,
  length: int,
  most: int,
) -> bool:
  """Follows the chain of pages.

  Args:
    content: of the file.
    place: of a page in the file.
    first: where the place of the first page is.
    kind: of the number of a page's tags.
    length: of a tag.
    most: pages.
  """
  number = struct.Struct(place.format[0] + kind)
  try:
    (start,) = place.unpack_from(content, first)
    for _ in range(most):
      if not start:
        return False
      (tags,) = number.unpack_from(content, start)
      after = start + number.size + tags * length
      (start,) = place.unpack_from(content, after)
  except struct.error:  # It ends behind the file, which the decoder explains.
    return False
  return bool(start)
