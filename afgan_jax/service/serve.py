"""Serves models over HTTP until a signal."""

import os
import pathlib
import socket
import warnings
from collections.abc import Mapping, Sequence

from afgan_jax.service.journal import Journal
from afgan_jax.service.limits import Limits
from afgan_jax.service.models import Load
from afgan_jax.service.server import (
  BACKLOG,
  Server,
  bind,
  in_use,
  log_into_journal,
)
from afgan_jax.service.service import Service
from afgan_jax.service.tokens import check_tokens

_LOOPBACK = ('127.', '::1')


def serve(
  models: Sequence[str | os.PathLike[str]],
  load: Load,
  *,
  host: str = '127.0.0.1',
  port: int = 8000,
  token: str | Mapping[str, str] | None = None,
  limits: Limits | None = None,
  state: str | os.PathLike[str] | None = None,
  poll_s: float = 2.0,
  drain_s: float = 1.0,
  journal: Journal | None = None,
) -> None:
  """Serves models until SIGTERM or SIGINT; requests in flight are answered.

  Args:
    models: for each a folder, or `NAME=FOLDER`.
    load: loads the detector in a folder; called from one thread at a time.
    host: name or address to listen on.
    port: to listen on; 0 for any that is free, which the log gives.
    token: that requests must carry, or several by their names; None to let
      everybody in who can connect, and nobody change models or thresholds.
    limits: of requests; None for the default ones.
    state: folder for the thresholds that are set in the service; None to keep
      them in memory.
    poll_s: seconds between two looks at the folders for a new model.
    drain_s: seconds from a signal until it stops to listen.
    journal: the log; None for one on the standard error stream.

  Raises:
    UsageError: the address is in use, or a model cannot be served.
  """
  # Pillow warns of odd metadata in images that it can read.
  warnings.filterwarnings('ignore', module='PIL')
  tokens = {'token': token} if isinstance(token, str) else token or {}
  with bind(host, port) as listener:
    service = Service(
      models,
      load,
      limits=limits,
      tokens=check_tokens(tokens, 'the service'),
      state=None if state is None else pathlib.Path(state),
      journal=journal,
    )
    log_into_journal(service)
    server = Server(service, drain_s=drain_s, poll_s=poll_s)
    try:
      listener.listen(BACKLOG)
    except OSError as error:  # Another program was quicker to listen.
      raise in_use(host, port, error) from error
    _announce(service, listener)
    server.run(sockets=[listener])


def _announce(service: Service, listener: socket.socket) -> None:
  address, port = listener.getsockname()[:2]
  is_open = not service.tokens and not address.startswith(_LOOPBACK)
  warning = 'Everybody who can connect may use it.' if is_open else None
  name = f'[{address}]' if ':' in address else address
  service.journal.write(
    'listen',
    host=address,
    port=port,
    page=f'http://{name}:{port}/',
    warning=warning,
  )
