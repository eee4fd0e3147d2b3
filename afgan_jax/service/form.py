"""Takes the image out of a multipart form, in memory."""

from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from afgan_jax.service.errors import Refused

FIELD = 'image'
_FORM = b'multipart/form-data'
_MAX_PARTS = 16


def image_of(content_type: str, body: bytes) -> bytes:
  """Returns the image in a body.

  Args:
    content_type: of the request; a body that is no form is the image itself.
    body: of the request.

  Raises:
    Refused: with 400, the form is damaged or holds anything but the one field
      `image`, or that is empty.
  """
  kind, options = parse_options_header(content_type)
  if kind.lower() != _FORM:
    return body
  if not options.get(b'boundary'):
    raise Refused(400, 'The form has no boundary in its Content-Type.')
  try:
    parts = _Parts(options[b'boundary'], body).found
  except (FormParserError, ValueError) as error:
    raise Refused(
      400, 'The form is damaged or cut: send it again as multipart/form-data.'
    ) from error
  others = sorted({name for name, _ in parts if name != FIELD})
  if others or len(parts) != 1:
    held = f'has the fields {others}' if others else f'has {len(parts)} images'
    raise Refused(
      400,
      f'The form {held if parts else "is empty"}: send one image file in the '
      f'field {FIELD!r}, and all else in the query.',
    )
  (content,) = (content for _, content in parts)
  if not content:
    raise Refused(400, f'The field {FIELD!r} is empty: send an image file.')
  return content


class _Parts:
  """Collects the names and contents of the parts of a form."""

  def __init__(self, boundary: bytes, body: bytes):
    self.found: list[tuple[str, bytes]] = []
    self._name: str | None = None
    self._header, self._value = b'', b''
    self._spans: list[bytes] = []
    self._is_whole = False
    names = ('part_begin', 'part_data', 'part_end', 'header_field')
    names += ('header_value', 'header_end', 'end')
    callbacks: Any = {f'on_{name}': getattr(self, f'_{name}') for name in names}
    parser = MultipartParser(boundary, callbacks)
    parser.write(body)
    parser.finalize()
    if not self._is_whole:
      raise ValueError('its end is missing')

  def _part_begin(self) -> None:
    if len(self.found) == _MAX_PARTS:
      raise ValueError('it has too many parts')
    self._name, self._spans = None, []

  def _header_field(self, data: bytes, start: int, end: int) -> None:
    self._header += data[start:end]

  def _header_value(self, data: bytes, start: int, end: int) -> None:
    self._value += data[start:end]

  def _header_end(self) -> None:
    if self._header.lower() == b'content-disposition':
      name = parse_options_header(self._value)[1].get(b'name', b'')
      self._name = name.decode('utf-8', 'replace')[:64]
    self._header, self._value = b'', b''

  def _part_data(self, data: bytes, start: int, end: int) -> None:
    self._spans.append(data[start:end])

  def _part_end(self) -> None:
    if self._name is None:
      raise ValueError('a part has no name')
    self.found.append((self._name, b''.join(self._spans)))

  def _end(self) -> None:
    self._is_whole = True
