"""A configuration that trains in seconds."""

from ml_collections import ConfigDict

from configs import default

# Arguments of such a run, for a process of its own.
COMMAND = (
  'main.py',
  '--config=configs/demo.py',
  '--config.image_size=16',
  '--config.generator.base_features=4',
  '--config.generator.max_features=8',
  '--config.segmentation.max_features=8',
  '--config.data.procedural.num_train=24',
  '--config.data.procedural.num_test_per_defect=1',
)


def tiny_config(**fields) -> ConfigDict:
  """Returns 16 px, four features, eight images; `fields` by dotted names."""
  config = default.get_config()
  config.image_size = 16
  config.batch_size = 4
  config.num_epochs = 2
  config.generator.base_features = 4
  config.generator.max_features = 8
  config.discriminator.max_features = 8
  config.calibration.fraction = 0.0
  config.log.panel_every_epochs = 0
  config.checkpoint.every_epochs = 1
  config.data.procedural.num_train = 8
  config.data.procedural.num_test_good = 3
  config.data.procedural.num_test_per_defect = 1
  config.benchmark.num_steps = 2
  config.benchmark.warmup_steps = 1
  config.update_from_flattened_dict(fields)
  return config
