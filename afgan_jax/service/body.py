"""Reads the body of a request within limits of size, time and memory."""

import asyncio
import time

from starlette.requests import Request

from afgan_jax.service.errors import Refused
from afgan_jax.service.limits import MEGABYTE, Limits, Share


async def read_body(request: Request, limits: Limits, share: Share) -> bytes:
  """Reads a body.

  Args:
    request: whose body has not been read.
    limits: see there.
    share: takes the size of the body.

  Returns:
    The body.

  Raises:
    Refused: 400, it is empty or ends early; 408, it comes too slowly; 413, it
      is too large; 415, it is compressed; 429, the memory is used up.
  """
  _check_headers(request, limits)
  chunks: list[bytes] = []
  size, end = 0, time.monotonic() + limits.body_timeout_s
  while True:
    try:
      left = max(end - time.monotonic(), 0)
      message = await asyncio.wait_for(request.receive(), left)
    except TimeoutError as error:
      raise _too_slow(limits) from error
    if message['type'] == 'http.disconnect':
      raise Refused(400, 'The body ended before it was complete.')
    chunk = message.get('body', b'')
    size += len(chunk)
    if size > limits.max_bytes:
      raise too_large(limits)
    share.take(len(chunk))
    chunks.append(chunk)
    if not message.get('more_body', False):
      break
  if not size:
    raise Refused(400, 'The body is empty: send an image file.')
  return b''.join(chunks)


def too_large(limits: Limits) -> Refused:
  """Makes the answer to a body that is too large."""
  return Refused(
    413,
    f'The body is larger than {limits.max_bytes / MEGABYTE:g} MB: send a '
    'smaller image.',
  )


def _too_slow(limits: Limits) -> Refused:
  return Refused(
    408,
    f'The body did not arrive within {limits.body_timeout_s:g} s: send it '
    'faster, or a smaller image.',
  )


def _check_headers(request: Request, limits: Limits) -> None:
  encoding = request.headers.get('content-encoding', 'identity')
  if encoding.lower() != 'identity':
    raise Refused(
      415, 'The body is compressed (Content-Encoding): send it as it is.'
    )
  length = request.headers.get('content-length', '0')
  if length.isdecimal() and int(length) > limits.max_bytes:
    raise too_large(limits)
