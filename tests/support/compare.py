"""Configurations of the methods of Table 2 that train in seconds."""

import importlib

from ml_collections import ConfigDict

from configs.compare import small


def tiny_compare_config(method: str, **fields) -> ConfigDict:
  """Returns 32 px, four features, eight images; `fields` by dotted names."""
  module = importlib.import_module(f'configs.compare.{method}')
  config = module.get_config()
  small.shrink(config)
  config.image_size = 32
  config.batch_size = 4
  config.num_steps = 4
  if 'discriminator_updates' in config.optimizer:
    config.optimizer.discriminator_updates = 2
  if 'inversion' in config:
    config.inversion.num_steps = 4
  for group in config.values():
    if isinstance(group, ConfigDict):
      for field, value in (('base_features', 4), ('max_features', 8)):
        if field in group:
          group[field] = value
      if 'from_step' in group:
        group.from_step = 2
  config.data.source = 'procedural'
  config.data.path = ''
  config.data.procedural.num_train = 8
  config.data.procedural.num_test_good = 3
  config.data.procedural.num_test_per_defect = 1
  config.calibration.fraction = 0.0
  config.log.panel_every_epochs = 0
  config.log.every_steps = 1
  config.checkpoint.every_epochs = 1
  config.benchmark.num_steps = 2
  config.benchmark.warmup_steps = 1
  config.update_from_flattened_dict(fields)
  return config
