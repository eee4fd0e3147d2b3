"""The Open Inference Protocol v2, in JSON and in its binary form."""

import base64
import dataclasses
import json
import struct

import numpy as np
import pytest

from afgan_jax import __version__
from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.service.limits import Limits
from tests.support.made_up import made_up_detector, part
from tests.support.service import encode, running

INFER = '/v2/models/one/infer'
HEADER = 'Inference-Header-Content-Length'
FILES = [encode(part()), encode(part(defect=False))]


@pytest.fixture(scope='module')
def client(tmp_path_factory):
  with running(tmp_path_factory.mktemp('models')) as client:
    yield client


def images(*files):
  data = [base64.b64encode(file).decode() for file in files]
  return {
    'name': 'image',
    'datatype': 'BYTES',
    'shape': [len(files)],
    'data': data,
  }


def infer(client, given, status=200, **fields):
  return client.send(
    'POST', INFER, status, json={'inputs': [given], **fields}
  ).json()


def by_name(answer):
  return {output['name']: output for output in answer['outputs']}


def test_the_server_and_its_models_are_described(client):
  server = client.send('GET', '/v2').json()
  assert server['version'] == __version__
  assert server['extensions'] == ['binary_tensor_data']
  model = client.send('GET', '/v2/models/one').json()
  shapes = {given['name']: given['shape'] for given in model['inputs']}
  assert shapes == {'image': [-1], 'pixels': [-1, 16, 16, 3]}
  (version,) = model['versions']
  path = f'/v2/models/one/versions/{version}'
  assert client.send('GET', path).json() == model
  assert client.send('GET', f'{path}/ready').json()['ready'] is True
  assert client.send('GET', '/v2/models/one/ready').json()['ready'] is True
  given = {'inputs': [images(*FILES)], 'outputs': [{'name': 'verdict'}]}
  client.send('POST', f'{path}/infer', json=given)


def test_files_are_predicted_as_by_the_detector(client):
  answer = infer(client, images(*FILES), id='42')
  assert answer['id'] == '42' and answer['model_name'] == 'one'
  outputs = by_name(answer)
  expected = [made_up_detector().predict(part(defect=d)) for d in (True, False)]
  for name in ('score', 'probability', 'verdict'):
    assert outputs[name]['shape'] == [2]
    assert outputs[name]['data'] == [getattr(p, name) for p in expected]
  assert outputs['map']['shape'] == [2, 16, 16]
  highest = np.reshape(outputs['map']['data'], (2, -1)).max(axis=1)
  np.testing.assert_array_equal(highest, [p.score for p in expected])


@pytest.mark.parametrize('kind', ['UINT8', 'FP32'])
def test_pixels_are_scored(client, kind):
  pixels = np.full((2, 16, 16, 3), 100)
  pixels[1, 4, 5, 2] = 202
  given = {
    'name': 'pixels',
    'datatype': kind,
    'shape': list(pixels.shape),
    'data': pixels.tolist() if kind == 'FP32' else pixels.ravel().tolist(),
  }
  outputs = by_name(infer(client, given))
  np.testing.assert_allclose(outputs['score']['data'], [0, 102 / 255])
  assert outputs['verdict']['data'] == ['good', 'defective']
  found = np.reshape(outputs['map']['data'], (2, 16, 16))
  assert np.argwhere(found).tolist() == [[1, 4, 5]]


def split(response):
  """Takes a binary answer apart, by the protocol's text alone."""
  length = int(response.headers[HEADER])
  head, rest = json.loads(response.content[:length]), response.content[length:]
  blobs = {}
  for output in head['outputs']:
    size = output.get('parameters', {}).get('binary_data_size', 0)
    blobs[output['name']], rest = rest[:size], rest[size:]
  assert not rest
  return head, blobs


def send_binary(client, given, blob, status=200, **fields):
  given = {**given, 'parameters': {'binary_data_size': len(blob)}}
  text = json.dumps({'inputs': [given], **fields}).encode()
  headers = {HEADER: str(len(text)), 'Content-Type': 'application/octet-stream'}
  return client.send(
    'POST', INFER, status, content=text + blob, headers=headers
  )


def test_binary_tensors(client):
  pixels = np.full((3, 16, 16, 3), 100, '<f4')
  pixels[2, 0, 0] = 255
  given = {'name': 'pixels', 'datatype': 'FP32', 'shape': [3, 16, 16, 3]}
  fields = {'parameters': {'binary_data_output': True}}
  head, blobs = split(send_binary(client, given, pixels.tobytes(), **fields))
  by_output = {output['name']: output for output in head['outputs']}
  score = np.frombuffer(blobs['score'], '<f8')
  np.testing.assert_allclose(score, [0, 0, 155 / 255])
  found = np.frombuffer(blobs['map'], '<f4').reshape(by_output['map']['shape'])
  assert found.shape == (3, 16, 16) and found[2, 0, 0] == np.float32(score[2])
  texts = struct.pack('<I', 4) + b'good'
  assert blobs['verdict'] == 2 * texts + struct.pack('<I', 9) + b'defective'


def test_binary_files_and_single_outputs(client):
  blob = b''.join(struct.pack('<I', len(file)) + file for file in FILES)
  given = {'name': 'image', 'datatype': 'BYTES', 'shape': [2]}
  outputs = [
    {'name': 'verdict'},
    {'name': 'score', 'parameters': {'binary_data': True}},
  ]
  head, blobs = split(send_binary(client, given, blob, outputs=outputs))
  verdict, score = head['outputs']
  assert verdict['data'] == ['defective', 'good']
  assert score['datatype'] == 'FP64' and len(blobs['score']) == 16


def test_a_threshold_can_be_given(client):
  given = {'parameters': {'threshold': 0.9}, 'outputs': [{'name': 'verdict'}]}
  outputs = by_name(infer(client, images(FILES[0]), **given))
  assert outputs['verdict']['data'] == ['good']
  for value in ('x', True):
    given['parameters'] = {'threshold': value}
    infer(client, images(FILES[0]), 400, **given)


SQUARE = {'name': 'pixels', 'datatype': 'UINT8', 'shape': [1, 16, 16, 3]}


@pytest.mark.parametrize(
  'given, words',
  [
    ({**SQUARE, 'data': [0] * 767}, '767 numbers'),
    ({**SQUARE, 'data': [0] * 767 + [256]}, '0 to 255'),
    ({**SQUARE, 'data': [0] * 767 + ['x']}, 'protocol'),
    ({**SQUARE, 'data': [[0], [0, 1]]}, 'protocol'),
    ({**SQUARE, 'shape': [1, 768], 'data': [0] * 768}, '[n, 16, 16, 3]'),
    ({**SQUARE, 'shape': [0, 16, 16, 3], 'data': []}, 'at least 1'),
    ({**SQUARE, 'shape': [-1, 16, 16, 3], 'data': []}, 'protocol'),
    ({**SQUARE, 'shape': 'x', 'data': []}, 'protocol'),
    ({**SQUARE, 'datatype': 'INT64', 'data': []}, 'datatype'),
    ({**SQUARE, 'parameters': {'binary_data_size': 9}}, '0 bytes'),
    ({**SQUARE}, 'protocol'),
    ({**images(FILES[0]), 'name': 'file'}, '"image"'),
    ({**images(FILES[0]), 'name': 'pixels'}, '"image"'),
    ({**images(FILES[0]), 'shape': [2]}, '1 elements'),
    ({**images(FILES[0]), 'data': ['!']}, 'protocol'),
    ({**images(FILES[0]), 'data': [1]}, 'protocol'),
    (images(), 'empty'),
    ([], 'protocol'),
    (None, 'protocol'),
  ],
)
def test_wrong_inputs(client, given, words):
  assert words in infer(client, given, 400)['error']


@pytest.mark.parametrize(
  'content',
  [
    b'x',
    b'{}',
    b'[]',
    b'{"inputs": []}',
    b'{"inputs": 5}',
    b'[' * 100_000,
    b'\xff',
    json.dumps({'inputs': [images(FILES[0])] * 2}).encode(),
    json.dumps({'inputs': [images(FILES[0])], 'id': 5}).encode(),
    json.dumps({'inputs': [images(FILES[0])], 'outputs': [5]}).encode(),
    json.dumps({'inputs': [images(FILES[0])], 'parameters': 'x'}).encode(),
  ],
)
def test_bodies_that_do_not_follow_the_protocol(client, content):
  sentence = client.error('POST', INFER, 400, content=content)
  assert 'protocol' in sentence


def test_wrong_names(client):
  client.error('GET', '/v2/models/two', 404)
  client.error('GET', '/v2/models/two/ready', 404)
  client.error('POST', '/v2/models/two/infer', 404, content=b'{}')
  assert '7-' in client.error('GET', '/v2/models/one/versions/1', 404)
  fields = {'outputs': [{'name': 'heat'}]}
  assert "'heat'" in infer(client, images(FILES[0]), 400, **fields)['error']


@pytest.mark.parametrize('length', ['x', '-1', '99999'])
def test_a_wrong_length_of_the_header(client, length):
  client.error('POST', INFER, 400, content=b'{}', headers={HEADER: length})


def test_one_damaged_file_refuses_the_request(client):
  answer = infer(client, images(FILES[0], b'no image'), 415)
  assert 'no image' in answer['error']
  infer(client, images(FILES[0], FILES[0][:60]), 422)


def test_elements_that_end_behind_the_body(client):
  given = {'name': 'image', 'datatype': 'BYTES', 'shape': [1]}
  for blob in (struct.pack('<I', 2**32 - 1) + b'x', b'\1\0'):
    send_binary(client, given, blob, 400)


def test_a_request_with_more_images_than_the_queue_holds(tmp_path):
  with running(tmp_path, limits=Limits(max_queue=2)) as client:
    assert 'fewer' in infer(client, images(*FILES, FILES[0]), 413)['error']
    infer(client, images(*FILES))


def test_tiles_need_whole_images(tmp_path):
  preprocessor = Preprocessor(16, Geometry('tiles', scale=1.0))

  def load(_):
    return dataclasses.replace(made_up_detector(), preprocessor=preprocessor)

  with running(tmp_path, load) as client:
    given = {**SQUARE, 'data': [0] * 768}
    assert 'whole images' in infer(client, given, 422)['error']
    other = encode(part(40, 50))
    assert 'in size' in infer(client, images(FILES[0], other), 422)['error']
    fields = {'outputs': [{'name': 'verdict'}]}
    outputs = by_name(infer(client, images(FILES[0], other), **fields))
    assert outputs['verdict']['data'] == ['defective'] * 2
    answer = by_name(infer(client, images(other)))
    assert answer['map']['shape'] == [1, 40, 50]
