"""Files and functions stay short enough to be read at a glance."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ('afgan_jax', 'datasets', 'configs')
MAX_FILE, MAX_BODY = 250, 40
# Every field with its comment, in the order in which a person reads them.
LIST = ROOT / 'configs' / 'default.py'


def functions(source):
  """Yields each function's name and the lines of its body, docstring too."""
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      yield node.name, node.end_lineno - node.body[0].lineno + 1


def test_the_lines_of_a_body_are_counted():
  source = 'def f(\n  a,\n):\n  """D.\n\n  E.\n  """\n  # C.\n\n  return a\n'
  source += 'class A:\n  def g(self): pass\n'
  source += '  async def h(self):\n    1\n    2\n'
  assert dict(functions(source)) == {'f': 7, 'g': 1, 'h': 2}


@pytest.mark.parametrize('folder', FOLDERS)
def test_files_are_short(folder):
  paths = [
    path
    for path in (ROOT / folder).rglob('*')
    if path.suffix in ('.py', '.jinja') and path != LIST
  ]
  assert paths
  lengths = {
    str(path.relative_to(ROOT)): len(path.read_text('utf-8').splitlines())
    for path in paths
  }
  assert {p: n for p, n in lengths.items() if n > MAX_FILE} == {}


@pytest.mark.parametrize('folder', FOLDERS)
def test_functions_are_short(folder):
  long = [
    f'{path.relative_to(ROOT)}, {name}: {lines} lines'
    for path in sorted((ROOT / folder).rglob('*.py'))
    for name, lines in functions(path.read_text('utf-8'))
    if lines > MAX_BODY and path != LIST
  ]
  assert long == []
