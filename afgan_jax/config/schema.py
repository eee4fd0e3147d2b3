"""Schema of the fields that the configs of all methods have, in one table.

A new field needs an entry here, or in `method_fields` if it belongs to one
method, and a default in `configs/`; set `before` to the behaviour of runs that
were stored without the field. Imports nothing slow, since it runs when flags
are parsed.
"""

import dataclasses
import enum
from typing import Any

from afgan_jax.config.checks import (
  Check,
  at_least,
  between,
  boolean,
  encoded,
  from_to_below,
  greater_than,
  lengths,
  name_or_class,
  one_of,
  pair,
  pattern,
  some_of,
  text,
  whole_numbers,
)

METHODS = (
  'afgan',
  'dagan',
  'skip_ganomaly',
  'dual_attention_gan',
  'ganomaly',
  'anogan',
  'f_anogan',
  'cbigan',
)
SIZES = (16, 32, 64, 128, 256, 512, 1024)
# Public data sets of several categories, see `data.category`.
PUBLIC_SETS = (
  'mvtec_ad',
  'visa',
  'btad',
  'mpdd',
  'mvtec_loco',
  'mvtec_ad_2',
)
SOURCES = ('procedural', 'folder', *PUBLIC_SETS, 'tfds')
GEOMETRIES = ('stretch', 'pad', 'object', 'tiles')
# A template has 16 rings of 72 samples, see `preprocessing.registration`.
TEMPLATE_BYTES = 1152
AUGMENTATIONS = ('cut_paste', 'random_erasing', 'none', 'mixture')
SHAPES = ('blob', 'scar', 'rectangle')
CONTENTS = ('patch', 'displaced', 'color', 'noise', 'light', 'blur')
PICTURES = ('overlay', 'map', 'mask')
# AFGAN has a further one, 'segmentation'.
MAPS = (
  'residual',
  'smoothed_residual',
  'gradient_similarity',
  'mix',
)


class MayChange(enum.Enum):
  """When a field may differ from its value in the checkpoint.

  Attributes:
    NEVER: weights and scores, or the images they are measured on, depend on it.
    SCORING: weights depend on it, but scores computed with them do not.
    ALWAYS: weights do not depend on it, or changing them is intended.
  """

  NEVER = enum.auto()
  SCORING = enum.auto()
  ALWAYS = enum.auto()


NEVER, SCORING, ALWAYS = MayChange


@dataclasses.dataclass(frozen=True)
class SameAs:
  """The value of another field, given by its dotted name `field`."""

  field: str


@dataclasses.dataclass(frozen=True)
class Field:
  """The rules of one field.

  Attributes:
    allowed: check of its value.
    may_change: when it may differ from its value in the checkpoint.
    before: value that stored configs without the field imply, or `SameAs`; None
      for the fields of the first version. The default, if the field was added
      together with the feature that it configures.
    omit_before: whether a digest omits the field if it equals `before`, so that
      older runs keep their digests. Set it for each new field; digests of
      stored runs contain the older ones.
  """

  allowed: Check
  may_change: MayChange = NEVER
  before: Any = None
  omit_before: bool = False


FIELDS: dict[str, Field] = {
  'method': Field(name_or_class(METHODS), before='afgan', omit_before=True),
  'seed': Field(between(0, 2**31 - 1, whole=True)),
  'image_size': Field(one_of(SIZES, 'every level of the networks halves it')),
  'tile_size': Field(one_of(SIZES), before=SameAs('image_size')),
  'batch_size': Field(greater_than(0, whole=True)),
  'num_epochs': Field(greater_than(0, whole=True), ALWAYS),
  'num_steps': Field(at_least(0, whole=True), ALWAYS, before=0),
  'dtype': Field(one_of(('float32', 'bfloat16')), SCORING),
  'data.source': Field(one_of(SOURCES)),
  'data.path': Field(text(), ALWAYS),
  'data.category': Field(text()),
  'data.placement': Field(one_of(('host', 'device')), SCORING),
  'data.geometry': Field(one_of((*GEOMETRIES, 'auto'))),
  'data.scale': Field(greater_than(0), before=1.0, omit_before=True),
  'data.max_tiles': Field(
    greater_than(0, whole=True), before=10_000, omit_before=True
  ),
  'data.window': Field(
    lengths(2, 'across the object and along it'), before=(1.0, 1.0)
  ),
  'data.template': Field(encoded(TEMPLATE_BYTES), before='', omit_before=True),
  'data.roi': Field(text(), ALWAYS, before='', omit_before=True),
  'data.part': Field(pattern(r'part(\d+)'), before=''),
  # Earlier versions did not split folders.
  'data.test_fraction': Field(from_to_below(0, 1), before=0.2),
  'data.white': Field(at_least(0), before=0.0),
  # Earlier versions had Pillow's own limit.
  'data.max_pixels': Field(
    greater_than(0, whole=True), ALWAYS, before=178_956_970
  ),
  # Earlier versions had no cache; scores do not depend on it.
  'data.cache_gib': Field(at_least(0), ALWAYS, before=4.0),
  'data.skip_unreadable': Field(boolean(), ALWAYS, before=False),
  'data.normalize_light': Field(boolean(), before=False),
  'data.normalize_brightness': Field(boolean(), before=False),
  'data.procedural.seed': Field(at_least(0, whole=True)),
  'data.procedural.kind': Field(
    one_of(('sprocket', 'fabric')), before='sprocket', omit_before=True
  ),
  'data.procedural.num_train': Field(greater_than(0, whole=True)),
  'data.procedural.num_test_good': Field(at_least(0, whole=True)),
  'data.procedural.num_test_per_defect': Field(at_least(0, whole=True)),
  'variation.rotation': Field(between(0, 180), before=0.0),
  'variation.scale': Field(pair(10), before=(1.0, 1.0)),
  'variation.shift': Field(between(0, 1), before=0.0),
  'variation.flip_rows': Field(boolean(), before=False),
  'variation.flip_columns': Field(boolean(), before=False),
  'variation.brightness': Field(between(0, 1), before=0.0),
  'variation.contrast': Field(between(0, 1), before=0.0),
  'variation.shading': Field(between(0, 1), before=0.0, omit_before=True),
  'augmentation.kind': Field(one_of(AUGMENTATIONS)),
  'augmentation.probability': Field(between(0, 1)),
  'augmentation.area_ratio': Field(pair(1)),
  'augmentation.aspect_ratio': Field(pair(100)),
  'augmentation.scale': Field(pair(10)),
  'augmentation.rotation': Field(between(0, 180)),
  'augmentation.color_jitter': Field(between(0, 1)),
  # Added with the kind 'mixture'.
  'augmentation.mixture.shapes': Field(some_of(SHAPES), before=SHAPES),
  'augmentation.mixture.contents': Field(some_of(CONTENTS), before=CONTENTS),
  'augmentation.mixture.max_defects': Field(
    greater_than(0, whole=True), before=2
  ),
  'augmentation.mixture.radius': Field(pair(0.5), before=(0.015, 0.2)),
  'augmentation.mixture.opacity': Field(pair(1), before=(0.2, 1.0)),
  'augmentation.mixture.seamless': Field(between(0, 1), before=0.3),
  'augmentation.mixture.on_object': Field(between(0, 1), before=0.8),
  'augmentation.mixture.label_slope': Field(
    between(0, 100), before=0.0, omit_before=True
  ),
  'augmentation.mixture.label_offset': Field(
    between(0, 255), before=5.0, omit_before=True
  ),
  'optimizer.learning_rate': Field(greater_than(0)),
  'optimizer.beta1': Field(between(0, 1)),
  'optimizer.beta2': Field(between(0, 1)),
  'optimizer.decay_steps': Field(at_least(0, whole=True), before=0),
  'optimizer.average': Field(between(0, 0.999999), before=0.0),
  'score.image': Field(
    one_of(('paper', 'max', 'top_k')), ALWAYS, before='paper'
  ),
  'score.top_k': Field(greater_than(0, whole=True), ALWAYS, before=100),
  # The first version had no maps.
  'score.map': Field(one_of(MAPS), ALWAYS, before='smoothed_residual'),
  'score.smoothing': Field(between(0, 0.25), ALWAYS, before=1 / 64),
  'score.margin': Field(between(0, 0.4), ALWAYS, before=0.0, omit_before=True),
  'score.batch_size': Field(greater_than(0, whole=True), ALWAYS),
  'calibration.fraction': Field(between(0, 0.9)),
  'calibration.folds': Field(
    at_least(0, whole=True), before=0, omit_before=True
  ),
  'calibration.fold': Field(
    at_least(0, whole=True), before=0, omit_before=True
  ),
  'calibration.seed': Field(
    between(0, 2**31 - 1, whole=True), before=SameAs('seed'), omit_before=True
  ),
  # The first version had no threshold.
  'calibration.false_reject_rate': Field(
    between(1e-6, 0.5), ALWAYS, before=0.01
  ),
  'calibration.method': Field(
    one_of(('conformal', 'tail')), ALWAYS, before='conformal', omit_before=True
  ),
  'metrics.pixels': Field(
    one_of(('network', 'own')), ALWAYS, before='network', omit_before=True
  ),
  'metrics.pixel_size': Field(between(0, 4096, whole=True), ALWAYS, before=0),
  'predict.overlay': Field(
    one_of(('jpeg', 'png', 'none')), ALWAYS, before='jpeg'
  ),
  'predict.colormap': Field(text(), ALWAYS, before='inferno'),
  'predict.save': Field(
    some_of(PICTURES, least=0), ALWAYS, before=('overlay',), omit_before=True
  ),
  'predict.map_format': Field(
    one_of(('tiff', 'npy')), ALWAYS, before='tiff', omit_before=True
  ),
  'predict.sheet': Field(
    between(0, 1000, whole=True), ALWAYS, before=0, omit_before=True
  ),
  'log.every_steps': Field(greater_than(0, whole=True), ALWAYS),
  'log.panel_every_epochs': Field(at_least(0, whole=True), ALWAYS),
  'checkpoint.every_epochs': Field(greater_than(0, whole=True), ALWAYS),
  'checkpoint.max_to_keep': Field(greater_than(0, whole=True), ALWAYS),
  'benchmark.num_steps': Field(greater_than(0, whole=True), ALWAYS),
  'benchmark.warmup_steps': Field(at_least(0, whole=True), ALWAYS),
  'benchmark.num_images': Field(
    greater_than(0, whole=True), ALWAYS, before=256
  ),
  'benchmark.batch_sizes': Field(whole_numbers(1), ALWAYS, before=()),
  'benchmark.device_counts': Field(whole_numbers(1), ALWAYS, before=()),
}
