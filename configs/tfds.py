"""A prepared TensorFlow dataset, the builder's config given after a colon.

  python main.py --config=configs/tfds.py:screw_full \
    --config.data.path=/data/tensorflow_datasets/mvtec_ad

The recipe of `mvtec_ad.py`. docs/data_sets.md says how to prepare a builder.
"""

from ml_collections import ConfigDict

from configs import mvtec_ad


def get_config(category: str = '') -> ConfigDict:
  """Returns the configuration for one builder.

  Args:
    category: the builder's config, e.g. 'screw_full'; '' for a builder without
      configs.
  """
  config = mvtec_ad.get_config(category)
  config.data.source = 'tfds'
  config.data.path = 'mvtec_ad'
  return config
