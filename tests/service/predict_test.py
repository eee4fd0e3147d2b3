"""Predictions over HTTP are those of the detector."""

import base64
import dataclasses
import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.service import pictures
from tests.support.made_up import GREY, made_up_detector, part
from tests.support.service import encode, running


@pytest.fixture
def client(tmp_path):
  with running(tmp_path, names=('one', 'two')) as client:
    yield client


def picture(text):
  return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


@pytest.mark.parametrize('defect', [True, False])
def test_a_prediction_is_that_of_the_detector(client, defect):
  expected = made_up_detector().predict(part(defect=defect))
  answer = client.predict(part(defect=defect))
  assert answer['verdict'] == ('defective' if defect else 'good')
  assert answer['score'] == expected.score
  assert answer['probability'] == expected.probability
  assert answer['regions'] == expected.regions
  assert (answer['width'], answer['height']) == (48, 32)
  assert answer['threshold'] == answer['pixel_threshold'] == 0.2
  assert answer['note'] == expected.note == ''
  assert answer['model'] == 'one' and answer['version'].startswith('7-')
  assert answer['milliseconds'] > 0
  assert not {'map', 'overlay'} & set(answer)


def test_a_form_and_a_body_give_the_same(client):
  alone = client.predict(part())
  files = {'image': ('ß "1".png', encode(part()), 'image/png')}
  in_form = client.send('POST', '/predict?model=two', files=files).json()
  del alone['milliseconds'], in_form['milliseconds']
  assert in_form.pop('model') == 'two' and alone.pop('model') == 'one'
  assert in_form == alone


def test_curls_default_type_of_a_body_is_no_obstacle(client):
  headers = {'Content-Type': 'application/x-www-form-urlencoded'}
  assert client.predict(part(), headers=headers)['verdict'] == 'defective'


def test_the_map_has_the_values_of_the_detector(client):
  expected = made_up_detector().predict(part()).anomaly_map
  found = client.predict(part(), query='?map=1')['map']
  grey = picture(found['png'])
  assert grey.dtype == np.uint8 and grey.shape == (32, 48)
  low, high = found['low'], found['high']
  assert (low, high) == (expected.min(), expected.max())
  values = low + grey / 255 * (high - low)
  np.testing.assert_allclose(values, expected, atol=0.51 * (high - low) / 255)


def test_a_flat_map_can_be_drawn(client):
  answer = client.predict(part(defect=False), query='?map=1&overlay=1')
  assert answer['map']['low'] == answer['map']['high'] == 0
  assert not picture(answer['map']['png']).any()


def test_the_overlay_blends_heat_and_image(client):
  answer = client.predict(part(), query='?overlay=true&map=false')
  drawn = picture(answer['overlay']).astype(float)
  colors = 255 * matplotlib.colormaps['inferno'](np.arange(256))[:, :3]
  # A value of 0 far from the defect; 0.61, above twice the threshold, on it.
  np.testing.assert_allclose(
    drawn[30, 40], 0.7 * colors[0] + 0.3 * GREY, atol=2
  )
  np.testing.assert_allclose(
    drawn[12, 12], 0.7 * colors[255] + 0.3 * 255, atol=2
  )
  assert 'map' not in answer


def test_the_colours_are_those_of_inferno():
  colors = 255 * matplotlib.colormaps['inferno'](np.arange(256))[:, :3]
  np.testing.assert_allclose(pictures.color_table(), colors, atol=8)


def test_a_large_map_is_reduced_in_proportion(client):
  image = np.full((1500, 3000, 3), GREY, np.uint8)
  image[750:900, 500:800] = 255
  answer = client.predict(image, query='?map=1&overlay=1')
  grey = picture(answer['map']['png'])
  assert grey.shape == (1024, 2048)
  assert picture(answer['overlay']).shape == (1024, 2048, 3)
  rows, columns = np.nonzero(grey > 127)
  factor = 3000 / 2048
  assert abs(rows.mean() * factor - 825) < 94  # A pixel of the square.
  assert abs(columns.mean() * factor - 650) < 188
  (region,) = answer['regions']
  assert region['x'] <= 650 <= region['x'] + region['width']


def test_a_threshold_counts_for_its_request_alone(client):
  high = client.predict(part(), query='?threshold=0.9')
  assert high['verdict'] == 'good' and high['threshold'] == 0.9
  assert high['probability'] < 0.5 and high['regions'] == []
  # The score is the largest value of the map: one threshold for both.
  assert high['pixel_threshold'] == 0.9
  again = client.predict(part())
  assert again['verdict'] == 'defective' and again['threshold'] == 0.2
  assert high['version'] == again['version']
  assert client.predict(part(), query='?threshold=-1e3')['probability'] == 1


def test_pages_are_chosen_and_noted(client):
  file = io.BytesIO()
  pages = [Image.fromarray(part(defect=defect)) for defect in (False, True)]
  pages[0].save(file, 'TIFF', save_all=True, append_images=pages[1:])
  first = client.predict(file.getvalue())
  assert first['verdict'] == 'good' and first['note'] == 'page 1 of 2'
  second = client.predict(file.getvalue(), query='?page=1')
  assert second['verdict'] == 'defective' and second['note'] == 'page 2 of 2'
  third = client.predict(file.getvalue(), 422, '?page=2')
  assert 'no page 3' in third['error']


@pytest.mark.parametrize('kind', ['JPEG', 'BMP', 'TIFF', 'WEBP', 'GIF', 'PPM'])
def test_formats_are_read(client, kind):
  assert client.predict(encode(part(), kind))['verdict'] == 'defective'


def test_an_image_in_tiles_is_predicted_as_by_the_detector(tmp_path):
  geometry = Geometry('tiles', scale=1.0)
  preprocessor = Preprocessor(16, geometry)

  def load(_):
    return dataclasses.replace(made_up_detector(), preprocessor=preprocessor)

  image = part(40, 56)
  expected = load(None).predict(image)
  with running(tmp_path, load) as client:
    answer = client.predict(image, query='?map=1')
  assert answer['score'] == expected.score
  assert answer['regions'] == expected.regions
  assert answer['map']['high'] == expected.anomaly_map.max()


def test_models_describe_themselves(tmp_path):
  scores = tuple(np.linspace(0.1, 0.3, 9).tolist())

  def load(folder):
    detector = made_up_detector()
    calibration = dataclasses.replace(detector.calibration, good_scores=scores)
    if folder.name == 'two':
      return dataclasses.replace(detector, calibration=calibration)
    return detector

  with running(tmp_path, load, names=('one', 'two')) as client:
    one, two = client.send('GET', '/api/models').json()
  assert one['name'] == 'one' and one['good_scores'] is None
  assert one['num_images'] == 9 and one['false_reject_rate'] == 0.1
  assert '10.00%' in one['guarantee'] and '.png' in one['formats']
  assert one['limits'] == {'bytes': 32_000_000, 'pixels': 50_000_000}
  assert one['image_size'] == 16 and one['geometry'] == 'stretch'
  counts, edges = two['good_scores']['counts'], two['good_scores']['edges']
  assert sum(counts) == 9 and len(edges) == len(counts) + 1
  assert (edges[0], edges[-1]) == (0.1, 0.3)
