"""Compares the speed of JAX and PyTorch on the same training or scoring.

  pip install -c constraints.txt -e '.[torch]'
  PYTHONPATH=. python benchmarks/compare_pytorch.py --mode=train --batch_size=8

Each runs in its own process; they take turns, so that changes of the machine's
speed affect both. The work is that of `--mode=benchmark`: whole optimizer steps
of generator and discriminator on random images in memory, or the scores of a
batch. The PyTorch networks are those that the tests compare with ours
(`tests/torch_twin.py`), channels last; our scoring also computes the anomaly
map.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from afgan_jax.config.schema import METHODS


def main() -> None:
  """Prints a line for each round on stderr and one JSON line on stdout."""
  args = _parse(sys.argv[1:])
  if args.worker:
    _work(args)
    return
  if importlib.util.find_spec('torch') is None:
    sys.exit(
      "PyTorch is not installed: pip install -c constraints.txt -e '.[torch]'"
    )
  workers = {name: _start(name) for name in ('jax', 'torch')}
  # One after the other, since both use all cores to start.
  devices = {name: _ask(worker) for name, worker in workers.items()}
  print(
    f'ours on {devices["jax"]}, PyTorch on {devices["torch"]}', file=sys.stderr
  )
  medians = _time_rounds(workers, args.rounds)
  for worker in workers.values():
    worker.stdin.close()
    worker.wait()
  ratios = [
    ours / theirs for ours, theirs in zip(*medians.values(), strict=True)
  ]
  fields = vars(args)
  del fields['worker']
  print(
    json.dumps(
      fields
      | {'devices': devices}
      | {
        'seconds_per_step': {
          name: statistics.median(values) for name, values in medians.items()
        },
        'ratio': statistics.median(ratios),
        'ratio_min': min(ratios),
        'ratio_max': max(ratios),
      }
    )
  )


def _time_rounds(
  workers: dict[str, subprocess.Popen], rounds: int
) -> dict[str, list[float]]:
  """Returns the median seconds of a step in each round, by worker."""
  medians = {name: [] for name in workers}
  for _ in range(rounds):
    for name, worker in workers.items():
      medians[name].append(statistics.median(_ask(worker)))
    ours, theirs = medians['jax'][-1], medians['torch'][-1]
    print(
      f'ours {ours:.4f} s, PyTorch {theirs:.4f} s, ratio {ours / theirs:.3f}',
      file=sys.stderr,
    )
  return medians


def _parse(arguments: list[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--mode', choices=['train', 'score'], default='train')
  parser.add_argument(
    '--method',
    default='afgan',
    choices=METHODS,
    help='afgan, or a method of Table 2, with --mode=train',
  )
  parser.add_argument('--image_size', type=int, default=256)
  parser.add_argument('--base_features', type=int, default=64)
  parser.add_argument('--batch_size', type=int, default=8)
  parser.add_argument(
    '--dtype', choices=['float32', 'bfloat16'], default='float32'
  )
  parser.add_argument(
    '--compile', action='store_true', help='compile the PyTorch side too'
  )
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=3, help='of each round')
  parser.add_argument('--worker', help=argparse.SUPPRESS)
  args = parser.parse_args(arguments)
  if args.method != 'afgan' and (
    args.mode == 'score' or args.compile or args.dtype != 'float32'
  ):
    parser.error('--method is compared in training, eager, in float32.')
  if args.mode == 'score' and args.dtype != 'float32':
    parser.error('--mode=score needs --dtype=float32: our scores are float32.')
  return args


def _start(name: str) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, *sys.argv, f'--worker={name}'],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )


def _ask(worker: subprocess.Popen):
  """Requests the next round from a worker and returns its answer."""
  worker.stdin.write('\n')
  worker.stdin.flush()
  answer = worker.stdout.readline()
  if not answer:
    sys.exit('A worker ended early; its error is above.')
  return json.loads(answer)


def _work(args: argparse.Namespace) -> None:
  """Prepares at the first request, then times some steps at each request."""
  sys.stdin.readline()
  prepare = {'jax': _prepare_jax, 'torch': _prepare_torch}[args.worker]
  device, time_steps = prepare(args)
  time_steps(3)  # Compiles, or chooses algorithms.
  print(json.dumps(device), flush=True)
  for _ in sys.stdin:
    print(json.dumps(time_steps(args.steps)), flush=True)


def _timer(
  step: Callable[[], None], wait: Callable[[], None]
) -> Callable[[int], list[float]]:
  def time_steps(count: int) -> list[float]:
    seconds = []
    for _ in range(count):
      wait()
      begin = time.perf_counter()
      step()
      wait()
      seconds.append(time.perf_counter() - begin)
    return seconds

  return time_steps


def _pixels(args: argparse.Namespace) -> np.ndarray:
  shape = (args.batch_size, args.image_size, args.image_size, 3)
  return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _prepare_jax(args: argparse.Namespace):
  """Returns the device's name and a function that times steps of JAX."""
  from afgan_jax.system import cpu as cpu_runtime

  cpu_runtime.prepare()
  import jax

  from afgan_jax import devices as parallel
  from afgan_jax.benchmark.run import clean_batch
  from afgan_jax.scoring import map_score
  from afgan_jax.training import programs

  config = _config(args)
  config.dtype = args.dtype
  device = jax.devices()[:1]
  state = programs.create_state(config, device)
  result = None
  if args.mode == 'score':
    variables, images = (
      state.scoring_variables,
      parallel.shard(_pixels(args), device),
    )
    score = map_score(config, device)

    def step() -> None:
      nonlocal result
      result = score(variables, images)

  else:
    batch = clean_batch(_pixels(args), device)
    train = programs.map_train_step(config, device)

    # CBiGAN updates its critic and the others in turns.
    num_steps = 2 if args.method == 'cbigan' else 1

    def step() -> None:
      nonlocal result, state
      for _ in range(num_steps):
        state, result = train(state, batch)

  return device[0].device_kind, _timer(
    step, lambda: jax.block_until_ready(result)
  )


def _prepare_torch(args: argparse.Namespace):
  """Returns the device's name and a function that times steps of PyTorch."""
  import torch

  torch.manual_seed(0)
  torch.backends.cudnn.benchmark = True
  # TensorFloat-32, as JAX uses by default on a GPU.
  torch.set_float32_matmul_precision('high')
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  place = {'device': device, 'memory_format': torch.channels_last}
  image = torch.from_numpy(_pixels(args)).permute(0, 3, 1, 2).float()
  image = (image / 127.5 - 1).to(**place)
  if args.method == 'afgan':
    step = _make_afgan(args, image, place)
  else:
    from benchmarks.torch_methods import make_train

    step = make_train(_config(args), image)
  if args.compile:
    step = torch.compile(step)
  wait = torch.cuda.synchronize if device == 'cuda' else lambda: None
  name = torch.cuda.get_device_name() if device == 'cuda' else 'cpu'
  return name, _timer(step, wait)


def _make_afgan(args: argparse.Namespace, image, place) -> Callable[[], None]:
  """Returns a step of AFGAN in PyTorch."""
  import torch

  from benchmarks import torch_steps
  from tests.torch_twin import Discriminator, Generator

  size = args.image_size, args.base_features, 512
  networks = (
    Generator('aff', *size).to(**place),
    Discriminator(*size).to(**place),
  )
  make = (
    torch_steps.make_train if args.mode == 'train' else torch_steps.make_score
  )
  return make(
    *networks,
    image,
    lambda: torch.autocast(
      place['device'], torch.bfloat16, enabled=args.dtype == 'bfloat16'
    ),
  )


def _config(args: argparse.Namespace):
  """Returns the config of the method at the given size."""
  from benchmarks.workload import method_config, paper_config

  size = args.image_size, args.base_features, args.batch_size
  if args.method == 'afgan':
    return paper_config(*size)
  return method_config(args.method, *size)


if __name__ == '__main__':
  main()
