"""Runs the application until a signal, and stops it gracefully."""

import logging
import math
import socket
import time
from types import FrameType

import uvicorn

from afgan_jax.service.app import build_app
from afgan_jax.service.journal import JournalHandler
from afgan_jax.service.protocol import Protocol
from afgan_jax.service.service import Service
from afgan_jax.system.errors import UsageError

BACKLOG = 512  # Connections that wait to be accepted.
_GRACE_S = 2  # Beyond the longest time that an answer may take.


def bind(host: str, port: int) -> socket.socket:
  """Reserves an address.

  Args:
    host: name or address.
    port: 0 for any that is free.

  Returns:
    A socket that does not listen yet.

  Raises:
    UsageError: it is in use, not allowed or unknown.
  """
  try:
    found = socket.getaddrinfo(
      host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
      listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      listener.bind(address)
    except OSError:
      listener.close()
      raise
  except (OSError, OverflowError, UnicodeError) as error:
    raise in_use(host, port, error) from error
  return listener


def in_use(host: str, port: int, error: Exception) -> UsageError:
  """Makes the error of an address that cannot be used."""
  reason = getattr(error, 'strerror', None) or error
  return UsageError(
    f'Port {port} of {host} cannot be used ({reason}): end the program that '
    'uses it, or take another port or host.'
  )


class Server(uvicorn.Server):
  """A server that says it is not ready before it stops to listen."""

  def __init__(self, service: Service, *, drain_s: float, poll_s: float):
    """Configures the server.

    Args:
      service: to serve.
      drain_s: seconds from a signal until it stops to listen, in which a load
        balancer can see that it is not ready.
      poll_s: seconds between two looks at the folders of the models.
    """
    self._service, self._drain_s = service, drain_s
    self._stop_at, self._signal = math.inf, 0
    config = uvicorn.Config(
      build_app(service, poll_s),
      http=Protocol,
      ws='none',
      lifespan='on',
      interface='asgi3',
      log_config=None,
      access_log=False,
      proxy_headers=False,
      server_header=False,
      backlog=BACKLOG,
      timeout_graceful_shutdown=math.ceil(service.limits.timeout_s) + _GRACE_S,
    )
    super().__init__(config)

  def handle_exit(self, sig: int, frame: FrameType | None) -> None:
    """Begins to stop; at a second signal at once.

    The signal is not raised again, so that the program ends with exit code 0.
    """
    if self._service.is_stopping:
      self.should_exit = self.force_exit = True
    else:
      self._service.begin_stop()
      # The log may be in use at this moment, so `on_tick` writes it.
      self._signal = sig
      self._stop_at = time.monotonic() + self._drain_s

  async def on_tick(self, counter: int) -> bool:
    """Returns True when it is time to stop."""
    if self._signal:
      self._service.journal.write('stop', signal=self._signal)
      self._signal = 0
    should_exit = await super().on_tick(counter)
    return should_exit or time.monotonic() >= self._stop_at


def log_into_journal(service: Service) -> None:
  """Writes warnings of uvicorn and of this package into the service's log."""
  handler = JournalHandler(service.journal)
  for name, level in (
    ('uvicorn.error', logging.WARNING),
    ('asyncio', logging.ERROR),
    ('python_multipart', logging.ERROR),
  ):
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)
