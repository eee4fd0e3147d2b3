"""Defines the flags of the program, except those of a service."""

from absl import flags
from ml_collections import config_flags

MODES = (
  'train',
  'evaluate',
  'validate',
  'calibrate',
  'predict',
  'benchmark',
  'study',
  'inspect',
  'export',
  'serve',
  'merge',
  'ensemble',
)
CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/; set single fields with --config.seed=1.'
)
WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run; default: runs/<name of the config>.'
)
MODE = flags.DEFINE_enum(
  'mode',
  'train',
  MODES,
  'train: train or continue, then calibrate and evaluate. evaluate, validate, '
  'calibrate, predict: restore from --workdir; validate measures on synthetic '
  'defects. benchmark: time the compiled step. study: train and evaluate all '
  'variants of --config and write tables. inspect: describe the images. '
  'export: write a folder that runs without JAX. serve: answer requests over '
  'HTTP. merge: join the tables of --shard. ensemble: make a run in --workdir '
  'that scores by the mean map of several: those of --members, or trained by '
  '--config, one of each config.calibration.folds or --runs.',
)
DATA = flags.DEFINE_string(
  'data',
  None,
  'Another folder of images: test/* is scored with --mode=evaluate, its good '
  'images are used with --mode=calibrate.',
)
MEMBERS = flags.DEFINE_list(
  'members',
  [],
  'With --mode=ensemble: workdirs of trained runs, separated by commas.',
)
RUNS = flags.DEFINE_integer(
  'runs',
  None,
  'With --mode=ensemble and --config: how many runs are trained, of each of '
  'config.calibration.folds if there are any; default: 1.',
  lower_bound=1,
)
INPUT = flags.DEFINE_string(
  'input', None, 'With --mode=predict: an image, a folder or a glob pattern.'
)
OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'Folder of the results; default with --mode=predict: predictions/ in '
  '--workdir; with --mode=evaluate: --workdir, or with --data evaluations/ in '
  'it; with --mode=export: exported/ in --workdir.',
)
RESUME = flags.DEFINE_bool(
  'resume', False, 'With --mode=predict: continue where it was stopped.'
)
SHARD = flags.DEFINE_string(
  'shard',
  None,
  'With --mode=predict: I/N, to predict the part I, from 0, of N parts of the '
  'images; --mode=merge joins the tables of all parts.',
)
SCHEDULER = flags.DEFINE_string(
  'scheduler',
  None,
  'With --mode=predict: address of the scheduler of a Dask cluster, whose '
  'workers predict.',
)
WATCH = flags.DEFINE_bool(
  'watch',
  False,
  'With --mode=predict: go on with the images that appear in the folder '
  '--input, until Ctrl-C or SIGTERM; a restart continues.',
)
OVERWRITE = flags.DEFINE_bool(
  'overwrite',
  False,
  'With --mode=predict: replace the results in --output; with --mode=export: '
  'the exported detector there.',
)
FORMAT = flags.DEFINE_enum(
  'format',
  'onnx',
  ('onnx', 'stablehlo', 'all'),
  'With --mode=export: format of the model.',
)
CHECK = flags.DEFINE_bool(
  'check',
  False,
  'With --mode=export: compare all installed runtimes on the golden images; '
  'without --workdir, of the exported detector in --output.',
)
