"""Adds advice on flags to error messages."""

from afgan_jax.system import errors

_ADVICE = {
  errors.MissingCheckpoint: (
    'train there first, or give the --workdir of a trained model'
  ),
  # Before its base class.
  errors.OtherScores: (
    'give the former values, or set a threshold for these with '
    '--mode=calibrate and the same fields'
  ),
  errors.MissingThreshold: 'set it with --mode=calibrate',
  errors.NothingToCalibrate: (
    'give good images that were not trained on with --data=FOLDER, or both '
    'thresholds by hand with --threshold and --pixel_threshold, or train with '
    'config.calibration.fraction above 0'
  ),
  errors.NothingHeldOut: (
    'give good images that were not trained on with --mode=calibrate '
    '--data=FOLDER, or train with config.calibration.fraction above 0'
  ),
  errors.OneRun: (
    'give --runs=3, or --config.calibration.folds=5 for runs that hold out '
    'different images'
  ),
  errors.TrainedOn: 'give good images that were not trained on',
  errors.MovedData: 'give their new place with --config.data.path=FOLDER',
  errors.ConfigConflict: 'set the values of the run, or give another --workdir',
  errors.WorkdirInUse: (
    'wait until the other run has ended, or give another --workdir'
  ),
  errors.OutputExists: (
    '--resume continues them, --overwrite replaces them, --output=DIR writes '
    'to another folder'
  ),
  errors.ExportExists: (
    '--overwrite replaces it, --output=DIR writes to another folder'
  ),
  errors.OtherPredictions: (
    '--overwrite replaces them, --output=DIR writes to another folder'
  ),
  errors.MissingShard: (
    'predict all parts with --shard=I/N into one --output; --resume continues '
    'those that were begun'
  ),
  errors.OutputInUse: 'wait until it has ended, or give another --output',
  errors.OutputFull: (
    'make room, then the same command with --resume continues'
  ),
  errors.ProcessLost: 'the same command continues from the last checkpoint',
  errors.Diverged: (
    'try a lower config.optimizer.learning_rate in another --workdir'
  ),
  errors.CheckpointNotWritten: (
    'make room or give access, then give the same command again'
  ),
  errors.PredictionInterrupted: 'the same command with --resume continues',
  errors.Interrupted: 'the same command continues from there',
}


def advise(error: BaseException) -> str:
  """Returns the error message, extended by what the user can do."""
  sentence = str(error)
  for kind, advice in _ADVICE.items():
    if isinstance(error, kind):
      return f'{sentence.removesuffix(".")}: {advice}.'
  return sentence
