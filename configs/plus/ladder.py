"""A study of further parts of the better recipe, without the test set.

  python main.py --mode=study --config=configs/plus/ladder.py \
    --config.data.path=DIR \
    --config.study.categories="('mvtec_ad/screw', 'magnetic_tile')"

Each variant adds one part to the recipe. Small, so that a run takes minutes on
a CPU. Measured on held-out good images with synthetic defects of kinds that are
not used in training.

`high_pass_mix` and `views` differ only in scoring: instead of training them,
`--mode=validate` can score the runs of `high_pass` and `image` with the same
fields.
"""

from ml_collections import ConfigDict

from configs.plus import ablations

VARIANTS = {
  'image': {},
  # The generator sees the grey image without its low frequencies.
  'high_pass': {'generator': {'input': 'high_pass'}},
  'high_pass_mix': {
    'generator': {'input': 'high_pass'},
    'score': {'map': 'mix'},
  },
  # Labels that follow the visible change, as in NSA.
  'graded_labels': {
    'augmentation': {'mixture': {'label_slope': 1 / 3, 'label_offset': 7.0}}
  },
  # A third of the images is left as it is, in place of a tenth.
  'clean_third': {'augmentation': {'probability': 0.67}},
  # A second convolution at each level of the head, 1.65 times as slow a step.
  'two_convolutions': {'segmentation': {'convolutions': 2}},
  # Smooth changes of the light are good.
  'shading': {'variation': {'shading': 0.3}},
  # Images keep their proportions; compare these two and the first with
  # --config.metrics.pixels=own.
  'pad': {'data': {'geometry': 'pad'}},
  # Images keep their scale: squares of 64 px at half of it.
  'one_scale': {'data': {'geometry': 'tiles', 'scale': 0.5}},
  # The mean map of the image and of four shifts.
  'views': {'score': {'views': 5}},
}


def get_config() -> ConfigDict:
  """Returns the configuration."""
  config = ablations.get_config()
  config.study.variants = tuple(VARIANTS)
  config.study.variant_fields = ConfigDict(VARIANTS)
  config.study.reference = 'image'
  config.study.seeds = (0, 1)
  return config
