"""All that cannot be answered gets its own status and one sentence."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from afgan_jax.service.errors import Refused
from afgan_jax.service.form import image_of
from afgan_jax.service.images import check_header
from afgan_jax.service.limits import Budget, Limits, Share
from afgan_jax.service.tiff import has_too_many_pages
from afgan_jax.system.errors import UsageError
from tests.support.made_up import made_up_detector, part
from tests.support.service import encode, running

LIMITS = Limits(max_megabytes=0.1, max_pixels=10_000, deadline_ms=0)


@pytest.fixture(scope='module')
def client(tmp_path_factory):
  folder = tmp_path_factory.mktemp('models')
  with running(folder, limits=LIMITS) as client:
    yield client


@pytest.fixture(autouse=True)
def _goes_on(client):
  yield
  assert client.predict(part())['verdict'] == 'defective'
  assert client.service.budget.taken == 0


def png_header(width, height):
  """Returns a PNG that claims a size, with hardly any data."""
  data = b'\x89PNG\r\n\x1a\n'
  head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
  for kind, content in ((b'IHDR', head), (b'IDAT', zlib.compress(b'\0' * 99))):
    crc = zlib.crc32(kind + content)
    data += struct.pack('>I', len(content)) + kind + content
    data += struct.pack('>I', crc)
  return data


@pytest.mark.parametrize(
  'content, status, words',
  [
    (b'', 400, 'empty'),
    (b'no image at all', 415, 'no image'),
    (b'{"image": "/etc/passwd"}', 415, 'no image'),
    (b'/etc/passwd', 415, 'no image'),
    (b'http://127.0.0.1/image.png', 415, 'no image'),
    (b'\x80\x04\x95cos\nsystem\n', 415, 'no image'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 415, 'EPS'),
    (encode(part())[:60], 422, 'cannot be read'),
    (encode(part(), 'JPEG')[:300], 422, 'cannot be read'),
    (png_header(60_000, 60_000), 413, 'pixels'),
    (png_header(101, 100), 413, '101×100'),
    (png_header(2**31 - 1, 2**31 - 1), 413, 'pixels'),
    (bytes(100_001), 413, '0.1 MB'),
  ],
)
def test_bodies_that_are_no_image(client, content, status, words):
  assert words in client.error('POST', '/predict', status, content=content)


def test_no_pixel_of_a_bomb_is_decoded(client, monkeypatch):
  monkeypatch.setattr(Image.Image, 'load', lambda self: pytest.fail('decoded'))
  client.error('POST', '/predict', 413, content=png_header(9_999, 9_999))
  monkeypatch.undo()


def test_a_bomb_on_a_later_page_is_refused(client):
  file = io.BytesIO()
  small, large = (Image.new('L', (side, side)) for side in (9, 101))
  small.save(file, 'TIFF', save_all=True, append_images=[large])
  content = file.getvalue()
  client.error('POST', '/predict?page=1', 413, content=content)
  client.send('POST', '/predict?page=0', content=content)


def tiff_of(pages, big=False, order='<'):
  """Returns a TIFF of empty pages, each with one tag."""
  start, head = (16, b'+\0\x08\0\0\0') if big else (8, b'*\0')
  if order == '>':
    head = b'\0+\0\x08\0\0' if big else b'\0*'
  kinds = ('QHHQQQ', 'Q') if big else ('HHHIII', 'I')
  page, place = (struct.Struct(order + kind) for kind in kinds)
  data = [b'II' if order == '<' else b'MM', head, place.pack(start)]
  for number in range(1, pages + 1):
    after = start + number * page.size if number < pages else 0
    data.append(page.pack(1, 256, 3, 1, 1, after))
  return b''.join(data)


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('big', [False, True])
def test_pages_of_tiff_are_bounded(big, order):
  assert not has_too_many_pages(tiff_of(7, big, order), 7)
  assert has_too_many_pages(tiff_of(8, big, order), 7)
  assert not has_too_many_pages(tiff_of(8, big, order)[:60], 7)  # Cut.
  assert not has_too_many_pages(tiff_of(8, big, order)[:5], 7)
  loop = bytearray(tiff_of(1, big, order))
  loop[-8 if big else -4 :] = loop[8 if big else 4 :][: 8 if big else 4]
  assert has_too_many_pages(bytes(loop), 7)


# Two heads that are wrong, and that Pillow reads.
@pytest.mark.parametrize('head', [b'II*\0', b'II\0*', b'MM\0*', b'MM*\0'])
def test_a_file_of_many_pages_takes_no_time(client, head):
  content = head + tiff_of(4000, order='<' if head[:1] == b'I' else '>')[4:]
  start = time.monotonic()
  sentence = client.error('POST', '/predict', 413, content=content)
  assert '1000 pages' in sentence and time.monotonic() - start < 1


def test_the_models_own_limit_of_pixels_counts_too():
  check_header(encode(part()), 48 * 32)
  with pytest.raises(Refused) as refused:
    check_header(encode(part()), 48 * 32 - 1)
  assert refused.value.status == 413


@pytest.mark.parametrize(
  'query, words',
  [
    ('nix=1', "'nix'"),
    ('map=2', '0 or 1'),
    ('map=1&map=0', 'twice'),
    ('threshold=high', 'a number'),
    ('threshold=nan', 'a number'),
    ('threshold=inf', 'a number'),
    ('page=-1', 'whole number'),
    ('page=1.5', 'whole number'),
    ('page=' + '9' * 5000, 'whole number'),
  ],
)
def test_wrong_parameters(client, query, words):
  sentence = client.error(
    'POST', f'/predict?{query}', 400, content=encode(part())
  )
  assert words in sentence and len(sentence) < 200


@pytest.mark.parametrize(
  'method, path, status',
  [
    ('POST', '/predict?model=nix', 404),
    ('POST', '/predict?model=../../etc', 404),
    ('GET', '/nix', 404),
    ('GET', '/page/../../detector.py', 404),
    ('GET', '/..%2f..%2fdetector.py', 404),
    ('POST', '/predict/', 404),
    ('GET', '/predict', 405),
    ('DELETE', '/api/models', 405),
    ('POST', '/', 405),
    ('GET', '/api/models?x=1', 400),
    ('PUT', '/api/models/one/threshold', 403),
    ('POST', '/admin/reload', 403),
  ],
)
def test_wrong_addresses(client, method, path, status):
  client.error(method, path, status)


FORM = 'multipart/form-data; boundary=x'


def form(*parts, end=b'--x--\r\n'):
  body = b''
  for name, content in parts:
    head = f'Content-Disposition: form-data; name="{name}"; filename="a"'
    body += b'--x\r\n' + head.encode() + b'\r\n\r\n' + content + b'\r\n'
  return body + end


IMAGE = encode(part())


@pytest.mark.parametrize(
  'kind, body, words',
  [
    (FORM, form(('picture', IMAGE)), "['picture']"),
    (FORM, form(('image', IMAGE), ('model', b'one')), "['model']"),
    (FORM, form(('image', IMAGE), ('image', IMAGE)), '2 images'),
    (FORM, form(('image', b'')), 'empty'),
    (FORM, form(), 'empty'),
    (FORM, form(('image', IMAGE), end=b''), 'cut'),
    (FORM, form(('image', IMAGE))[:40], 'cut'),
    (FORM, b'nonsense', 'damaged'),
    (FORM, form(*[('image', IMAGE[:9])] * 99), 'damaged'),
    (FORM, b'--x\r\nContent-Type: a/b\r\n\r\nabc\r\n--x--\r\n', 'damaged'),
    ('multipart/form-data', form(('image', IMAGE)), 'boundary'),
    (FORM + 'y' * 999, form(('image', IMAGE)), 'damaged'),
  ],
)
def test_wrong_forms(client, kind, body, words):
  headers = {'Content-Type': kind}
  sentence = client.error(
    'POST', '/predict', 400, content=body, headers=headers
  )
  assert words in sentence


def test_a_form_gives_the_bytes_of_its_file():
  # With what looks like a boundary and is none.
  content = bytes(range(256)) * 300 + b'\r\n--\r\nx--\r\n-'
  assert image_of(FORM, form(('image', content))) == content
  quoted = 'multipart/form-data; boundary="x"'
  assert image_of(quoted, form(('image', content))) == content


def test_a_compressed_body_is_refused(client):
  headers = {'Content-Encoding': 'gzip'}
  sentence = client.error(
    'POST', '/predict', 415, content=IMAGE, headers=headers
  )
  assert 'compressed' in sentence


def test_a_score_that_is_no_number_is_no_verdict(tmp_path):
  def score(pixels, regions=None):
    maps = np.zeros(pixels.shape[:3], np.float32)
    return {'score': np.full(len(pixels), np.nan), 'map': maps}

  with running(tmp_path, lambda _: made_up_detector(score=score)) as client:
    sentence = client.error('POST', '/predict', 500, content=IMAGE)
  assert 'no number' in sentence


def test_a_failure_of_the_program_is_told_in_the_log_alone(tmp_path):
  with running(tmp_path) as client:
    client.service.model = None  # Not callable.
    sentence = client.error('POST', '/predict', 500, content=IMAGE)
  assert 'log' in sentence
  (line,) = client.log.lines('failure')
  assert 'TypeError' in line['error'] and 'Traceback' in line['traceback']


def test_the_memory_for_images_is_bounded(tmp_path):
  limits = Limits(max_megabytes=0.01, max_pending_megabytes=0.01)
  with running(tmp_path, limits=limits) as client:
    with Share(client.service.budget) as share:
      share.take(10_000 - 20)
      response = client.send('POST', '/predict', 429, content=IMAGE)
      assert response.headers['retry-after'] == '1'
    client.send('POST', '/predict', content=IMAGE)


def test_a_share_gives_back_what_it_holds_and_takes_no_more():
  budget = Budget(100)
  with Share(budget) as share:
    share.take(60)
    share.take(-20)
    assert budget.taken == 40
    with pytest.raises(Refused):
      share.take(61)
  assert budget.taken == 0
  share.take(5)
  assert budget.taken == 0


@pytest.mark.parametrize(
  'fields',
  [
    {'max_pixels': 0},
    {'max_queue': -1},
    {'timeout_s': float('nan')},
    {'deadline_ms': -1},
    {'max_megabytes': 2000},
  ],
)
def test_limits_out_of_range(fields):
  with pytest.raises(UsageError, match=next(iter(fields))):
    Limits(**fields)
