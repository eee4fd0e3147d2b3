"""A cluster predicts each image once, whatever dies."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs.export import export
from afgan_jax.jobs.predict import Cluster, predict
from afgan_jax.jobs.predict import cluster as cluster_module
from afgan_jax.jobs.predict.remote import find_remote, is_remote
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from tests.support.made_up import part
from tests.support.untrained import untrained_run

pytest.importorskip('distributed')
ROOT = pathlib.Path(__file__).parents[2]
NUM_IMAGES = 60


def start(*arguments):
  return subprocess.Popen(
    [sys.executable, '-m', 'distributed.cli.' + arguments[0], *arguments[1:]],
    cwd=ROOT,
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )


def start_worker(address, folder):
  return start(
    *('dask_worker', address, '--nworkers=1', '--nthreads=1', '--no-dashboard'),
    *('--no-nanny', f'--local-directory={folder}'),
  )


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
  """The address of a scheduler, and its two workers."""
  folder = tmp_path_factory.mktemp('cluster')
  file = folder / 'scheduler.json'
  scheduler = start(
    *('dask_scheduler', '--host=127.0.0.1', '--port=0', '--no-dashboard'),
    *('--no-show', f'--scheduler-file={file}'),
  )
  workers = []
  try:
    begin = time.monotonic()
    while not file.exists():
      assert time.monotonic() < begin + 60 and scheduler.poll() is None
      time.sleep(0.1)
    address = json.loads(file.read_text())['address']
    workers += [start_worker(address, folder) for _ in range(2)]
    yield address, workers, folder
  finally:
    for process in (scheduler, *workers):
      with contextlib.suppress(ProcessLookupError):
        process.kill()
      process.wait()


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  """An exported detector, which loads in less than a second."""
  folder = tmp_path_factory.mktemp('model')
  export(None, untrained_run(folder / 'run'), load, folder / 'model')
  return folder / 'model'


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  folder = tmp_path_factory.mktemp('images')
  for number in range(NUM_IMAGES):
    path = folder / f'{number % 3}' / f'{number:03d}.png'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(part(defect=bool(number % 3))).save(path)
  (folder / '0' / '003.png').write_bytes(b'no image')
  return sorted(map(str, folder.rglob('*.png')))


def rows_of(output):
  text = (output / 'predictions.jsonl').read_text()
  return sorted(map(json.loads, text.splitlines()), key=lambda r: r['path'])


def on_cluster(address, model, **given):
  cluster = Cluster(address, model, batch_size=4, **given)
  return {'predict_rows': cluster.predict_rows}


@pytest.mark.training
def test_rows_are_those_of_one_process(cluster, model, images, tmp_path):
  detector = Detector.load(model)
  assert predict(detector, images, tmp_path / 'one') == 1
  options = on_cluster(cluster[0], model)
  assert predict(detector, images, tmp_path / 'two', **options) == 1
  one, two = rows_of(tmp_path / 'one'), rows_of(tmp_path / 'two')
  for a, b in zip(one, two, strict=True):
    if a['error'] is None:
      # The last bit depends on the batch in onnxruntime.
      assert b['score'] == pytest.approx(a.pop('score'), rel=1e-6)
      assert b['probability'] == pytest.approx(a.pop('probability'), rel=1e-5)
      b = {name: b[name] for name in a}
    assert a == b
  pictures = [
    sorted(str(p.relative_to(x)) for p in (x / 'overlays').rglob('*.*'))
    for x in (tmp_path / 'one', tmp_path / 'two')
  ]
  assert pictures[0] == pictures[1]


@pytest.mark.training
def test_a_killed_worker_loses_no_image(cluster, model, images, tmp_path):
  address, workers, folder = cluster
  detector = Detector.load(model)
  predicted = on_cluster(address, model)['predict_rows']

  def kill_after_some(*arguments):
    for number, row in enumerate(predicted(*arguments)):
      if number == 5:
        workers[0].send_signal(signal.SIGKILL)
      yield row

  try:
    failed = predict(
      detector, images, tmp_path / 'out', predict_rows=kill_after_some
    )
  finally:
    workers[0].wait()
    workers[0] = start_worker(address, folder)
  assert failed == 1
  assert [row['path'] for row in rows_of(tmp_path / 'out')] == images


@pytest.mark.training
def test_resume_after_the_driver_stopped(cluster, model, images, tmp_path):
  detector = Detector.load(model)
  predicted = on_cluster(cluster[0], model)['predict_rows']

  def stop_after_some(*arguments):
    for number, row in enumerate(predicted(*arguments)):
      if number == 20:
        raise RuntimeError('stopped')
      yield row

  with pytest.raises(RuntimeError):
    predict(detector, images, tmp_path / 'out', predict_rows=stop_after_some)
  some = rows_of(tmp_path / 'out')
  assert len(some) == 20
  options = on_cluster(cluster[0], model)
  predict(detector, images, tmp_path / 'out', resume=True, **options)
  every = rows_of(tmp_path / 'out')
  assert [row['path'] for row in every] == images
  kept = [row for row in some if row['error'] is None]
  assert all(row in every for row in kept)


@pytest.mark.training
def test_addresses_are_fetched_by_the_workers(cluster, model, images, tmp_path):
  folder = pathlib.Path(images[0]).parents[1]
  addresses = find_remote(f'file://{folder}')
  assert addresses == [f'file://{path}' for path in images]
  detector = Detector.load(model)
  predict(detector, images, tmp_path / 'near')
  options = on_cluster(cluster[0], model)
  assert predict(detector, addresses, tmp_path / 'far', **options) == 1
  near, far = rows_of(tmp_path / 'near'), rows_of(tmp_path / 'far')
  for a, b in zip(near, far, strict=True):
    assert b['path'] == f'file://{a["path"]}'
    assert (b['verdict'], b['bytes']) == (a['verdict'], a['bytes'])
  bad = next(row for row in far if row['error'])
  assert bad['error'].startswith(f'{bad["path"]} cannot be read')
  overlay = tmp_path / 'far' / 'overlays' / '1'
  assert len(list(overlay.iterdir())) == NUM_IMAGES // 3


@pytest.mark.training
def test_what_is_not_there_is_told(cluster, model, images, tmp_path):
  detector = Detector.load(model)
  options = on_cluster('tcp://127.0.0.1:9', model, wait_seconds=1)
  with pytest.raises(UsageError, match='No scheduler answers at tcp://127'):
    predict(detector, images, tmp_path / 'out', **options)
  options = on_cluster(cluster[0], tmp_path / 'nowhere')
  with pytest.raises(UsageError, match='nowhere'):
    predict(detector, images, tmp_path / 'new', **options)


@pytest.mark.parametrize(
  'given, in_tiles, sizes',
  [(None, False, [5, 2]), (3, False, [3, 3, 1]), (None, True, [1] * 7)],
)
def test_a_task_is_a_batch_of_the_networks(
  monkeypatch, tmp_path, given, in_tiles, sizes
):
  # JAX fills up smaller ones, and an image in tiles may take seconds.
  geometry = types.SimpleNamespace(in_tiles=in_tiles)
  detector = types.SimpleNamespace(
    preprocessor=types.SimpleNamespace(geometry=geometry),
    config=types.SimpleNamespace(score=types.SimpleNamespace(batch_size=5)),
  )
  found = []
  monkeypatch.setattr(Cluster, '_connect', lambda *_: contextlib.nullcontext())
  monkeypatch.setattr(cluster_module, 'model_of', lambda _: 'model')
  monkeypatch.setattr(
    cluster_module, '_rows', lambda *given: found.extend(given[3]) or ()
  )
  paths = [f'{number}.png' for number in range(7)]
  cluster = Cluster('tcp://nowhere:1', tmp_path, batch_size=given)
  assert list(cluster.predict_rows(detector, paths, tmp_path, '')) == []
  assert [len(batch) for batch in found] == sizes
  assert sum(found, []) == paths


def test_addresses_are_told_from_paths(tmp_path):
  assert is_remote('s3://bucket/a.png') and is_remote('memory://a')
  assert not is_remote('/a/b.png') and not is_remote('C:/a.png')
  with pytest.raises(DataError, match='there is no image'):
    find_remote(f'file://{tmp_path}/none')
  with pytest.raises(DataError, match='cannot be listed'):
    find_remote('nonsense://bucket/a')
