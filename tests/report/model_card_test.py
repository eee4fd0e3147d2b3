"""Compares model cards with hand-written expectations."""

import ast
import copy
import pathlib
import re

import numpy as np
import pytest

from afgan_jax.config.schema import METHODS
from afgan_jax.metrics.fit_threshold import fit
from afgan_jax.report.model_card import model_card
from tests.support.tiny import tiny_config

REPORT = pathlib.Path(__file__).parents[2] / 'afgan_jax' / 'report'

CONFIG = {
  'method': 'afgan',
  'image_size': 64,
  'tile_size': 64,
  'batch_size': 16,
  'data': {
    'source': 'folder',
    'path': '/home/anna/secret project/Gehäuse',
    'category': '',
    'geometry': 'stretch',
    'roi': '',
    'part': '',
  },
  'augmentation': {'kind': 'cut_paste', 'area_ratio': [0.01, 0.15]},
  'optimizer': {'average': 0.99},
  'score': {'image': 'top_k', 'top_k': 30, 'map': 'mix', 'smoothing': 1 / 64},
}
# Of the demo.
METRICS = {
  'image_auroc': 0.97125,
  'image_average_precision': 0.9849834102746543,
  'image_f1_max': 0.9516129032258065,
  'pixel_auroc': 0.9259362822672922,
  'pixel_average_precision': 0.5570961548361669,
  'aupro_0.3': 0.7354304045902268,
  'aupro_0.05': 0.407276129892684,
  'aupimo': 0.3101348151250806,
  'intervals_95': {'image_auroc': [0.9316666666666666, 0.9975]},
  'by_type': {
    'bent_edge': {'image_auroc': 0.97916666, 'pixel_auroc': 0.90475928},
    'dent': {'image_auroc': 0.9125, 'pixel_auroc': 0.91269800},
  },
  'line': {
    'threshold': 0.0441901870071888,
    'threshold_source': 'calibrated on 51 images of /home/anna/good',
    'false_reject_rate': 0.075,
    'missed_rate': 0.08333333333333333,
    'missed_rate_by_type': {'bent_edge': 0.16666666, 'dent': 0.08333333},
  },
  'baselines': {
    'brightness': 0.47333333,
    'mean_image': 0.62583333,
    'nearest_image': 0.64791666,
  },
  'pixel_baselines': {
    'gradient': {'pixel_auroc': 0.6813167, 'aupro_0.3': 0.30426801},
    'mean_image': None,
  },
  'counts': {
    'train': 205,
    'test_good': 40,
    'test_defective': 24,
    'test_by_type': {'bent_edge': 12, 'dent': 12, 'good': 40},
    'test_trained_on': 0,
  },
  'left_out': [],
  'leak': None,
  'notes': [],
  'training': {'collapsed': None},
  'pixel_metrics_size': 64,
  'step': 800,
  'config_digest': '13ecd099dd117d67',
  'devices': ['cpu'],
  'versions': {'afgan-jax': '0.1.0', 'numpy': '2.4.6'},
}
CALIBRATION = {
  'num_images': 51,
  'false_reject_rate': 0.08,
  'promised_rate': 4 / 52,
  'threshold': 0.0441901870071888,
  'pixel_threshold': 0.05307817459106445,
  'scale': 0.00878361135444592,
  'step': 800,
  'score': {},
  'by_hand': False,
  'pixel_by_hand': False,
  'images': '',
  'date': '2026-11-27',
  'requested': False,
  'digest': 'f46ff02a',
}


def changed(base, **fields):
  """A copy of nested fields with others, by names with `__` for a dot."""
  result = copy.deepcopy(base)
  for name, value in fields.items():
    *groups, field = name.split('__')
    node = result
    for group in groups:
      node = node[group]
    node[field] = value
  return result


def card(config=CONFIG, metrics=METRICS, calibration=CALIBRATION, **options):
  return model_card(
    config, metrics, calibration, **{'step': 800, 'name': 'demo', **options}
  )


def rows(text):
  """The cells of all tables' rows by the first one."""
  lines = re.findall(r'^\| (.*) \|$', text, re.MULTILINE)
  cells = [re.split(r' (?<!\\)\| ', line) for line in lines]
  return {first: rest for first, *rest in cells}


def section(text, title):
  return text.split(f'## {title}\n')[1].split('\n## ')[0]


def test_folds_are_held_out_by_some_runs_and_trained_on_by_others():
  folds = changed(CALIBRATION, num_images=256, num_folds=5)
  found = rows(card(calibration=folds))
  assert found['trained on'] == ['about 205 good images in each run']
  held_out = found['held out for the threshold'][0]
  assert held_out.startswith('256 good images in 5 folds, each scored by the')


def test_metrics_stand_beside_trivial_ones():
  text = card()
  found = rows(section(text, 'Figures'))
  assert found['image AUROC'] == [
    '0.9712',
    '0.9317 to 0.9975',
    '0.4733',
    '0.6258',
    '0.6479',
  ]
  assert found['pixel AUROC'] == ['0.9259', '0.6813', 'not measured']
  assert found['AUPRO up to 0.3'] == ['0.7354', '0.3043', 'not measured']
  assert found['bent_edge'] == ['12', '0.9792', '16.67%', '0.9048']
  assert found['dent'] == ['12', '0.9125', '8.33%', '0.9127']
  assert '7.50% of the good test images were rejected and 8.33%' in text
  assert 'best trivial score has an image AUROC of 0.6479' in text


def test_data_and_sizes_are_counted():
  found = rows(card(parameters={'generator': 1200, 'discriminator': 34}))
  assert found['trained on'] == ['205 good images']
  assert found['held out for the threshold'] == ['51 good images']
  assert found['tested on'][0].startswith('40 good and 24 defective images')
  # 800 · 16 / 205
  assert '62.4 epochs of 205' in found['training'][0]
  assert found['weights'] == ['1,234 (generator 1,200, discriminator 34)']
  assert '64×64 px' in found['size of images'][0]
  assert found['numpy'] == ['2.4.6']


def test_parents_of_paths_are_not_told():
  calibration = changed(CALIBRATION, images='C:\\Users\\anna\\good parts')
  metrics = changed(
    METRICS,
    notes=['/home/anna/secret project/x.png has no mask.', 'Few images.'],
    left_out=['/home/anna/y.png cannot be read.'],
  )
  text = card(
    changed(CONFIG, data__roi='/home/anna/secret/roi.png'), metrics, calibration
  )
  assert 'anna' not in text and 'secret' not in text
  assert rows(text)['folder or table'] == ['Gehäuse']
  assert 'of *good parts*' in text
  assert '- Few images.' in text
  assert '2 more, which name files' in text


def test_the_guarantee_and_its_conditions():
  text = section(card(), 'Threshold')
  assert 'above 0.0441901870071888, set on 2026-11-27' in text
  assert 'a probability of at most 7.69%, from 51 held-out good images' in text
  # The standard deviation of Beta(4, 48): √(4 · 48 / (52² · 53)).
  assert 'a standard deviation of 3.7 percentage points' in text
  for word in ('camera', 'light', '`data.part` was not set', 'missed defects'):
    assert word in text


def test_the_guarantee_of_a_fitted_threshold():
  config = tiny_config(**{'calibration.false_reject_rate': 0.1})
  scores = np.arange(9.0)
  fitted = fit(scores, scores, config=config, step=7)
  text = card(
    calibration={**vars(fitted), 'promised_rate': fitted.guaranteed_rate},
    metrics=None,
    step=7,
  )
  # 1 in 10 new scores is above the largest of 9: √(0.1 · 0.9 / 11) = 0.0905.
  assert 'at most 10.00%, from 9 held-out good images' in text
  assert '9.0 percentage points' in text


def test_a_threshold_by_hand_guarantees_nothing():
  by_hand = changed(
    CALIBRATION, by_hand=True, false_reject_rate=None, promised_rate=None
  )
  text = section(card(calibration=by_hand), 'Threshold')
  assert 'set by hand: no rate of rejected good images is guaranteed' in text
  assert 'deviation' not in text and 'conditions' not in text


def test_parts_and_other_images_change_the_conditions():
  with_part = card(changed(CONFIG, data__part=r'part(\d+)'))
  assert r'part(\\d+)' in section(with_part, 'Threshold')
  others = card(calibration=changed(CALIBRATION, images='more'))
  assert 'those of *more*' in section(others, 'Threshold')


def test_missing_parts_are_said():
  text = card(metrics=None, calibration=None)
  found = rows(text)
  assert section(text, 'Figures').strip().startswith('Never evaluated')
  assert section(text, 'Threshold').strip().startswith('None')
  assert found['trained on'] == ['not counted']
  assert found['weights'] == ['not counted']
  assert found['packages'] == ['not recorded']
  assert 'No kind of real defect was measured' in text
  assert 'None' not in text.replace(section(text, 'Threshold'), '')


def test_figures_and_thresholds_of_other_weights_are_left_out():
  text = card(step=900)
  assert '0.9712' not in text and '0.0441' not in text and '51' not in text
  assert 'was of step 800 and these weights are of step 900' in text
  assert 'threshold is of step 800 and these weights are of step 900' in text


def test_rates_of_another_threshold_are_said_to_be():
  text = card(calibration=changed(CALIBRATION, threshold=0.5))
  assert '**The threshold is 0.5 by now' in text
  text = card(calibration=None)
  assert 'was of the evaluation alone' in text
  assert 'by now' not in card()
  text = card(metrics=changed(METRICS, line=None))
  assert 'Error rates at a threshold were not measured' in text


def test_weak_leaky_and_collapsed_models_are_exposed():
  weak = changed(METRICS, baselines__mean_image=0.98)
  assert 'no better than a trivial score: mean_image has' in card(metrics=weak)
  leaky = changed(
    METRICS, counts__test_trained_on=3, leak='LEAK: 3 images', notes=['LEAK']
  )
  text = card(metrics=leaky)
  assert '**Leak' in text and '3 of them were trained on' in text
  collapsed = changed(METRICS, training__collapsed='Training has collapsed.')
  assert '**Training has collapsed.**' in card(metrics=collapsed)


def test_undefined_metrics_are_said():
  metrics = changed(
    METRICS,
    image_auroc=None,
    pixel_auroc=None,
    intervals_95__image_auroc=None,
    baselines=dict.fromkeys(METRICS['baselines']),
    line__missed_rate=None,
  )
  text = card(metrics=metrics)
  found = rows(section(text, 'Figures'))
  assert found['image AUROC'][:3] == ['not defined', '–', 'not measured']
  assert 'was not measured' in text
  assert 'not defined of the defective ones' in text
  assert 'pixel metrics are not defined' in rows(text)['masks of defects'][0]


def test_metrics_of_the_first_version_are_enough():
  text = card(metrics={'step': 800, 'image_auroc': 0.5}, calibration=None)
  assert rows(text)['image AUROC'] == ['0.5000', '–']
  assert rows(text)['tested on'] == ['not counted']


def test_a_validation_is_told_as_such():
  validation = {
    'image_auroc': 0.876,
    'baselines': {'brightness': 0.5, 'nearest_image': 0.61},
    'counts': {'held_out': 51},
    'step': 800,
  }
  text = card(metrics=None, validation=validation)
  assert 'On 51 held-out good images with synthetic defects' in text
  assert '0.8760; that of the best trivial score is 0.6100' in text
  assert '0.8760' not in card(validation=validation, step=900)


def test_limits_name_sizes_and_kinds():
  text = section(card(), 'Limits')
  # 30 / 64² = 0.73 %; 64 / 64 pixels.
  assert 'over 0.73% of the map' in text
  assert 'a standard deviation of 1 of these pixels' in text
  assert 'covered 1.0% to 15.0% of the image' in text
  assert 'bent_edge, dent' in text
  assert 'camera' in text
  config = changed(CONFIG, data__roi='roi.png', data__source='procedural')
  text = section(card(config), 'Limits')
  assert 'Outside the region of interest' in text and 'photograph' in text


@pytest.mark.parametrize('method', [*METHODS, 'their.module:Class'])
def test_each_method_has_a_name_and_a_paper(method):
  found = rows(card(changed(CONFIG, method=method)))
  (paper,) = found['paper']
  if ':' in method:
    assert found['method'] == ['their.module:Class'] and 'not known' in paper
  else:
    assert found['method'] != [method] and re.search(r'20\d\d', paper)


@pytest.mark.parametrize('geometry', ['stretch', 'pad', 'object', 'tiles'])
def test_each_geometry_is_described(geometry):
  config = changed(CONFIG, data__geometry=geometry, tile_size=32)
  (text,) = rows(card(config))['size of images']
  assert '64×64 px' in text and 'crops of 32×32 px' in text
  assert text.startswith('the object') == (geometry == 'object')


def test_input_and_views_are_described_if_they_are_others():
  config = changed(CONFIG, generator={'input': 'high_pass'}, score__views=5)
  found = rows(card(config))
  assert 'from their high frequencies in grey' in found['trained to'][0]
  assert found['score'][0].endswith('the mean over 5 views')
  found = rows(card(changed(CONFIG, generator={'input': 'image'})))
  assert 'frequencies' not in found['trained to'][0]
  assert 'views' not in found['score'][0]
  assert 'margin' not in found['score'][0]
  config = changed(CONFIG, score__margin=0.05)
  assert 'a margin of 5.0%' in rows(card(config))['score'][0]


def test_names_from_outside_are_shown_as_they_are():
  name = '<img onerror=x>|*a*\n## b\udcff `c`'
  config = changed(CONFIG, data__path=f'/x/{name}', method=f'x:{name}')
  metrics = changed(METRICS, by_type={name: {}}, counts__test_by_type={name: 1})
  text = card(config, metrics, name=name, parameters={name: 1})
  text.encode()  # Can be written.
  assert '<img' not in text
  expected = r'&lt;img onerror=x&gt;\|\*a\*\\n\#\# b\\udcff \`c\`'
  assert text.startswith(f'# Model card of {expected}\n')
  assert rows(text)['folder or table'] == [expected]
  titles = re.findall(r'^## (.*)', text, re.MULTILINE)
  assert titles == [
    'Data',
    'Model',
    'Figures',
    'Threshold',
    'Limits',
    'Versions',
  ]


def test_a_card_of_a_config_of_this_version():
  config = tiny_config().to_dict()
  text = model_card(config, None, None, step=4, name='run')
  assert '4 steps of 4 images' in text
  assert '16×16 px' in text


def test_cards_need_no_jax():
  needed = set()
  for path in REPORT.glob('*card*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.ImportFrom):
        needed.add(node.module)
      elif isinstance(node, ast.Import):
        needed.update(alias.name for alias in node.names)
  needed = {name for name in needed if not name.startswith('afgan_jax.report')}
  standard = {'collections.abc', 'dataclasses', 'math', 're', 'typing'}
  assert needed - standard == {
    'afgan_jax.metrics.threshold',
    'afgan_jax.system.markdown',
  }
