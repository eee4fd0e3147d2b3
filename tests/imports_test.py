"""Imports point one way; see the map of the code in the README."""

import ast
import pathlib
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
}


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
  for path in files('configs'):
    assert packages(path) <= {'ml_collections', 'configs'}, path


def test_datasets_import_neither_jax_nor_afgan_jax():
  for path in files('datasets'):
    assert not packages(path) & {'jax', 'flax', 'afgan_jax'}, path
    if path.stem not in TENSORFLOW_MODULES | {'load'}:
      assert not packages(path) & TENSORFLOW, path
      within = {name.removeprefix('datasets.') for name in imports(path)}
      assert not within & TENSORFLOW_MODULES, path


def test_afgan_jax_imports_neither_datasets_nor_tensorflow():
  for path in files('afgan_jax'):
    assert not packages(path) & (TENSORFLOW | {'datasets', 'configs'}), path


@pytest.mark.parametrize(
  ('package', 'unknown'),
  [
    ('networks', ['training', 'detection', 'augment']),
    ('augment', ['networks', 'training', 'detection']),
  ],
)
def test_arrows_within_afgan_jax(package, unknown):
  for path in files(f'afgan_jax/{package}'):
    for other in unknown:
      prefix = f'afgan_jax.{other}'
      assert not any(name.startswith(prefix) for name in imports(path)), path


def test_pmap_and_orbax_stand_in_one_place_each():
  for path in files('afgan_jax'):
    text = path.read_text()
    assert ('jax.pmap(' in text) == (path.name == 'parallel.py'), path
    assert ('orbax' in packages(path)) == (
      path.name in ('checkpoint.py', 'checkpoints.py')
    ), path


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
