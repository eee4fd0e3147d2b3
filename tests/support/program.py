"""main.py in a process of its own, which need not import JAX anew.

A process that has imported all that takes long forks for each run: the same
flags, exit codes and output as of a command, some seconds sooner.
"""

import importlib
import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
SERVER = multiprocessing.get_context('forkserver')
_IMPORTED = 'tests.support.imported'
SERVER.set_forkserver_preload([_IMPORTED])


def run_main(*arguments: str) -> subprocess.CompletedProcess:
  """Runs main.py as on a machine where TensorFlow is not installed."""
  arguments = [str(argument) for argument in arguments]
  with tempfile.TemporaryDirectory() as folder:
    paths = [pathlib.Path(folder, name) for name in ('stdout', 'stderr')]
    process = SERVER.Process(target=_run_here, args=(arguments, *paths))
    process.start()
    process.join()
    # What a file system's names hold is not always text.
    output = [path.read_text(errors='surrogateescape') for path in paths]
    return subprocess.CompletedProcess(arguments, process.exitcode, *output)


def _run_here(arguments: list[str], stdout: pathlib.Path, stderr: pathlib.Path):
  for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, stream.fileno())
  os.chdir(ROOT)
  importlib.import_module(_IMPORTED)  # Done, unless it failed.
  sys.argv = ['main.py', *arguments]
  runpy.run_path('main.py', run_name='__main__')
