"""A study whose training is a table of figures."""

import json

from ml_collections import ConfigDict

from afgan_jax.config.store import digest
from configs.paper import table_2, variants
from tests.support.tiny import tiny_config


def study_config(categories, names, seeds, reference='b', **fields):
  """Returns a tiny config with variants a, b and c on the embedded data."""
  config = tiny_config(**fields)
  config.study = variants.study(
    {
      'a': {'generator': {'fusion': 'none'}},
      'b': {},
      'c': {'generator': {'base_features': 8}, 'loss': {'latent_weight': 2.0}},
    },
    reference,
  )
  config.study.categories = categories
  config.study.variants = names
  config.study.seeds = seeds
  return config


def paper_config(categories, names, seeds):
  """Returns a tiny config with the paper's variants, on folders."""
  config = tiny_config(**{'data.source': 'folder', 'data.path': 'images'})
  config.study = variants.study(variants.VARIANTS, 'state_4')
  config.study.categories = categories
  config.study.variants = names
  config.study.seeds = seeds
  return config


def table_2_config(categories, names, seeds):
  """Returns a small config with the methods of Table 2, on folders."""
  config = table_2.get_config('small')
  config.data.source = 'folder'
  config.data.path = 'images'
  config.study.categories = categories
  config.study.variants = names
  config.study.seeds = seeds
  return config


def write_metrics(config: ConfigDict, workdir, image, pixel=None, aupro=None):
  """Writes what a finished run leaves behind, with round baselines."""
  workdir.mkdir(parents=True, exist_ok=True)
  metrics = {
    'image_auroc': image,
    'image_auroc_by_score': {'paper': image, 'max': 1 - image},
    'image_average_precision': 0.75,
    'pixel_auroc': pixel,
    'aupro_0.3': aupro,
    'baselines': {'brightness': 0.5, 'mean_image': 0.25, 'nearest_image': None},
    'pixel_baselines': {
      'gradient': {'pixel_auroc': 0.625, 'aupro_0.3': None},
      'mean_image': None,
    },
    'counts': {'train': 8},  # Two steps of four make an epoch.
    'step': config.num_steps or 2 * config.num_epochs,
    'config_digest': digest(config),
  }
  (workdir / 'metrics.json').write_text(json.dumps(metrics))
