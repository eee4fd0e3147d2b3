"""Speaks HTTP/1.1 with limits of time that uvicorn's own does not have."""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT_S = 10.0  # For the header of the first request.
LINGER_S = 3.0  # In which the rest of a refused body is read and dropped.


class Protocol(H11Protocol):
  """A connection.

  It is closed if it asks for nothing, or sends its header too slowly, and if it
  goes on to send the body of a request that has been answered. A client that
  closes its side in the middle of a body is told so.
  """

  _header_timer: asyncio.TimerHandle | None = None
  _linger_timer: asyncio.TimerHandle | None = None
  _is_dropping = False  # Whether all that still comes is read and dropped.

  def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
    """Starts the time for the header."""
    wrapped: Any = _Transport(transport, self)
    super().connection_made(wrapped)
    self._await_header()

  def connection_lost(self, exc: Exception | None) -> None:
    """Stops the times."""
    self._is_dropping = True
    self._header_timer = _stop(self._header_timer)
    self._linger_timer = _stop(self._linger_timer)
    super().connection_lost(exc)

  def data_received(self, data: bytes) -> None:
    """Handles data; the header of each request has its own time."""
    if self._is_dropping:
      return
    super().data_received(data)
    if self._is_dropping:
      return
    if self.conn.their_state is not h11.SEND_BODY:
      self._linger_timer = _stop(self._linger_timer)
    if self.conn.their_state is not h11.IDLE:
      self._header_timer = _stop(self._header_timer)
    elif self._header_timer is None:
      self._await_header()

  def eof_received(self) -> bool | None:  # type: ignore[override]
    """Answers a client that sends no more, instead of closing at once."""
    if self._is_dropping or not self._is_answering():
      return None
    self.cycle.keep_alive = False
    if self.cycle.more_body:
      self.conn.receive_data(b'')
      self.handle_events()  # Answers with 400.
      return None
    return True

  def on_response_complete(self) -> None:
    """Bounds the time for the rest of a body that was refused."""
    super().on_response_complete()
    if self.is_body_unread() and not self._is_dropping:
      self._linger_timer = self.loop.call_later(LINGER_S, self._close)

  def is_body_unread(self) -> bool:
    """Returns True if a part of a request's body has not arrived yet."""
    return self.conn.their_state is h11.SEND_BODY

  def drop(self) -> bool:
    """Ends the connection a little later.

    If it were closed while data arrives, the answer might be lost.

    Returns:
      False if it does so already.
    """
    if self._is_dropping:
      return False
    self._is_dropping = True
    self._header_timer = _stop(self._header_timer)
    if self._is_answering():
      self.cycle.disconnected = True
      self.cycle.message_event.set()
    self.flow.resume_reading()
    if not self.transport.is_closing():
      self.transport.write_eof()
    self._linger_timer = self.loop.call_later(LINGER_S, self._close)
    return True

  def shutdown(self) -> None:
    """Ends an idle connection at the end of the program, others later."""
    if self._is_dropping:
      self._close()
    else:
      super().shutdown()

  def send_400_response(self, msg: str) -> None:
    """Answers what is no HTTP, or ends in the middle, by a sentence in JSON."""
    self._send_error(400, f'{msg.removesuffix(".")}: the connection is closed.')

  def _await_header(self) -> None:
    self._header_timer = self.loop.call_later(
      HEADER_TIMEOUT_S, self._header_is_late
    )

  def _header_is_late(self) -> None:
    self._header_timer = None
    if not self.transport.is_closing():
      self._send_error(
        408, f'No request arrived within {HEADER_TIMEOUT_S:g} s.'
      )

  def _send_error(self, status: int, sentence: str) -> None:
    if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
      body = json.dumps({'error': sentence}).encode()
      headers = [
        ('content-type', 'application/json'),
        ('content-length', str(len(body))),
        ('connection', 'close'),
      ]
      for event in (
        h11.Response(status_code=status, headers=headers),
        h11.Data(data=body),
        h11.EndOfMessage(),
      ):
        self.transport.write(self.conn.send(event))
    self.drop()

  def _is_answering(self) -> bool:
    return self.cycle is not None and not self.cycle.response_complete

  def _close(self) -> None:
    if not self.transport.is_closing():
      self.transport.close()


class _Transport:
  """Closes a connection only when the body of its request has been read."""

  def __init__(self, inner: asyncio.Transport, protocol: Protocol):
    self._inner, self._protocol = inner, protocol

  def __getattr__(self, name: str) -> Any:
    return getattr(self._inner, name)

  def close(self) -> None:
    if not (self._protocol.is_body_unread() and self._protocol.drop()):
      self._inner.close()


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
  """Stops a timer; returns None, to put in its place."""
  if timer is not None:
    timer.cancel()
  return None
