"""Describes the threshold of a model and its guarantee for a model card."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.markdown import base_name, escape

Fields = Mapping[str, Any]


def describe_threshold(
  config: Fields, calibration: Fields | None, step: int
) -> str:
  """Describes the threshold, its guarantee and the guarantee's conditions.

  Args:
    config: nested fields of the run.
    calibration: the content of `calibration.json`; None for none.
    step: of the weights.

  Returns:
    Markdown.
  """
  if calibration is None:
    return (
      'None: the model gives scores and no verdicts until a threshold is '
      'calibrated on good images that it was not trained on.'
    )
  if calibration.get('step') != step:
    return (
      f'None: the stored threshold is of step {calibration.get("step")} and '
      f'these weights are of step {step}. Calibrate it again.'
    )
  return '\n\n'.join(_parts(config, _read(calibration)))


def fitting(calibration: Fields | None, step: int) -> Fields | None:
  """Returns the calibration if it is of these weights, else None."""
  fits = calibration and calibration.get('step') == step
  return calibration if fits else None


def _read(stored: Fields) -> Calibration:
  """Builds the calibration; what it has no field for is left out."""
  names = {field.name for field in dataclasses.fields(Calibration)}
  values = {'guaranteed_rate': stored.get('promised_rate'), **stored}
  return Calibration(**{name: values[name] for name in names & values.keys()})


def _parts(config: Fields, calibration: Calibration) -> Iterator[str]:
  marked = f'above {calibration.pixel_threshold!r}'
  date = f', set on {calibration.date}' if calibration.date else ''
  yield (
    f'An image is defective if its score is above {calibration.threshold!r}'
    f'{date}. Pixels of a defective image are marked where the map is {marked}.'
    ' The probability is a function of the score, 0.5 at the threshold; it is '
    'no measured share of defective images.'
  )
  yield calibration.guarantee()
  if calibration.guaranteed_rate is None:
    return
  yield (
    'That is the mean over all draws of the held-out images. With this draw '
    f'the rate may be higher or lower{_spread(calibration)}. Nothing is '
    'guaranteed of missed defects.'
  )
  yield 'The guarantee holds on these conditions:'
  yield '\n'.join(f'- {text}' for text in _conditions(config, calibration))


def _conditions(config: Fields, calibration: Calibration) -> Iterator[str]:
  images = 'the held-out ones'
  if calibration.images:
    images = f'those of *{escape(base_name(calibration.images))}*'
  yield (
    'New good images differ from the training set as much as '
    f'{images} did: the same product, camera, lens, light, position and '
    'background, and none of them drifts.'
  )
  yield (
    'Weights, preprocessing and kind of score are those of this card. After '
    'training on, calibrate again.'
  )
  if calibration.method == 'tail':
    yield (
      'The highest scores of good images follow an exponential law, or have a '
      'lighter tail.'
    )
  if calibration.num_folds:
    yield (
      'All runs of the ensemble together score new good images no higher than '
      'those runs alone that were not trained on them: each of '
      f'{calibration.num_folds} folds was scored by such runs.'
    )
  yield _condition_of_parts(config, calibration)


def _condition_of_parts(config: Fields, calibration: Calibration) -> str:
  """Says what is assumed of images that show the same part."""
  part = config.get('data', {}).get('part')
  if calibration.num_parts:
    return (
      f'The images show {calibration.num_parts} parts, told by names with the '
      f'same match of {escape(part or "config.data.part")}; new images show '
      'other parts.'
    )
  if calibration.images:
    return 'No two of these images show the same part.'
  if part:
    return (
      'Several images of one part have names with the same match of '
      f'{escape(part)}; they were held out together.'
    )
  return (
    'No two of the images show the same part: `data.part` was not set, so '
    'images of one part may be on both sides.'
  )


def _spread(calibration: Calibration) -> str:
  """Describes the deviation of the rate over draws of the images, if known.

  Above the k-th smallest of n scores, the rate has the distribution
  Beta(n + 1 − k, k), of mean (n + 1 − k) / (n + 1).
  """
  rate = calibration.guaranteed_rate
  if rate is None or calibration.method == 'tail':
    return ''
  units = calibration.num_parts or calibration.num_images
  deviation = 100 * math.sqrt(rate * (1 - rate) / (units + 2))
  about = 'about ' if calibration.num_parts else ''
  return (
    f', with a standard deviation of {about}{deviation:.1f} percentage points'
  )
