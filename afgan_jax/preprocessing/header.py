"""Reads the sizes of images without decoding them."""

from PIL import Image


def count_pixels(path: str) -> int:
  """Returns the number of pixels that an image file claims to have.

  Args:
    path: of the file.

  Returns:
    Those of its first page; 0 if the file cannot be read, which the decoder
    explains.
  """
  try:
    with Image.open(path) as image:
      return image.width * image.height
  except Exception:  # Decoders may raise any exception on damaged files.
    return 0
