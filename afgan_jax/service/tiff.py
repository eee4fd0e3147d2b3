"""Bounds the pages of TIFF files before a reader walks through them."""

import struct

MAX_PAGES = 1000


def has_too_many_pages(content: bytes, most: int = MAX_PAGES) -> bool:
  """Returns True if a TIFF file lists more pages than allowed.

  Pillow takes minutes for a small file that lists many thousands, since its
  time grows with their square.

  Args:
    content: of a file that begins like TIFF, or BigTIFF.
    most: pages, reduced copies included.
  """
  order = '<' if content[:2] == b'II' else '>'
  is_big = b'+' in content[2:4]
  # Types of the number of tags and of a place; length of a tag.
  number, place, length = ('Q', 'Q', 20) if is_big else ('H', 'I', 12)
  number, place = struct.Struct(order + number), struct.Struct(order + place)
  try:
    (start,) = place.unpack_from(content, 8 if is_big else 4)
    for _ in range(most):
      if not start:
        return False
      (tags,) = number.unpack_from(content, start)
      after = start + number.size + tags * length
      (start,) = place.unpack_from(content, after)
  except struct.error:  # It ends behind the file, which the decoder explains.
    return False
  return bool(start)
