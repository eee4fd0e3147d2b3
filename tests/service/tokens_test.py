"""Who may do what."""

import pytest

from afgan_jax.service import tokens
from afgan_jax.system.errors import UsageError
from tests.support.made_up import part
from tests.support.service import SIGNED, TOKEN, encode, running


@pytest.fixture
def client(tmp_path):
  with running(tmp_path, tokens={'ann': 'other-token', 'bob': TOKEN}) as client:
    yield client


@pytest.mark.parametrize(
  'method, path',
  [
    ('POST', '/predict'),
    ('GET', '/api/models'),
    ('PUT', '/api/models/one/threshold'),
    ('POST', '/admin/reload'),
    ('GET', '/metrics'),
    ('GET', '/openapi.json'),
    ('GET', '/v2'),
    ('GET', '/v2/models/one'),
    ('POST', '/v2/models/one/infer'),
    ('GET', '/nix'),
    ('GET', '/v2/health/live/x'),
  ],
)
@pytest.mark.parametrize(
  'header',
  [
    None,
    '',
    'Bearer',
    'Bearer wrong-token',
    f'Basic {TOKEN}',
    f'bearer{TOKEN}',
  ],
)
def test_a_token_is_needed(client, method, path, header):
  headers = {} if header is None else {'Authorization': header}
  response = client.send(method, path, 401, headers=headers)
  assert response.headers['www-authenticate'] == 'Bearer'
  assert TOKEN not in response.text


def test_health_and_the_page_are_open(client):
  client.send('GET', '/v2/health/live')
  client.send('GET', '/v2/health/ready')
  for path in ('/', '/page.css', '/page.js'):
    response = client._run(client._client.get(path))
    assert response.status_code in (200, 404)  # If it is not installed.


def test_the_log_names_the_token_and_not_its_value(client):
  client.predict(part(), headers=SIGNED)
  client.send('POST', '/predict', 401, content=encode(part()))
  right, wrong = client.log.lines('request')
  assert right['who'] == 'bob' and wrong['who'] == '127.0.0.1'
  assert TOKEN not in client.log.getvalue()


def test_without_a_token_nothing_can_be_changed(tmp_path):
  with running(tmp_path) as client:
    for method, path in (
      ('POST', '/admin/reload'),
      ('PUT', '/api/models/one/threshold'),
    ):
      sentence = client.error(method, path, 403, headers=SIGNED, content='{}')
      assert 'without a token' in sentence


def test_tokens_of_a_file(tmp_path, monkeypatch):
  path = tmp_path / 'tokens'
  path.write_text(f'# of the line\n\nann first-token\n{TOKEN}\n')
  assert tokens.read_tokens(path) == {'ann': 'first-token', 'token': TOKEN}
  monkeypatch.setenv('AFGAN_TOKEN', 'of-the-environment')
  assert tokens.read_tokens(None) == {'token': 'of-the-environment'}
  assert 'of-the-environment' not in tokens.read_tokens(path).values()
  monkeypatch.delenv('AFGAN_TOKEN')
  assert tokens.read_tokens(None) == {}


@pytest.mark.parametrize(
  'content',
  [
    b'',
    b'# nothing\n',
    b'short\n',
    b'ann first-token extra\n',
    b'first-token\nsecond-token\n',
    b'a/b first-token\n',
    'tokén-of-the-line\n'.encode(),
    b'\xff\xfe\xfd-of-the-line\n',
  ],
)
def test_token_files_that_are_not_usable(tmp_path, content):
  path = tmp_path / 'tokens'
  path.write_bytes(content)
  with pytest.raises(UsageError, match=str(path)) as error:
    tokens.read_tokens(path)
  assert 'first-token' not in str(error.value)
  with pytest.raises(UsageError, match='cannot be read'):
    tokens.read_tokens(tmp_path / 'nix')
