"""Defines the flags of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from afgan_jax.service.limits import Limits
from afgan_jax.system.errors import UsageError
from afgan_jax.system.extras import needed
from afgan_jax.system.files import expand_home

if TYPE_CHECKING:
  from afgan_jax.service.models import Load

_DEFAULT = Limits()
MODEL = flags.DEFINE_multi_string(
  'model',
  [],
  'Folder of a model to serve, or NAME=FOLDER; repeat it for several. The '
  'first one answers requests that name none.',
)
_HOST = flags.DEFINE_string(
  'host',
  '127.0.0.1',
  'Address to listen on; 0.0.0.0 for all of this machine. Give a token then.',
)
_PORT = flags.DEFINE_integer(
  'port',
  8000,
  'Port to listen on; 0 for any that is free.',
  lower_bound=0,
  upper_bound=65535,
)
_TOKEN_FILE = flags.DEFINE_string(
  'token_file',
  None,
  'File with a line for each token: the token, or NAME TOKEN. Default: the '
  'token in the environment variable AFGAN_TOKEN; without one there is none.',
)
_STATE = flags.DEFINE_string(
  'state',
  None,
  'Folder for thresholds that are set in the service; default: they are kept '
  'in memory and lost at its end.',
)
_DEADLINE_MS = flags.DEFINE_float(
  'deadline_ms',
  _DEFAULT.deadline_ms,
  'How long an image may wait for others to be scored with, in milliseconds.',
)
_TIMEOUT_S = flags.DEFINE_float(
  'timeout_s',
  _DEFAULT.timeout_s,
  'Seconds from the end of a body until the answer; later it is 503.',
)
_BODY_TIMEOUT_S = flags.DEFINE_float(
  'body_timeout_s',
  _DEFAULT.body_timeout_s,
  'Seconds in which the body of a request must arrive; later it is 408.',
)
_MAX_BATCH = flags.DEFINE_integer(
  'max_batch', _DEFAULT.max_batch, 'Images that are scored together, at most.'
)
_MAX_QUEUE = flags.DEFINE_integer(
  'max_queue',
  _DEFAULT.max_queue,
  'Images of a model that are decoded, wait or are scored; more get 429.',
)
_MAX_MEGABYTES = flags.DEFINE_float(
  'max_megabytes',
  _DEFAULT.max_megabytes,
  'Size of the body of a request; a larger one gets 413.',
)
_MAX_PENDING_MEGABYTES = flags.DEFINE_float(
  'max_pending_megabytes',
  _DEFAULT.max_pending_megabytes,
  'Memory of the bodies and images of all requests; more get 429.',
)
_MAX_PIXELS = flags.DEFINE_integer(
  'max_pixels',
  _DEFAULT.max_pixels,
  'Pixels of an image; one with more is not decoded and gets 413.',
)
_POLL_S = flags.DEFINE_float(
  'poll_s', 2.0, 'Seconds between two looks for a new model in the folders.'
)
_DRAIN_S = flags.DEFINE_float(
  'drain_s',
  1.0,
  'Seconds after SIGTERM in which the service still listens, not ready, so '
  'that a load balancer sees it.',
)


def serve_by_flags(load: Load) -> None:
  """Serves as the flags say, until a signal; see `serve.serve`.

  Args:
    load: loads the detector in a folder.

  Raises:
    UsageError: a flag is out of range, the address is in use, or a model cannot
      be served.
  """
  for flag in (_POLL_S, _DRAIN_S):
    if not 0 <= flag.value < 3600 or (flag is _POLL_S and not flag.value):
      raise UsageError(f'{flag.name} is {flag.value}: give some seconds.')
  with needed('--mode=serve', 'serve'):
    from afgan_jax.service.serve import serve
    from afgan_jax.service.tokens import read_tokens
  serve(
    MODEL.value,
    load,
    host=_HOST.value,
    port=_PORT.value,
    token=read_tokens(_TOKEN_FILE.value and expand_home(_TOKEN_FILE.value)),
    limits=limits(),
    state=_STATE.value and expand_home(_STATE.value),
    poll_s=_POLL_S.value,
    drain_s=_DRAIN_S.value,
  )


def limits() -> Limits:
  """Returns the limits that the flags give.

  Raises:
    UsageError: one is out of range.
  """
  return Limits(
    max_megabytes=_MAX_MEGABYTES.value,
    max_pixels=_MAX_PIXELS.value,
    max_queue=_MAX_QUEUE.value,
    max_batch=_MAX_BATCH.value,
    deadline_ms=_DEADLINE_MS.value,
    timeout_s=_TIMEOUT_S.value,
    body_timeout_s=_BODY_TIMEOUT_S.value,
    max_pending_megabytes=_MAX_PENDING_MEGABYTES.value,
  )
