"""Imports point one way; see the map of the code in the README."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TENSORFLOW = {'tensorflow', 'tensorflow_datasets'}
# Modules of `datasets` that may import TensorFlow.
TENSORFLOW_MODULES = {
  'cut_paste',
  'random_erasing',
  'pipeline',
  'mvtec_ad_tfds',
  'prepared_tfds',
  'prepared_features',
  'prepared_stream',
}
# Modules that import those in a function, when a config asks for it.
DEFERRED = {'load', 'from_config'}


def imports(path):
  """Returns the names that a file imports, wherever in it."""
  names = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      names.add(node.module)
      names.update(f'{node.module}.{alias.name}' for alias in node.names)
  return names


def packages(path):
  return {name.partition('.')[0] for name in imports(path)}


def files(folder):
  found = sorted((ROOT / folder).rglob('*.py'))
  assert found
  return found


def test_configs_import_ml_collections_only():
  allowed = {'ml_collections', 'configs', 'importlib', 'typing'}
  for path in files('configs'):
    assert packages(path) <= allowed, path


# Rooms of the package, from the top down: each imports from those below it
# alone. The last three rows are leaves that all may use.
ROOMS = (
  ('cli',),
  ('study', 'benchmark'),
  ('jobs',),
  ('report', 'export', 'service'),
  ('detector',),
  ('large_images',),
  ('scoring',),
  ('training', 'artefact'),
  ('checkpoints', 'tracking', 'metrics'),
  ('methods',),
  ('networks', 'augment'),
  ('ops',),
  ('machine',),
  ('devices',),
  ('placing',),
  ('preprocessing',),
  ('config',),
  ('system',),
)
LEAVES = ('preprocessing', 'config', 'system')


def rooms_of(path):
  """Returns the rooms of the package from which a file imports."""
  names = (name.split('.') for name in imports(path))
  rooms = {room for row in ROOMS for room in row}
  return {
    parts[1]
    for parts in names
    if len(parts) > 1 and parts[0] == 'afgan_jax' and parts[1] in rooms
  }


def test_every_module_of_the_package_is_in_a_room():
  rooms = {room for row in ROOMS for room in row}
  for path in files('afgan_jax'):
    room = path.relative_to(ROOT / 'afgan_jax').parts[0]
    assert room.removesuffix('.py') in rooms | {'__init__', '__main__'}, path


@pytest.mark.parametrize('room', [room for row in ROOMS for room in row])
def test_arrows_between_rooms_point_down(room):
  row = next(i for i, rooms in enumerate(ROOMS) if room in rooms)
  below = {name for rooms in ROOMS[row + 1 :] for name in rooms}
  if room in LEAVES:
    assert below <= set(LEAVES)
  for path in [*files('afgan_jax')]:
    parts = path.relative_to(ROOT / 'afgan_jax').parts
    if parts[0].removesuffix('.py') == room:
      assert rooms_of(path) <= below | {room}, path


def test_datasets_use_leaves_of_the_package_alone_and_no_jax():
  for path in files('datasets'):
    assert not packages(path) & {'jax', 'flax'}, path
    assert rooms_of(path) <= set(LEAVES), path
    if path.stem not in TENSORFLOW_MODULES | DEFERRED:
      assert not packages(path) & TENSORFLOW, path
      within = {name.removeprefix('datasets.') for name in imports(path)}
      assert not within & TENSORFLOW_MODULES, path


@pytest.mark.parametrize('room', LEAVES)
def test_leaves_need_no_jax(room):
  for path in files(f'afgan_jax/{room}'):
    if path.name != 'compilation_cache.py':  # Of JAX's own.
      assert not packages(path) & {'jax', 'flax', 'optax', 'orbax'}, path


def test_the_package_needs_neither_datasets_nor_tensorflow():
  for path in files('afgan_jax'):
    assert not packages(path) & (TENSORFLOW | {'datasets', 'configs'}), path


def test_pmap_and_orbax_stand_in_one_place_each():
  for path in files('afgan_jax'):
    text = path.read_text()
    assert ('jax.pmap(' in text) == (path.name == 'devices.py'), path
    assert 'orbax' not in packages(path) or path.parent.name == 'checkpoints'


def test_only_the_command_line_prints_and_speaks_of_flags():
  for path in files('afgan_jax'):
    if path.parent.name == 'cli' or path.name == 'progress.py':
      continue
    tree = ast.parse(path.read_text())
    documentation = {
      id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
      if isinstance(node, ast.Call):
        assert getattr(node.func, 'id', '') != 'print', (path, node.lineno)
      if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
      ):
        flag = re.search(r'--(?!xla)[a-z]', node.value)
        assert not flag, (path, node.lineno)


def test_every_module_imports_without_tensorflow():
  modules = [
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for path in files('afgan_jax')
    if path.name != '__init__.py'
  ]
  program = 'import importlib, sys\n'
  program += ''.join(f'sys.modules[{n!r}] = None\n' for n in TENSORFLOW)
  program += f'[importlib.import_module(name) for name in {modules}]'
  subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True)


def loaded_by(program):
  """Returns the names of the packages that a program loads."""
  program += '\nprint(*{name.partition(".")[0] for name in sys.modules})'
  done = subprocess.run(
    [sys.executable, '-c', 'import sys\n' + program],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
  )
  return set(done.stdout.split())


@pytest.mark.parametrize(
  'arguments',
  [
    ['--mode=nonsense'],
    ['--config.generator.base_feature=8'],
    ['--data=x'],
    ['--mode=predict'],
  ],
)
def test_wrong_flags_are_told_before_jax_is_imported(arguments):
  loaded = loaded_by(f"""
import runpy
sys.argv = ['main.py', '--config=configs/screw.py', *{arguments}]
try:
  runpy.run_path('main.py', run_name='__main__')
except SystemExit as error:
  assert error.code in (1, 2)
""")
  assert 'ml_collections' in loaded
  slow = {'jax', 'flax', 'optax', 'orbax', 'matplotlib', 'sklearn', 'scipy'}
  assert not loaded & (slow | TENSORFLOW | {'numpy', 'PIL'})


def test_importing_the_package_imports_nothing_until_a_class_is_used():
  slow = {'jax', 'flax', 'orbax', 'numpy', 'ml_collections'}
  assert not loaded_by('import afgan_jax; dir(afgan_jax)') & slow
  loaded = loaded_by('from afgan_jax import Detector, Prediction')
  assert loaded & slow == {'numpy'}


def test_training_begins_without_what_the_report_takes():
  loaded = loaded_by('import afgan_jax.cli.commands, afgan_jax.training.loop')
  assert 'jax' in loaded
  assert not loaded & {'matplotlib', 'sklearn', 'jinja2'}


def test_nothing_is_unpickled():
  unsafe = {'pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal'}
  for folder in ('afgan_jax', 'datasets', 'configs'):
    for path in files(folder):
      assert not packages(path) & unsafe, path
      text = path.read_text(encoding='utf-8')
      assert 'allow_pickle' not in text and 'np.load(' not in text, path
