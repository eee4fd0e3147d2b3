"""Answers whether the service lives and takes images."""

from starlette.requests import Request
from starlette.responses import Response

from afgan_jax.service.answers import json_response
from afgan_jax.service.service import Service


async def live(service: Service, request: Request) -> Response:
  """Says that the service lives."""
  return json_response({'live': True})


async def ready(service: Service, request: Request) -> Response:
  """Says whether images are taken, and which models could not be renewed."""
  problems = {
    model.name: model.problem for model in service.models if model.problem
  }
  if service.is_stopping:
    sentence = 'The service is stopping.'
    return json_response({'ready': False, 'error': sentence}, 503)
  return json_response({'ready': True, 'problems': problems})
