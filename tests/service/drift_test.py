"""The service says when new images drift from the held-out ones."""

import dataclasses

import numpy as np

from tests.support.made_up import made_up_detector
from tests.support.service import running


def detector(_):
  """A detector whose held-out good images are grey, 95 to 105, of 255."""
  held_out = np.random.default_rng(0).uniform(95, 105, 60)
  calibration = dataclasses.replace(
    made_up_detector().calibration,
    good_scores=tuple(sorted((np.abs(held_out - 100) / 255).tolist())),
    reference={'intensity': tuple(sorted(held_out.tolist()))},
  )
  return dataclasses.replace(made_up_detector(), calibration=calibration)


def send(client, grey, count):
  rng = np.random.default_rng(1)
  for value in rng.uniform(grey - 5, grey + 5, count):
    client.predict(np.full((16, 16, 3), round(value), np.uint8))


def drift(client):
  (model,) = client.send('GET', '/api/models').json()
  return model['drift']


def test_like_images_are_no_drift(tmp_path):
  with running(tmp_path, detector) as client:
    send(client, 100, 60)
    assert drift(client) is None
    assert not client.log.lines('drift')


def test_a_brighter_lamp_is_told_once(tmp_path):
  with running(tmp_path, detector) as client:
    send(client, 110, 60)
    assert 'brightness (higher)' in drift(client)
    (line,) = client.log.lines('drift')
    assert line['model'] == 'one' and 'brightness (higher)' in line['sentence']
