"""Schema of the fields that belong to a method, one table for each method.

A method's config has these fields and those of `schema.FIELDS`, where an entry
here replaces one there. Imports nothing slow, since it runs when flags are
parsed.
"""

from typing import Any

from afgan_jax.config.checks import (
  at_least,
  between,
  greater_than,
  number,
  one_of,
)
from afgan_jax.config.schema import (
  ALWAYS,
  FIELDS,
  MAPS,
  SCORING,
  Field,
  SameAs,
)

_NO_AUGMENTATION = Field(
  one_of(('none',), 'this method trains on good images alone')
)
NORMS = ('batch', 'group')

_COUNT = Field(greater_than(0, whole=True))
_WEIGHT = Field(at_least(0))
_WIDTHS = dict.fromkeys(
  (
    'generator.base_features',
    'generator.max_features',
    'discriminator.base_features',
    'discriminator.max_features',
  ),
  _COUNT,
)

AFGAN: dict[str, Field] = {
  'norm.kind': Field(one_of(NORMS), before='batch'),
  'norm.group_size': Field(greater_than(1, whole=True), before=16),
  'norm.momentum': Field(between(0, 1)),
  'norm.epsilon': Field(greater_than(0)),
  'generator.base_features': _COUNT,
  'generator.max_features': _COUNT,
  'generator.fusion': Field(one_of(('aff', 'concat', 'none'))),
  'generator.aff_reduction': _COUNT,
  'generator.aff_gate': Field(one_of(('sigmoid', 'product'))),
  'generator.aff_scale': Field(number()),
  'generator.aff_norm': Field(one_of(NORMS), before='batch'),
  'generator.input': Field(
    one_of(('image', 'high_pass')), before='image', omit_before=True
  ),
  'generator.cutoff': Field(
    between(0.001, 0.5), before=30 / 256, omit_before=True
  ),
  'discriminator.base_features': _COUNT,
  'discriminator.max_features': _COUNT,
  'discriminator.latent_features': _COUNT,
  'discriminator.norm': Field(one_of(NORMS), before='batch'),
  'discriminator.reset_below': Field(at_least(0), SCORING, before=0.0),
  # Added with the segmentation head.
  'segmentation.base_features': Field(
    greater_than(0, whole=True), before=SameAs('generator.base_features')
  ),
  'segmentation.max_features': Field(greater_than(0, whole=True), before=256),
  'segmentation.num_levels': Field(greater_than(0, whole=True), before=5),
  'segmentation.convolutions': Field(
    between(1, 2, whole=True), before=1, omit_before=True
  ),
  'segmentation.focus': Field(between(0, 10), before=0.0),
  'loss.adversarial_weight': _WEIGHT,
  'loss.reconstruction_weight': _WEIGHT,
  'loss.latent_weight': _WEIGHT,
  # Earlier, only the generator had the latent loss; the default differs.
  'loss.discriminator_latent_weight': Field(at_least(0), SCORING, before=0.0),
  'loss.ssim_weight': Field(at_least(0), before=0.0),
  'loss.segmentation_weight': Field(at_least(0), before=0.0),
  'optimizer.first': Field(
    one_of(('discriminator', 'generator')), SCORING, before='discriminator'
  ),
  'score.gamma': Field(between(0, 1), ALWAYS),
  'score.map': Field(
    one_of((*MAPS, 'segmentation')), ALWAYS, before='smoothed_residual'
  ),
  # There are so many shifts by up to 2 pixels.
  'score.views': Field(
    between(1, 25, whole=True), ALWAYS, before=1, omit_before=True
  ),
}

DAGAN: dict[str, Field] = {
  'generator.base_features': _COUNT,
  'generator.max_features': _COUNT,
  'discriminator.base_features': _COUNT,
  # The smallest images can be halved four times.
  'discriminator.num_levels': Field(between(1, 4, whole=True)),
  'loss.adversarial_weight': _WEIGHT,
  'loss.reconstruction_weight': _WEIGHT,
  'loss.discriminator_reconstruction_weight': Field(at_least(0), SCORING),
  'loss.distance': Field(one_of(('mean_square', 'root_mean_square')), SCORING),
}

SKIP_GANOMALY: dict[str, Field] = {
  **_WIDTHS,
  'discriminator.latent_features': _COUNT,
  'discriminator.reset_below': Field(at_least(0), SCORING),
  'loss.adversarial_weight': _WEIGHT,
  'loss.reconstruction_weight': _WEIGHT,
  'loss.latent_weight': _WEIGHT,
  'loss.discriminator_latent_weight': Field(at_least(0), SCORING),
  'score.gamma': Field(between(0, 1), ALWAYS),
  'score.error': Field(one_of(('squared', 'absolute')), ALWAYS),
}

GANOMALY: dict[str, Field] = {
  **_WIDTHS,
  'generator.latent_features': _COUNT,
  'discriminator.reset_below': Field(at_least(0), SCORING),
  'loss.adversarial_weight': _WEIGHT,
  'loss.reconstruction_weight': _WEIGHT,
  'loss.latent_weight': _WEIGHT,
  'score.latent_distance': Field(one_of(('l2', 'l1')), ALWAYS),
}

ANOGAN: dict[str, Field] = {
  'augmentation.kind': _NO_AUGMENTATION,
  **_WIDTHS,
  'generator.latent_features': _COUNT,
  'optimizer.generator_updates': Field(between(1, 100, whole=True)),
  'inversion.num_steps': Field(greater_than(0, whole=True), ALWAYS),
  'inversion.learning_rate': Field(greater_than(0), ALWAYS),
  'score.gamma': Field(between(0, 1), ALWAYS),
}

F_ANOGAN: dict[str, Field] = {
  'augmentation.kind': _NO_AUGMENTATION,
  **_WIDTHS,
  'generator.latent_features': _COUNT,
  'encoder.base_features': _COUNT,
  'encoder.max_features': _COUNT,
  'encoder.from_step': _COUNT,
  'encoder.learning_rate': Field(greater_than(0)),
  'loss.gradient_penalty_weight': _WEIGHT,
  'loss.latent_weight': _WEIGHT,
  'optimizer.discriminator_updates': _COUNT,
}

DUAL_ATTENTION_GAN: dict[str, Field] = {
  **_WIDTHS,
  'generator.latent_features': _COUNT,
  'generator.attention_levels': Field(at_least(0, whole=True)),
  'generator.attention_reduction': _COUNT,
  'generator.pixel_reduction': _COUNT,
  'loss.adversarial_weight': _WEIGHT,
  # A score needs one of the following, which are its weights as well.
  'loss.reconstruction_weight': Field(greater_than(0)),
  'loss.ssim_weight': _WEIGHT,
  'loss.gradient_weight': _WEIGHT,
}

CBIGAN: dict[str, Field] = {
  'generator.base_features': _COUNT,
  'generator.latent_features': _COUNT,
  'discriminator.base_features': _COUNT,
  'loss.consistency_weight': Field(between(0, 1)),
  'loss.gradient_penalty_weight': _WEIGHT,
  'optimizer.critic_updates': Field(greater_than(0, whole=True), SCORING),
  'augmentation.kind': _NO_AUGMENTATION,
  'score.gamma': Field(between(0, 1), ALWAYS),
  'score.feature': Field(one_of(('last', 'first')), ALWAYS),
  'score.tiles': Field(one_of(('max', 'mean')), ALWAYS),
}

METHOD_FIELDS: dict[str, dict[str, Field]] = {
  'afgan': AFGAN,
  'dagan': DAGAN,
  'skip_ganomaly': SKIP_GANOMALY,
  'ganomaly': GANOMALY,
  'anogan': ANOGAN,
  'f_anogan': F_ANOGAN,
  'dual_attention_gan': DUAL_ATTENTION_GAN,
  'cbigan': CBIGAN,
}


def fields_of(method: Any) -> dict[str, Field]:
  """Returns all fields of a method's config.

  Args:
    method: value of `config.method`, which may be invalid. A class of another
      package checks its own fields.

  Returns:
    Rules by dotted name.
  """
  own = METHOD_FIELDS.get(method, {}) if isinstance(method, str) else {}
  return FIELDS | own
