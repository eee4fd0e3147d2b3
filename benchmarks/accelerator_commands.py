"""Defines the commands of each part of `accelerator.py`."""

import argparse
import pathlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator

from benchmarks.accelerator_results import (
  compare_scores,
  read_benchmark,
  read_comparison,
  read_run,
  read_validation,
)

ROOT = pathlib.Path(__file__).parents[1]
# Name, command line, and function that reads a row from its output; without
# one, the command prints its rows on stdout as lines of JSON.
Command = tuple[str, list[str], Callable[[str], dict] | None]
_TINY = (
  '--config.image_size=32',
  '--config.generator.base_features=4',
  '--config.generator.max_features=8',
  '--config.discriminator.max_features=8',
  '--config.segmentation.max_features=8',
  '--config.segmentation.num_levels=3',
  '--config.batch_size=4',
)


def commands(
  part: str, args: argparse.Namespace, output: pathlib.Path
) -> Iterator[Command]:
  """Yields the commands of a part.

  Args:
    part: its name.
    args: flags of `accelerator.py`.
    output: folder of the results; runs are trained in `work/` in it.
  """
  python, here = sys.executable, str(pathlib.Path(__file__).parent)
  size = ['--tiny'] if args.tiny else []
  if part in ('machine', 'agreement', 'steps', 'batches', 'repeat'):
    worker = [python, f'{here}/accelerator_parts.py', part, *size]
    yield part, worker, None
  elif part in ('pytorch', 'compiled'):
    compare = [python, f'{here}/compare_pytorch.py', '--rounds=3', '--steps=5']
    if args.tiny:
      compare += ['--image_size=32', '--base_features=4', '--batch_size=4']
    else:
      compare += ['--batch_size=64']
    runs = {
      'pytorch': {
        'train float32': [],
        'train bfloat16': ['--dtype=bfloat16'],
        'score float32': ['--mode=score'],
      },
      'compiled': {
        'train bfloat16, compiled': ['--dtype=bfloat16', '--compile'],
        'train float32, compiled': ['--compile'],
      },
    }[part]
    for name, flags in runs.items():
      yield name, [*compare, *flags], read_comparison
  elif part == 'flags':
    yield from _flags(args)
  else:
    yield from _training(part, args, output)


def _flags(args: argparse.Namespace) -> Iterator[Command]:
  """Yields the commands that compile with different flags of XLA."""
  program = [sys.executable, f'{ROOT}/main.py', '--mode=benchmark']
  program += ['--config=configs/default.py', *(_TINY if args.tiny else ())]
  # Triton's products are tried in many forms for each product.
  for flags in ('', '--xla_gpu_enable_triton_gemm=false'):
    environment = ['env', f'XLA_FLAGS={flags}', 'JAX_COMPILATION_CACHE_DIR=']
    yield f'XLA_FLAGS={flags}', [*environment, *program], read_benchmark


def _training(
  part: str, args: argparse.Namespace, output: pathlib.Path
) -> Iterator[Command]:
  """Yields the commands of the parts that train on images."""
  screw, plus = 'configs/screw.py', 'configs/plus/mvtec_ad.py:screw'
  no_lat = '--config.loss.discriminator_latent_weight=0'
  first = {'configs/screw.py, float32': (screw, 'float32')}
  runs = {
    'screw': first,
    'checks': first,
    'plus': {'configs/plus at 256 px, float32': (plus, 'float32')},
    'more': {
      'configs/screw.py, bfloat16': (screw, 'bfloat16'),
      'L_lat in the generator alone, bfloat16': (screw, 'bfloat16', no_lat),
      'configs/plus at 256 px, bfloat16': (plus, 'bfloat16'),
    },
  }[part]
  for name, (config, dtype, *fields) in runs.items():
    workdir = output / 'work' / re.sub(r'\W+', '_', name)
    program = [sys.executable, f'{ROOT}/main.py', f'--workdir={workdir}']
    fields = [
      f'--config={config}',
      f'--config.data.path={args.data.absolute()}',
      f'--config.dtype={dtype}',
      *fields,
      '--config.checkpoint.max_to_keep=1',
      # Only the metrics are needed; a checkpoint takes 0.6 GB.
      '--config.checkpoint.every_epochs=1000000',
    ]
    if args.tiny:
      fields += [*_TINY, '--config.num_epochs=1']
      fields += ['--config.num_steps=4'] if config == plus else []
    if part == 'checks':
      yield from _checks(workdir, program, fields)
      continue
    # A finished run would not be trained, so not be timed.
    shutil.rmtree(workdir, ignore_errors=True)
    yield (
      name,
      [*program, *fields],
      lambda text, w=workdir: read_run(w, text),
    )


def _checks(
  workdir: pathlib.Path, program: list[str], fields: list[str]
) -> Iterator[Command]:
  """Yields the commands that check a trained model."""
  evaluate = [*program, '--mode=evaluate']
  yield (
    'scored on the processor, against the accelerator',
    ['env', 'JAX_PLATFORMS=cpu', *evaluate, f'--output={workdir}/cpu'],
    lambda text: compare_scores(workdir, workdir / 'cpu'),
  )
  yield (
    'products in full float32, against the processor',
    [
      'env',
      'JAX_DEFAULT_MATMUL_PRECISION=highest',
      *evaluate,
      f'--output={workdir}/exact',
    ],
    lambda text: compare_scores(workdir / 'exact', workdir / 'cpu'),
  )
  for score in ('max', 'paper'):
    yield (
      f'synthetic defects, config.score.image={score}',
      [*program, *fields, f'--config.score.image={score}', '--mode=validate'],
      lambda text: read_validation(workdir),
    )
