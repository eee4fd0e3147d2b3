"""The commands of docs/service.md work, and its tables are complete."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from afgan_jax.cli import serve_flags
from afgan_jax.service.limits import Limits
from tests.support.made_up import part
from tests.support.service import DESCRIPTION, TOKEN, encode, listening

TEXT = (pathlib.Path(__file__).parents[2] / 'docs/service.md').read_text()
COMMANDS = [
  block
  for block in re.findall(r'```sh\n(.*?)```', TEXT, re.DOTALL)
  if 'curl' in block
]


@pytest.fixture(scope='module')
def port(tmp_path_factory):
  folder = tmp_path_factory.mktemp('models')
  options = {'names': ('demo_model',), 'tokens': {'ann': TOKEN}}
  with listening(folder, **options) as (port, _, _):
    yield port


@pytest.mark.skipif(shutil.which('curl') is None, reason='curl is missing')
@pytest.mark.parametrize('block', COMMANDS)
def test_commands(tmp_path, port, block):
  (tmp_path / 'image.png').write_bytes(encode(part()))
  # The commands leave the token out, and would pass over errors.
  token = f'header = "Authorization: Bearer {TOKEN}"\n'
  (tmp_path / '.curlrc').write_text(f'fail-with-body\nsilent\n{token}')
  block = block.replace('127.0.0.1:8000', f'127.0.0.1:{port}')
  block = re.sub('-H "Authorization: Bearer \\$TOKEN" ?', '', block)
  environment = {**os.environ, 'HOME': str(tmp_path), 'TOKEN': TOKEN}
  environment.pop('CURL_HOME', None)
  done = subprocess.run(
    ['bash', '-e', '-o', 'pipefail', '-c', block],
    cwd=tmp_path,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout + done.stderr


def test_the_flags_of_the_table_have_these_defaults():
  defaults = {
    name: float(value)
    for name, value in re.findall(r'--(\w+)=(\d+(?![\d.]*\.))', TEXT)
  }
  limits = vars(Limits())
  for name, value in limits.items():
    assert defaults[name] == value, name
  assert defaults['poll_s'] == serve_flags._POLL_S.default
  assert defaults['drain_s'] == serve_flags._DRAIN_S.default


def test_each_status_is_in_the_table():
  described = {
    status
    for operations in DESCRIPTION['paths'].values()
    for operation in operations.values()
    for status in operation['responses']
  }
  section = TEXT.partition('## Limits')[2].partition('## ')[0]
  assert described - {'200'} == set(re.findall(r'\| (\d{3})\b', section))
