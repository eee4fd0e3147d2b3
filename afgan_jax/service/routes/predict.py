"""Answers requests for predictions and for the models in service."""

import functools

from starlette.requests import Request
from starlette.responses import Response

from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.service import images, query
from afgan_jax.service.answers import (
  describe_model,
  describe_prediction,
  json_response,
)
from afgan_jax.service.body import read_body
from afgan_jax.service.context import Context, context_of
from afgan_jax.service.form import image_of
from afgan_jax.service.limits import Share
from afgan_jax.service.loaded import version_of, with_threshold
from afgan_jax.service.models import Model
from afgan_jax.service.service import Service
from afgan_jax.service.work import Work

_PARAMETERS = {
  'model': query.name,
  'map': query.switch,
  'overlay': query.switch,
  'threshold': query.number,
  'page': query.page,
}


async def predict(service: Service, request: Request) -> Response:
  """Predicts the image in the body, a file or a form with it."""
  context = context_of(request)
  asked = query.read_query(request, _PARAMETERS)
  model = service.model(asked.get('model'))
  context.model = model.name
  service.check_running()
  with Share(service.budget) as share:
    body = await read_body(request, service.limits, share)
    version = version_of(model.detector)
    work = _work(request, model, asked, body, share)
    del body  # It is given back as soon as it is decoded.
    (answer,) = await model.loaded.run([work])
  count(service, model, context, answer)
  head = {'model': model.name, 'version': version}
  tail = {'milliseconds': context.milliseconds}
  return json_response({**head, **answer, **tail})


async def models(service: Service, request: Request) -> Response:
  """Describes all models in service."""
  query.read_query(request, {})
  return json_response(
    [describe_model(model, service.limits) for model in service.models]
  )


def count(
  service: Service, model: Model, context: Context, answer: dict
) -> None:
  """Counts a prediction in metrics and log.

  Args:
    service: with the metrics.
    model: of the prediction.
    context: of the request.
    answer: with 'verdict', 'score' and 'threshold'.
  """
  context.verdicts.append(answer['verdict'])
  drift = model.loaded.new_drift()
  if drift:
    service.journal.write('drift', model=model.name, sentence=drift)
  service.metrics.count_verdict(
    model.name,
    answer['verdict'],
    answer['score'],
    model.detector.require_calibration().threshold,
    model.detector.require_calibration().scale,
  )


def _work(
  request: Request, model: Model, asked: dict, body: bytes, share: Share
) -> Work:
  detector, preprocessor = model.detector, model.loaded.preprocessor
  if 'threshold' in asked:
    detector = with_threshold(model.loaded.detector, asked['threshold'])
  with_overlay = asked.get('overlay', False)
  holder, size = [body], len(body)

  def prepare() -> PreparedImage:
    content = image_of(request.headers.get('content-type', ''), holder.pop())
    most = preprocessor.decoder.max_pixels
    prepared = images.prepare(preprocessor, content, asked.get('page', 0), most)
    kept = with_overlay or prepared.tiles is not None
    share.take((prepared.original.nbytes if kept else 0) - size)
    return prepared

  finish = functools.partial(
    describe_prediction,
    detector,
    with_map=asked.get('map', False),
    with_overlay=with_overlay,
  )
  threshold = detector.require_calibration().threshold
  return Work(prepare, finish, threshold, with_overlay)
