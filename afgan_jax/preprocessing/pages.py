"""Finds the pages of image files that hold several."""

from PIL import Image

from afgan_jax.system.errors import DataError

# Formats whose further frames belong to the first: views of one scene, layers,
# and sizes of one icon.
_ONE_IMAGE = ('MPO', 'PSD', 'ICO', 'ICNS', 'CUR')
# TIFF tags: NewSubfileType, whose bits 0 and 2 mark a reduced copy and a
# transparency mask, and the older SubfileType, 2 for a reduced copy.
_NEW_KIND, _OLD_KIND = 254, 255


def list_pages(image: Image.Image) -> list[int]:
  """Lists the frames of an opened file that are images of their own.

  Args:
    image: as Pillow opened it; it may be at another frame afterwards.

  Returns:
    Frame numbers, at least one.

  Raises:
    ValueError: the file holds nothing but reduced copies.
  """
  if image.format in _ONE_IMAGE:
    return [0]
  frames = list(range(getattr(image, 'n_frames', 1)))
  if image.format == 'TIFF':
    frames = [frame for frame in frames if not _is_copy(image, frame)]
    if not frames:
      raise ValueError('it holds nothing but a reduced copy of an image')
  return frames


def choose_page(count: int, path: str, page: int | None) -> tuple[int, str]:
  """Checks the number of a page.

  Args:
    count: pages of the file.
    path: of the file, for messages.
    page: from 0; None if the file must have no more than one.

  Returns:
    The page, and a note that gives it if there are several, or ''.

  Raises:
    DataError: the file has no such page, or several if `page` is None.
  """
  if page is None and count > 1:
    raise DataError(
      f'{path} has {count} pages: split it into files of one image each.'
    )
  page = page or 0
  if not 0 <= page < count:
    raise DataError(
      f'{path} has {count} pages, so there is no page {page + 1}.'
    )
  return page, f'page {page + 1} of {count}' if count > 1 else ''


def _is_copy(image: Image.Image, frame: int) -> bool:
  image.seek(frame)
  tags = image.tag_v2  # type: ignore[attr-defined]
  return bool(tags.get(_NEW_KIND, 0) & 0b101) or tags.get(_OLD_KIND) == 2
