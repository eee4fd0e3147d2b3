"""Checks the systemd unit as far as a machine without systemd can."""

import configparser
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
UNIT = ROOT / 'deploy' / 'afgan-jax.service'
PROGRAM = '/opt/afgan-jax/bin/afgan-jax'
TEXT = UNIT.read_text().replace('\\\n', ' ')


@pytest.fixture(scope='module')
def service():
  """The settings of the section [Service]; of repeated ones the last."""
  parser = configparser.RawConfigParser(strict=False)
  parser.optionxform = str
  parser.read_string(TEXT)
  return dict(parser['Service'])


def analyze(tmp_path, *arguments):
  if not shutil.which('systemd-analyze'):
    pytest.skip('systemd-analyze is not installed')
  unit = tmp_path / UNIT.name
  unit.write_text(UNIT.read_text().replace(PROGRAM, shutil.which('true')))
  return subprocess.run(
    ['systemd-analyze', *arguments, unit], capture_output=True, text=True
  )


def test_systemd_finds_no_fault(tmp_path):
  done = analyze(tmp_path, 'verify', '--man=no')
  assert done.returncode == 0, done.stderr
  assert UNIT.name not in done.stderr


def test_systemd_would_find_a_fault(tmp_path):
  bad = tmp_path / 'bad.service'
  bad.write_text(f'{UNIT.read_text()}\n[Service]\nProtectHomes=yes\n')
  if not shutil.which('systemd-analyze'):
    pytest.skip('systemd-analyze is not installed')
  done = subprocess.run(
    ['systemd-analyze', 'verify', '--man=no', bad],
    capture_output=True,
    text=True,
  )
  assert 'ProtectHomes' in done.stderr


def test_it_is_little_exposed(tmp_path):
  # In tenths; 1.4 where this was written.
  done = analyze(tmp_path, 'security', '--offline=yes', '--threshold=20')
  assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_confined_and_restarts(service):
  for name in ('DynamicUser', 'NoNewPrivileges', 'ProtectHome'):
    assert service[name] == 'yes', name
  assert service['ProtectSystem'] == 'strict'
  assert service['Restart'] == 'on-failure'
  # Longer than the service takes to answer what is in flight.
  assert int(service['TimeoutStopSec']) > 10
  assert 'ORT_DISABLE_TELEMETRY=1' in service['Environment']


def test_the_token_is_a_credential(service):
  name, _, path = service['LoadCredential'].partition(':')
  assert path == '/etc/afgan-jax/token'
  assert f'--token_file=%d/{name}' in service['ExecStart']
  assert f'--state=%S/{service["StateDirectory"]}' in service['ExecStart']
  assert 'TOKEN=' not in TEXT


@pytest.mark.parametrize('name', ['ExecStartPre', 'ExecStart'])
def test_the_command_takes_the_flags(service, tmp_path, name):
  if not (ROOT / 'afgan_jax' / 'cli' / 'console.py').exists():
    pytest.skip('the command afgan-jax is not there yet')
  program, *arguments = shlex.split(service[name])
  assert program == PROGRAM
  (tmp_path / 'token').write_text('0123456789abcdef')
  missing = str(tmp_path / 'none')
  places = {'%d': str(tmp_path), '%S': str(tmp_path)}
  places['/srv/afgan-jax/model'] = missing
  for place, other in places.items():
    arguments = [word.replace(place, other) for word in arguments]
  assert not re.search('%', ' '.join(arguments))
  done = subprocess.run(
    [sys.executable, '-m', 'afgan_jax', *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  # Each flag was understood, so that the folder is what is missing.
  assert done.returncode == 1
  assert missing in done.stderr and 'Traceback' not in done.stderr
