"""Checks the Dockerfile as far as a machine without Docker can."""

import http.server
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import tomllib

import pytest

from tests.support import dockerfile

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / 'deploy'
INSTALLED = '/opt/afgan-jax'
LINES = dockerfile.read((DEPLOY / 'Dockerfile').read_text())
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
HAS_COMMAND = (ROOT / 'afgan_jax' / 'cli' / 'console.py').exists()


def all_of(name, stage=None):
  return [
    line for line in LINES if line.name == name and stage in (None, line.stage)
  ]


def the(name):
  (line,) = all_of(name, LINES[-1].stage)
  return line


def test_instructions_are_known_and_stages_share_a_base():
  known = {'FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'EXPOSE'}
  known |= {'HEALTHCHECK', 'STOPSIGNAL', 'ENTRYPOINT', 'CMD'}
  assert {line.name for line in LINES} == known
  bases = {line.words[0] for line in all_of('FROM')}
  (base,) = bases
  version = re.fullmatch(r'python:(3\.\d+)-slim-\w+', base)[1]
  # The version that constraints.txt is for.
  text = (ROOT / 'constraints.txt').read_text()
  assert "python_version < '3.12'" in text
  assert version == '3.11'


def test_what_is_copied_exists_and_reaches_the_build():
  ignored = (DEPLOY / 'Dockerfile.dockerignore').read_text().splitlines()
  kept = {line[1:] for line in ignored if line.startswith('!')}
  assert '*' in ignored
  copied = [line for line in all_of('COPY') if '--from' not in line.arguments]
  sources = {word for line in copied for word in line.words[:-1]}
  for source in sources:
    assert (ROOT / source).exists(), source
  assert {source.removeprefix('./') for source in sources} == kept
  # What the wheel is made of.
  assert {'pyproject.toml', 'README.md', 'LICENSE', 'afgan_jax'} <= sources


def test_the_installation_is_light_and_pinned():
  (install,) = [x for x in all_of('RUN') if ' install ' in x.arguments]
  words = shlex.split(install.arguments)
  assert words[-1] == '.[serve]'
  assert words[words.index('--constraint') + 1] == 'constraints.txt'
  if HAS_COMMAND:
    assert 'serve' in PROJECT['optional-dependencies']
    assert not any('jax' in name for name in PROJECT['dependencies'])


def test_it_runs_as_a_number_and_keeps_no_secret():
  user = the('USER').arguments
  assert re.fullmatch(r'[1-9]\d*:[1-9]\d*', user)
  text = ' '.join(line.arguments for line in all_of('ENV')).lower()
  assert 'token' not in text and 'ort_disable_telemetry=1' in text


def run_command(arguments, **options):
  """Runs the console command of this checkout."""
  if not HAS_COMMAND:
    pytest.skip('the command afgan-jax is not there yet')
  return subprocess.run(
    [sys.executable, '-m', 'afgan_jax', *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    **options,
  )


def test_the_command_takes_the_flags_of_the_image(tmp_path):
  if HAS_COMMAND:
    (program,) = the('ENTRYPOINT').words
    assert program in PROJECT['scripts']
  command = the('CMD').words
  assert command == ['serve', '--model=/model', '--host=0.0.0.0']
  missing = str(tmp_path / 'none')
  done = run_command([word.replace('/model', missing) for word in command])
  # Each flag was understood, so that the folder is what is missing.
  assert done.returncode == 1
  assert missing in done.stderr and 'Traceback' not in done.stderr
  done = run_command([*command, '--other=1'])
  assert done.returncode == 2


class _Health(http.server.BaseHTTPRequestHandler):
  status = 200

  def do_GET(self):
    self.send_response(self.status if self.path == '/v2/health/live' else 404)
    self.end_headers()

  def log_message(self, *_):
    """Is silent."""


@pytest.mark.parametrize('status', [200, 503])
def test_the_health_check_follows_the_service(status):
  handler = type('Handler', (_Health,), {'status': status})
  with http.server.HTTPServer(('127.0.0.1', 0), handler) as server:
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    program, *arguments = the('HEALTHCHECK').words
    assert program == 'python'
    port = the('EXPOSE').arguments
    assert f'127.0.0.1:{port}/' in arguments[-1]
    arguments[-1] = arguments[-1].replace(port, str(server.server_port))
    done = subprocess.run([sys.executable, *arguments], capture_output=True)
    thread.join()
  assert (done.returncode == 0) == (status == 200)


def test_the_health_check_fails_without_a_service():
  _, *arguments = the('HEALTHCHECK').words
  with http.server.HTTPServer(('127.0.0.1', 0), _Health) as server:
    free = str(server.server_port)
  arguments[-1] = arguments[-1].replace(the('EXPOSE').arguments, free)
  done = subprocess.run([sys.executable, *arguments], capture_output=True)
  assert done.returncode != 0


def test_the_commands_of_the_readme_are_valid_shell():
  text = (DEPLOY / 'README.md').read_text()
  blocks = re.findall(r'^```sh\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
  assert len(blocks) == 4
  for block in blocks:
    subprocess.run(['bash', '-n'], input=block, text=True, check=True)
  for path in re.findall(r'deploy/[\w.-]+', ' '.join(blocks)):
    assert (ROOT / path).exists(), path


@pytest.mark.slow
def test_its_steps_install_a_command_that_runs_without_home(tmp_path):
  """Takes a minute and downloads the packages of the light installation."""
  if not HAS_COMMAND:
    pytest.skip('the command afgan-jax is not there yet')
  source, installed = tmp_path / 'source', tmp_path / 'installed'
  source.mkdir()
  for line in all_of('COPY', 0):
    for word in line.words[:-1]:
      # A copy: setuptools leaves a folder where it builds.
      subprocess.run(['cp', '-r', ROOT / word, source], check=True)
  for line in all_of('RUN'):
    command = line.arguments.replace(INSTALLED, str(installed))
    command = re.sub(r'^python ', f'{sys.executable} ', command)
    done = subprocess.run(
      command, shell=True, cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
  environment = dict(
    word.split('=', 1) for line in all_of('ENV') for word in line.words
  )
  path = environment['PATH'].replace(INSTALLED, str(installed))
  environment['PATH'] = path.replace('$PATH', os.defpath)
  done = subprocess.run(
    [*the('ENTRYPOINT').words, *the('CMD').words],
    cwd='/',
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 1
  assert '/model' in done.stderr and 'Traceback' not in done.stderr
  done = subprocess.run(
    [installed / 'bin' / 'python', '-m', 'pip', 'list'],
    capture_output=True,
    text=True,
  )
  names = set(re.findall(r'^(\S+)', done.stdout.lower(), re.MULTILINE))
  assert {'afgan-jax', 'onnxruntime', 'starlette'} <= names
  assert not names & {'jax', 'jaxlib', 'flax', 'tensorflow', 'matplotlib'}
