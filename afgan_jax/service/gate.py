"""Wraps the application: identity, tokens, errors, log and metrics."""

import traceback
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afgan_jax.service.answers import json_response
from afgan_jax.service.context import ID_HEADER, Context
from afgan_jax.service.errors import Refused
from afgan_jax.service.journal import Journal
from afgan_jax.service.metrics import Metrics
from afgan_jax.service.tokens import authorize

_GONE = 499  # In the log, if the server ended a request without an answer.


class Gate:
  """Lets requests through, and answers those that fail."""

  def __init__(
    self,
    app: ASGIApp,
    tokens: Mapping[str, str],
    public: Collection[str],
    journal: Journal,
    metrics: Metrics,
  ):
    """Wraps an application.

    Args:
      app: with a `Context` in the scope of each request.
      tokens: by their names; empty to let everybody in.
      public: paths that need no token.
      journal: gets a line for each request.
      metrics: count them.
    """
    self._app, self._tokens, self._public = app, tokens, frozenset(public)
    self._journal, self._metrics = journal, metrics

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request, as ASGI defines."""
    if scope['type'] != 'http':
      await self._app(scope, receive, send)
      return
    context = Context.attach(scope)

    async def send_marked(message: Message) -> None:
      if message['type'] == 'http.response.start':
        context.status = message['status']
        headers = MutableHeaders(scope=message)
        headers[ID_HEADER] = context.id
        headers['X-Content-Type-Options'] = 'nosniff'
      await send(message)

    try:
      await self._answer(context, scope, receive, send_marked)
    finally:
      self._note(context, scope)

  async def _answer(
    self, context: Context, scope: Scope, receive: Receive, send: Send
  ) -> None:
    try:
      if self._tokens and scope['path'] not in self._public:
        context.who = authorize(Headers(scope=scope), self._tokens)
      await self._app(scope, receive, send)
    except Refused as refused:
      await refuse(refused)(scope, receive, send)
    except Exception as error:
      self._journal.write(
        'failure',
        id=context.id,
        error=f'{type(error).__name__}: {error}',
        traceback=''.join(traceback.format_exception(error)),
      )
      if not context.status:
        await failed()(scope, receive, send)

  def _note(self, context: Context, scope: Scope) -> None:
    status, milliseconds = context.status or _GONE, context.milliseconds
    self._journal.write(
      'request',
      id=context.id,
      client=context.client,
      who=context.who,
      method=scope['method'],
      path=scope['path'][:200],
      model=context.model or None,
      status=status,
      ms=milliseconds,
      verdict=','.join(context.verdicts[:8]) or None,
    )
    self._metrics.count_request(
      context.model, context.route, status, milliseconds / 1000
    )


def refuse(refused: Refused):
  """Makes the response to a request that is refused."""
  return json_response(
    {'error': refused.sentence}, refused.status, refused.headers
  )


def failed():
  """Makes the response to a request that failed in the program."""
  sentence = 'The service failed; its log says more under the X-Request-ID.'
  return json_response({'error': sentence}, 500)
