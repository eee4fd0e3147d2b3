"""Answers requests that change the service: models and thresholds."""

import json
import math

from starlette.requests import Request
from starlette.responses import Response

from afgan_jax.service import query
from afgan_jax.service.answers import describe_model, json_response
from afgan_jax.service.body import read_body
from afgan_jax.service.context import context_of
from afgan_jax.service.errors import Refused
from afgan_jax.service.limits import Share
from afgan_jax.service.service import Service

_FIELD = 'threshold'


async def reload(service: Service, request: Request) -> Response:
  """Loads all models anew, or the one in the query."""
  context = context_of(request)
  _check_token(service)
  asked = query.read_query(request, {'model': query.name})
  chosen = list(service.models)
  if 'model' in asked:
    chosen = [service.model(asked['model'])]
    context.model = chosen[0].name
  for model in chosen:
    await service.models.reload(model.name, context.who)
  problems = ' '.join(model.problem for model in chosen if model.problem)
  if problems:
    raise Refused(
      409, f'{problems} The model that was in service before still is.'
    )
  return json_response(
    {'models': [describe_model(model, service.limits) for model in chosen]}
  )


async def set_threshold(service: Service, request: Request) -> Response:
  """Sets the threshold of a model in the service, or goes back to its own."""
  context = context_of(request)
  _check_token(service)
  query.read_query(request, {})
  model = service.model(request.path_params['model'])
  context.model = model.name
  with Share(service.budget) as share:
    body = await read_body(request, service.limits, share)
  threshold = _threshold(body)
  try:
    service.models.set_threshold(model.name, threshold, context.who)
  except OSError as error:
    raise Refused(
      500,
      f'The threshold cannot be stored ({error.strerror or error}): it stays '
      'as it was.',
    ) from error
  return json_response(describe_model(model, service.limits))


def _check_token(service: Service) -> None:
  """Raises Refused if there is no token, so that nobody is known.

  A wrong one does not come as far as this.
  """
  if not service.tokens:
    raise Refused(
      403,
      'The service was started without a token, so nobody may change it: start '
      'it with one.',
    )


def _threshold(body: bytes) -> float | None:
  try:
    fields = json.loads(body)
  except (ValueError, RecursionError) as error:
    raise Refused(400, 'The body is no JSON.') from error
  if not isinstance(fields, dict) or set(fields) != {_FIELD}:
    raise Refused(
      400,
      'The body must be {"threshold": NUMBER}, or null for the model\'s own.',
    )
  value = fields[_FIELD]
  if value is None:
    return None
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  try:
    if is_number and math.isfinite(value):
      return float(value)
  except OverflowError:
    pass
  raise Refused(400, 'The threshold must be a finite number, or null.')
