import dataclasses
import html.parser
import re
import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest
from ml_collections import ConfigDict

from afgan_jax.metrics import image as measures
from afgan_jax.metrics.evaluation import GOOD, Evaluation
from afgan_jax.metrics.line import line_figures
from afgan_jax.metrics.pixel_curves import PRO_CURVE_FPR
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.gallery import choose, find_outcomes, make_cards
from afgan_jax.report.html import verdict, write_report
from datasets.split import Split

CALIBRATION = Calibration(20, 0.1, 0.1, 0.5, 0.4, 0.1, 7, {})
NASTY = 'test/<script>alert("1")</script>\'&.png'
KIND = '<b>"scratch"'
needs_chromium = pytest.mark.skipif(
  shutil.which('chromium') is None, reason='there is no chromium on the PATH'
)


CONFIG = {
  'a': {'b': None, 'c': [1, 2]},
  'text': '<i>',
  'predict': {'colormap': 'inferno'},
}


def make_images(num_good, num_bad):
  n = num_good + num_bad
  labels = np.repeat([0, 1], [num_good, num_bad])
  masks = np.zeros((n, 16, 16), np.uint8)
  masks[labels == 1, 4:8, 4:8] = 1
  has_mask = np.ones(n, bool)
  if num_bad:
    masks[-1], has_mask[-1] = 0, False
  bad = [KIND if i % 2 else 'dent' for i in range(num_bad)]
  rng = np.random.default_rng(0)
  return Split(
    pixels=rng.integers(0, 255, (n, 16, 16, 3), np.uint8),
    masks=masks,
    has_mask=has_mask,
    paths=(NASTY, *(f'test/{i:03d}.png' for i in range(1, n))),
    defect_types=(*[GOOD] * num_good, *bad),
  )


def make_metrics(test, scores, maps, calibration, baseline):
  types = test.defect_types
  pixel = (maps, test.masks, test.has_mask)
  pixels = measures.pixel_metrics(*pixel)
  curve = pixels.pop('pro_curve')
  return {
    **measures.image_metrics(test.labels, scores),
    **pixels,
    'pro_curves': {
      'fpr': PRO_CURVE_FPR.tolist(),
      'model': curve,
      'gradient': baseline and curve,
    },
    'intervals_95': measures.bootstrap_intervals(test.labels, scores),
    'by_type': measures.metrics_by_type(test.labels, scores, types, *pixel),
    'line': calibration and line_figures(calibration, scores, types),
    'baselines': {'brightness': baseline, 'mean_image': baseline},
    'pixel_baselines': {
      'gradient': baseline and measures.pixel_metrics(*pixel)
    },
    'counts': {
      'train': None,
      'test_good': int(np.sum(test.labels == 0)),
      'test_defective': int(np.sum(test.labels == 1)),
      'test_by_type': dict(Counter(types)),
    },
    'left_out': list(test.left_out),
    'notes': list(test.notes),
    'training': None,
    'pixel_metrics_size': 16,
    'step': 7,
    'seconds': {'scoring': 1.0, 'evaluation': 2.0},
    'config_digest': 'abc123',
    'devices': ['a device'],
    'versions': {'afgan-jax': '9.8.7'},
  }


class Page(html.parser.HTMLParser):
  """Content of the page, and its sentences."""

  def __init__(self, path):
    super().__init__()
    self.elements, self.words, self._open = [], [], []
    self.feed(path.read_text(encoding='utf-8'))

  def handle_starttag(self, tag, attrs):
    self.elements.append((tag, dict(attrs)))
    self._open.append(tag)

  def handle_endtag(self, tag):
    while self._open.pop() != tag:
      pass  # Elements without an end, such as img.

  def handle_data(self, data):
    if self._open and self._open[-1] not in ('script', 'style'):
      self.words.append(data)

  @property
  def text(self):
    return re.sub(r'\s+', ' ', ' '.join(self.words))

  def all(self, tag):
    return [attrs for name, attrs in self.elements if name == tag]

  @property
  def cards(self):
    return [attrs for attrs in self.all('li') if 'data-score' in attrs]


def make_report(
  folder,
  *,
  num_good=8,
  num_bad=9,
  calibration=CALIBRATION,
  baseline=0.25,
  max_images=60,
  left_out=(),
  history=None,
):
  test = make_images(num_good, num_bad)
  test = dataclasses.replace(test, left_out=left_out)
  rng = np.random.default_rng(1)
  scores = rng.random(len(test.labels))
  maps = rng.random(test.masks.shape, np.float32)
  metrics = make_metrics(test, scores, maps, calibration, baseline)
  evaluation = Evaluation(
    ConfigDict(CONFIG),
    test,
    {'score': scores, 'map': maps, 'reconstruction': test.images},
    metrics,
    calibration,
    history or {},
  )
  outcomes = find_outcomes(test.labels, scores, evaluation.threshold)
  cards = make_cards(evaluation, outcomes, max_images=max_images)
  write_report(folder / 'report.html', evaluation, outcomes, cards)
  return folder / 'report.html', metrics


@pytest.mark.parametrize('history', [None, {'loss/$x': ([1, 2], [0.5, 0.4])}])
def test_nothing_comes_from_elsewhere(tmp_path, history):
  path, _ = make_report(tmp_path, history=history)
  page = Page(path)
  for tag, attrs in page.elements:
    for name in ('src', 'href', 'srcset', 'data', 'action', 'poster'):
      assert attrs.get(name, '#').startswith(('data:', '#')), tag
  assert not re.search(r'@import|url\(|//[a-z]', path.read_text())
  pictures = page.all('img')
  # Eight of the seventeen are good, and one has no mask.
  assert len(pictures) == 3 + (history is not None) + 17 * 4 + 8
  for attrs in pictures:
    assert attrs['alt'] and attrs['src'].startswith('data:image/')
  assert list(tmp_path.iterdir()) == [path]


def test_every_number_is_there(tmp_path):
  path, metrics = make_report(tmp_path)
  text = Page(path).text
  values = [
    v for k, v in metrics.items() if k.startswith(('image_', 'pixel_a'))
  ]
  values += [metrics[key] for key in ('aupro_0.3', 'aupro_0.05', 'aupimo')]
  values += metrics['baselines'].values()
  values += [v for pair in metrics['intervals_95'].values() for v in pair]
  for kind in metrics['by_type'].values():
    values += [kind['image_auroc'], kind['pixel_auroc']]
  for value in values:
    assert f'{value:.4f}' in text
  line = metrics['line']
  for value in (
    line['false_reject_rate'],
    *line['missed_rate_by_type'].values(),
  ):
    assert f'{value:.1%}' in text
  assert CALIBRATION.guarantee() in text
  for word in ('a device', '9.8.7', 'abc123', 'a.b', 'not set', '[1, 2]'):
    assert word in text


@pytest.mark.parametrize(
  'options',
  [
    {'num_bad': 0},
    {'num_good': 0},
    {'calibration': None},
    {'baseline': None},
    {'num_bad': 0, 'calibration': None, 'baseline': None},
    {'num_bad': 1},
    {'history': {}},
    {'history': {'loss': ([], [])}},
  ],
)
def test_what_is_missing_is_said_plainly(tmp_path, options):
  path, _ = make_report(tmp_path, **options)
  page = Page(path)
  attributes = [
    value
    for _, attrs in page.elements
    for name, value in attrs.items()
    if name != 'src' and value
  ]
  for text in (page.text, *attributes):
    assert not re.search(r'\b(None|nan|NaN|inf|undefined)\b', text)
  if 'history' not in options:
    assert 'not defined' in page.text


def test_images_that_are_left_out_are_listed(tmp_path):
  path, _ = make_report(tmp_path, left_out=('<b>.png cannot be read', 'c'))
  assert '2 test images could not be read' in Page(path).text
  assert '<b>.png cannot be read' in Page(path).text
  path, _ = make_report(tmp_path)
  assert 'About the images' not in Page(path).text


def test_names_are_text(tmp_path):
  path, _ = make_report(tmp_path)
  page = Page(path)
  assert len(page.all('script')) == 1
  assert not page.all('b') and not page.all('i')
  assert NASTY in page.words and KIND in page.words and '<i>' in page.words
  assert NASTY in [card['data-name'] for card in page.cards]
  assert KIND in [card['data-type'] for card in page.cards]


@pytest.mark.parametrize('max_images', [0, 1, 6, 12, 17, 100])
def test_errors_are_shown_first(max_images):
  labels = np.repeat([0, 1], [8, 9])
  scores = np.random.default_rng(1).random(17)
  outcomes = find_outcomes(labels, scores, 0.5)
  chosen = choose(labels, scores, outcomes, max_images)
  assert len(chosen) == len(set(chosen)) == min(max_images, 17)
  wrong = (scores > 0.5) != labels
  kept = sum(wrong[i] for i in chosen)
  assert kept == min(wrong.sum(), max_images)
  assert all(wrong[chosen[:kept]])


def test_outcomes_by_hand():
  # The threshold itself is not above the threshold.
  outcomes = find_outcomes([1, 0, 1, 0, 1], [0.2, 0.7, 0.9, 0.1, 0.5], 0.5)
  assert outcomes == [
    'missed defect',
    'false alarm',
    'detected defect',
    'true negative',
    'missed defect',
  ]
  assert find_outcomes([1, 0], [0.2, 0.7], None) == ['not defined'] * 2


def test_outcomes_are_counted_and_every_one_has_a_color(tmp_path):
  path, _ = make_report(tmp_path)
  page = Page(path)
  counts = Counter(card['data-outcome'] for card in page.cards)
  assert len(counts) == 4
  style = path.read_text()
  for outcome, count in counts.items():
    plural = '' if count == 1 else 's'
    assert f'{count} of {count} {outcome}{plural}' in page.text
    assert f'.{outcome.replace(" ", "-")} {{' in style


def test_others_are_shared_between_good_and_defective():
  labels = np.repeat([0, 1], [40, 60])
  outcomes = find_outcomes(labels, labels, 0.5)
  chosen = choose(labels, labels, outcomes, 20)
  assert np.bincount(labels[chosen]).tolist() == [10, 10]


def test_gallery_keeps_to_the_limit(tmp_path):
  path, _ = make_report(tmp_path, max_images=5)
  assert len(Page(path).cards) == 5


@pytest.mark.parametrize(
  ('auroc', 'interval', 'words'),
  [
    (0.9, [0.8, 1.0], 'better than .* entirely above the baseline'),
    (0.9, [0.6, 1.0], 'better than .* includes the baseline'),
    (0.7, [0.6, 0.8], 'no better than .* includes the baseline'),
    (0.5, [0.4, 0.6], 'no better than .* entirely below the baseline'),
    (None, None, 'not defined: the test set has no good images'),
  ],
)
@pytest.mark.parametrize('collapsed', [None, 'Training has collapsed.'])
def test_verdict(auroc, interval, words, collapsed):
  sentences = verdict(
    {
      'training': {'collapsed': collapsed, 'losses': {}},
      'image_auroc': auroc,
      'intervals_95': {'image_auroc': interval},
      'baselines': {'brightness': 0.7, 'mean_image': None},
      'pixel_auroc': 0.8,
      'aupro_0.3': None,
      'pixel_baselines': {'gradient': {'pixel_auroc': 0.9, 'aupro_0.3': None}},
      'counts': {'test_good': 0 if auroc is None else 1},
    }
  )
  if collapsed:
    assert sentences.pop(0) == collapsed
  assert re.search(words, sentences[0])
  assert 'no better than the best baseline (gradient' in sentences[1]
  assert 'not defined' in sentences[2]


def browse(path, view, program=''):
  """Returns the page as a browser leaves it, and what the console says."""
  changed = path.with_name('changed.html')
  changed.write_text(path.read_text() + f'<script>{program}</script>')
  flags = ['--headless', '--no-sandbox', '--disable-gpu', '--v=0']
  flags += ['--enable-logging=stderr', '--virtual-time-budget=3000']
  flags += [f'--user-data-dir={path.parent / "profile"}', '--dump-dom']
  result = subprocess.run(
    ['chromium', *flags, changed.as_uri() + view],
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  changed.write_text(result.stdout)
  console = [row for row in result.stderr.splitlines() if ':CONSOLE' in row]
  return Page(changed), console


@needs_chromium
def test_sorting_and_filtering_in_a_browser(tmp_path):
  path, _ = make_report(tmp_path)
  plain = Page(path).cards
  page, console = browse(path, '#sort=score&outcome=missed+defect')
  assert not console
  scores = [float(card['data-score']) for card in page.cards]
  assert scores == sorted(scores, reverse=True) and len(scores) == 17
  shown = [card for card in page.cards if 'hidden' not in card]
  missed = [card for card in plain if card['data-outcome'] == 'missed defect']
  assert shown and len(shown) == len(missed)
  assert all(card['data-outcome'] == 'missed defect' for card in shown)
  assert f'{len(missed)} of 17 shown' in page.text


@needs_chromium
def test_controls_in_a_browser(tmp_path):
  path, _ = make_report(tmp_path)
  assert 'hidden' in Page(path).all('form')[0]  # Of no use without scripts.
  program = """
    form.elements.sort.value = 'name';
    form.elements.type.value = '<b>"scratch"';
    form.dispatchEvent(new Event('change'));
    console.log('done');
  """
  page, console = browse(path, '', program)
  assert len(console) == 1 and 'done' in console[0]
  assert 'hidden' not in page.all('form')[0]
  shown = [card for card in page.cards if 'hidden' not in card]
  names = [card['data-name'] for card in shown]
  assert names == sorted(names) and len(names) == 4
  assert {card['data-type'] for card in shown} == {KIND}
