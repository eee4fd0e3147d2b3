import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from afgan_jax.augment.canvas import Canvas
from afgan_jax.augment.probe import KINDS, probe
from afgan_jax.checkpoints.store import restore
from afgan_jax.cli import commands as modes
from afgan_jax.jobs.probes import SEEDS, count_probes, make_probes
from afgan_jax.jobs.validation_text import summary
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.score import score_images
from tests.support.tiny import tiny_config

FIELDS = {
  'calibration.fraction': 0.2,
  'num_epochs': 1,
  'data.procedural.num_train': 10,
}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Trains without a look at the test set."""
  workdir = tmp_path_factory.mktemp('blind')
  modes.train(tiny_config(**FIELDS), workdir, load, measure='validation')
  return workdir


def test_blind_training_leaves_the_test_set_unread(run):
  assert (run / 'validation.json').exists()
  assert (run / 'calibration.json').exists()
  assert not (run / 'metrics.json').exists()


def test_figures_are_those_of_scikit_learn(run):
  figures = json.loads((run / 'validation.json').read_text())
  config, state = restore(run)
  train, held_out = load.load_train(config)
  assert figures['counts']['held_out'] == len(held_out) == 2
  good = score_images(config, state, held_out.pixels)
  aurocs, brightness, found_by_group = [], [], {True: [], False: []}
  for probes in make_probes(held_out.pixels, None, held_out.native):
    kind, images, masks = probes.kind, probes.pixels, probes.masks
    defective = score_images(config, state, images)
    labels = [0] * len(good['score']) + [1] * len(images)
    scores = np.concatenate([good['score'], defective['score']])
    aurocs.append(roc_auc_score(labels, scores))
    found = figures['by_kind'][kind]
    assert found['image_auroc'] == pytest.approx(aurocs[-1])
    truth = np.concatenate([np.zeros_like(good['map'], bool), masks])
    maps = np.concatenate([good['map'], defective['map']])
    assert found['pixel_auroc'] == pytest.approx(
      roc_auc_score(truth.ravel(), maps.ravel()), abs=1e-6
    )
    means = [
      to_bytes(x).mean(axis=(1, 2, 3)) for x in (held_out.pixels, images)
    ]
    for group, values in found_by_group.items():
      values += defective['score'][probes.visible == group].tolist()
    brightness.append(roc_auc_score(labels, np.concatenate(means)))
  assert figures['image_auroc'] == pytest.approx(np.mean(aurocs))
  assert figures['baselines']['brightness'] == pytest.approx(
    np.mean(brightness)
  )
  threshold = json.loads((run / 'calibration.json').read_text())['threshold']
  for name, group in (('visible', True), ('faint', False)):
    values, of_group = found_by_group[group], figures['groups'][name]
    assert of_group['num_images'] == len(values) > 0
    labels = [0] * 2 + [1] * len(values)
    assert of_group['image_auroc'] == pytest.approx(
      roc_auc_score(labels, [*good['score'], *values])
    )
    missed = np.mean(np.array(values) <= threshold)
    assert of_group['missed_rate'] == pytest.approx(missed)
    assert set(of_group['image_auroc_by_seed']) <= {str(s) for s in SEEDS}


def test_probes_are_the_same_each_time_and_small_and_marked():
  # At 16 px the smallest are smaller than a pixel, and left out.
  _, held_out = load.load_train(tiny_config(**FIELDS, image_size=32))
  first, second = (list(make_probes(held_out.pixels)) for _ in range(2))
  assert [probes.kind for probes in first] == list(KINDS)
  for probes, again in zip(first, second, strict=True):
    defective, masks = probes.pixels, probes.masks
    np.testing.assert_array_equal(defective, again.pixels)
    assert count_probes(2) / 16 < len(defective) <= count_probes(2) / 4
    assert masks.any(axis=(1, 2)).all()
    assert masks.mean() < 0.3
    # What is not marked is that of one of the two images, but for a little.
    change = [np.abs(defective.astype(float) - x) for x in held_out.pixels]
    change = [c.max(axis=-1) for c in change]
    outside = np.min([(c * ~masks).max(axis=(1, 2)) for c in change], axis=0)
    assert outside.max() < 0.04 * 2 * np.pi * 127.5 * 1.1


def test_without_held_out_images_nothing_is_trained(tmp_path):
  config = tiny_config()
  with pytest.raises(UsageError, match='config.calibration.fraction'):
    modes.train(config, tmp_path / 'run', load, measure='validation')
  assert not (tmp_path / 'run').exists()


def _folder(path, sizes):
  rng = np.random.default_rng(0)
  folder = path / 'train' / 'good'
  folder.mkdir(parents=True)
  for number, (width, height) in enumerate(sizes):
    rows, columns = np.mgrid[:height, :width]
    grey = 90 + 40 * (rows > height / 2) + rng.normal(0, 3, (height, width))
    image = np.stack([grey, grey + columns % 7, grey], axis=-1)
    Image.fromarray(image.astype(np.uint8)).save(folder / f'{number}.png')


def test_defects_are_drawn_before_images_are_reduced(tmp_path):
  _folder(tmp_path, [(96, 64), (70, 90), (64, 64)])
  fields = {'data.source': 'folder', 'data.path': str(tmp_path)}
  by_size = {}
  for size in (16, 32):
    config = tiny_config(image_size=size, **fields)
    split, _ = load.load_train(config)
    unchanged = [read() for read in split.native]
    for image, square in zip(unchanged, split.pixels, strict=True):
      none = np.zeros(image.pixels.shape[:2], bool)
      reduced = image.reduce(image.pixels, none)
      np.testing.assert_array_equal(reduced.pixels, square)
    by_size[size] = list(make_probes(split.pixels, None, split.native))
  for small, large in zip(by_size[16], by_size[32], strict=True):
    # The same defects at each size of the networks.
    a, b = (
      dict.fromkeys(zip(x.sources, x.seeds, x.visible, strict=True))
      for x in (small, large)
    )
    assert set(a) <= set(b)
    assert small.visible.any() or small.kind != 'missing'
    shares = [x.masks[x.visible].mean() for x in (small, large)]
    assert shares[0] == pytest.approx(shares[1], rel=0.35)


def test_defects_of_an_image_do_not_depend_on_the_other_images():
  _, held_out = load.load_train(tiny_config(**FIELDS, image_size=32))
  pixels = np.repeat(held_out.pixels, 12, axis=0)
  pixels[2:] += np.arange(22)[:, None, None, None]  # No two are equal.
  pixels = np.clip(pixels, 0, 255)
  for all_of, some in zip(
    make_probes(pixels), make_probes(pixels[::-1]), strict=True
  ):
    of_first = [x.pixels[x.sources == i] for x, i in ((all_of, 0), (some, 23))]
    np.testing.assert_array_equal(*of_first)


@pytest.mark.parametrize(
  ('side', 'step', 'noise', 'visible'),
  [
    (12, 40, 4, True),
    (12, 40, 40, False),  # Lost in the texture.
    (4, 40, 4, False),  # 0.1 % of the image.
  ],
)
def test_a_defect_is_visible_by_its_area_and_contrast(
  side, step, noise, visible, monkeypatch
):
  rng = np.random.default_rng(0)
  image = 100 + rng.normal(0, noise, (128, 128, 1)).repeat(3, axis=2)
  window = (slice(40, 40 + side), slice(50, 50 + side))
  draw = {'square': lambda *_: (window, image[window] + step)}
  monkeypatch.setattr('afgan_jax.augment.probe.KINDS', draw)
  found = probe('square', rng, Canvas(image))
  # The smoothing of the change adds no pixel outside of it.
  assert found.area == pytest.approx(side**2 / 128**2, rel=0.05)
  assert found.contrast == pytest.approx(step / noise, rel=0.15)
  assert found.visible == visible


def test_tradeoff_lists_what_each_threshold_misses(run):
  figures = json.loads((run / 'validation.json').read_text())
  config, state = restore(run)
  _, held_out = load.load_train(config)
  good = score_images(config, state, held_out.pixels)['score']
  scores = {True: [], False: []}
  for probes in make_probes(held_out.pixels, None, held_out.native):
    found = score_images(config, state, probes.pixels)['score']
    for group, values in scores.items():
      values += found[probes.visible == group].tolist()
  # Two good images promise a rate of a third at best, and no law for the tail.
  (row,) = figures['tradeoff']
  assert row['method'] == 'conformal'
  assert row['false_reject_rate'] == pytest.approx(1 / 3)
  assert row['threshold'] == pytest.approx(max(good), rel=1e-6)
  for name, group in (('visible', True), ('faint', False)):
    missed = np.mean(np.array(scores[group]) <= row['threshold'])
    assert row['missed_rate'][name] == pytest.approx(missed)
  text = summary(figures)
  assert 'anybody could see' in text and 'present' in text


def test_report_shows_the_tradeoff(run):
  modes.evaluate(None, run, load)
  html = (run / 'report.html').read_text()
  assert 'Other thresholds' in html and '33.33%' in html
  metrics = json.loads((run / 'metrics.json').read_text())
  assert metrics['intervals_over'] == 'images' and metrics['drift'] == ''


@pytest.mark.parametrize('normalize', [False, True])
def test_defects_of_generated_images_are_added_to_what_networks_see(normalize):
  config = tiny_config(
    **{'image_size': 32, 'data.normalize_brightness': normalize, **FIELDS}
  )
  _, split = load.load_train(config)
  for read, square in zip(split.native, split.pixels, strict=True):
    image = read()
    assert image.pixels.shape == (256, 256, 3)
    nowhere = np.zeros((256, 256), bool)
    same = image.reduce(image.pixels, nowhere)
    np.testing.assert_array_equal(same.pixels, square)
    changed, mask = image.pixels.copy(), nowhere.copy()
    changed[64:128, 32:96] //= 2
    mask[64:128, 32:96] = True
    found = image.reduce(changed, mask)
    rows, columns = np.nonzero(found.mask)
    assert (rows.min(), rows.max()) == (8, 15)
    assert (columns.min(), columns.max()) == (4, 11)
    if normalize:
      continue  # The light of all pixels follows the defect.
    # Eight pixels are one: the mean of the change is added to the grain.
    change = changed.astype(float) - image.pixels
    mean = change[80:88, 48:56].mean(axis=(0, 1))
    got = found.pixels[10, 6].astype(float) - square[10, 6]
    assert got == pytest.approx(mean, abs=6)  # The filter is a triangle.
    np.testing.assert_array_equal(found.pixels[20:], square[20:])


@pytest.mark.training
def test_defects_are_the_same_at_every_size_of_the_networks():
  by_size = {}
  for size in (16, 32):
    _, split = load.load_train(tiny_config(**FIELDS, image_size=size))
    # The kind and number of defects follow the images at their own size.
    found = make_probes(split.pixels, None, split.native, keep_own=True)
    by_size[size] = list(found)
  for small, large in zip(by_size[16], by_size[32], strict=True):
    assert len(small) == len(large) == len(small.own)
    np.testing.assert_array_equal(small.areas, large.areas)
    for index, (a, b) in enumerate(zip(small.own, large.own, strict=True)):
      mask = a.image(None).mask
      np.testing.assert_array_equal(mask, b.image(None).mask)
      assert mask.mean() == pytest.approx(small.areas[index])


@pytest.mark.training
def test_pixels_of_synthetic_defects_at_the_size_of_the_images(run, tmp_path):
  copy = tmp_path / 'run'
  shutil.copytree(run, copy)
  config, state = restore(run)
  config.metrics.pixels = 'own'
  modes.validate(config, copy, load)
  figures = json.loads((copy / 'validation.json').read_text())
  assert figures['pixel_metrics_size'] is None
  assert figures['own_size']['largest'] == [256, 256]
  before = json.loads((run / 'validation.json').read_text())
  assert before['pixel_metrics_size'] == 16 and before['own_size'] is None
  # More defects: those that are too small for the networks count as well.
  for kind, count in before['counts']['by_kind'].items():
    assert figures['counts']['by_kind'][kind] >= count
  _, held_out = load.load_train(config)
  good = score_images(config, state, held_out.pixels)['map']
  frames = [read().frame for read in held_out.own]
  clean = [x.restore(m).ravel() for x, m in zip(frames, good, strict=True)]
  for probes in make_probes(
    held_out.pixels, None, held_out.native, keep_own=True
  ):
    maps = score_images(config, state, probes.pixels)['map']
    truth, values = [], []
    for own, found in zip(probes.own, maps, strict=True):
      image = own.image(None)
      truth.append(image.mask.ravel())
      values.append(image.frame.restore(found).ravel())
    labels = np.concatenate([np.zeros_like(c, np.uint8) for c in clean] + truth)
    want = roc_auc_score(labels, np.concatenate(clean + values))
    found = figures['by_kind'][probes.kind]
    error = figures['own_size']['largest_errors']['pixel_auroc']
    assert abs(found['pixel_auroc'] - want) <= error + 1e-9


def test_missed_defects_are_listed_by_size(run):
  figures = json.loads((run / 'validation.json').read_text())
  config, state = restore(run)
  _, held_out = load.load_train(config)
  values, areas = [], []
  for probes in make_probes(held_out.pixels, None, held_out.native):
    values += score_images(config, state, probes.pixels)['score'].tolist()
    areas += probes.areas.tolist()
  values, areas = np.array(values), np.array(areas)
  (row,) = figures['tradeoff']
  edges = (0, 0.001, 0.003, 0.01, 1)
  for (name, found), low, high in zip(
    row['missed_by_size'].items(), edges[:-1], edges[1:], strict=True
  ):
    chosen = values[(areas >= low) & (areas < high)]
    want = np.mean(chosen <= row['threshold']) if len(chosen) else None
    assert found == (None if want is None else pytest.approx(want)), name
  assert '1 % or more' in summary(figures)


def test_calibration_lists_what_other_thresholds_cost(run, tmp_path, capsys):
  copy = tmp_path / 'run'
  shutil.copytree(run, copy)
  modes.calibrate(None, copy, load, None)
  out = capsys.readouterr().out
  assert 'missed: visible' in out and '33.33%' in out
  # They are those of other scores.
  config, _ = restore(run)
  config.score.image = 'max'
  modes.calibrate(config, copy, load, None)
  assert 'missed: visible' not in capsys.readouterr().out
