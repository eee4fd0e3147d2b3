"""Describes the request that is being answered, for log and metrics."""

import dataclasses
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

_KEY = 'afgan_jax.context'
_ID = re.compile(r'[A-Za-z0-9._:-]{1,128}')
ID_HEADER = 'X-Request-ID'


@dataclasses.dataclass
class Context:
  """A request.

  Attributes:
    id: that of the client, if it is of usual characters, or a new one.
    client: its address, or ''.
    started: when it began, of a monotonic clock, in seconds.
    who: the name of the token, or the address of the client.
    route: path of the route, or '' for none.
    model: name of the model, or '' for none.
    verdicts: of its images.
    status: of the answer; 0 before it begins.
  """

  id: str
  client: str
  started: float
  who: str
  route: str = ''
  model: str = ''
  verdicts: list[str] = dataclasses.field(default_factory=list)
  status: int = 0

  @classmethod
  def attach(cls, scope: Any) -> 'Context':
    """Creates the context of a request and attaches it to its scope."""
    given = Headers(scope=scope).get(ID_HEADER, '')
    name = given if _ID.fullmatch(given) else secrets.token_hex(8)
    client = (scope.get('client') or ('',))[0]
    context = cls(name, client, time.monotonic(), client)
    scope[_KEY] = context
    return context

  @property
  def milliseconds(self) -> float:
    """Time since the request began, in milliseconds."""
    return round(1000 * (time.monotonic() - self.started), 2)


def context_of(request: Request) -> Context:
  """Returns the context of a request."""
  return request.scope[_KEY]
