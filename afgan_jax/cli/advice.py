"""Advice that the command line adds to the facts of an error."""

from afgan_jax.system import errors

_ADVICE = {
  errors.MissingCheckpoint: (
    'train there first, or give the --workdir of a trained model'
  ),
  errors.MissingThreshold: 'set it with --mode=calibrate',
  errors.NothingHeldOut: (
    'give good images that were not trained on with --mode=calibrate '
    '--data=FOLDER, or train with config.calibration.fraction above 0'
  ),
  errors.ConfigConflict: 'set them back, or take another --workdir',
  errors.WorkdirInUse: (
    'wait until the other run has ended, or give another --workdir'
  ),
  errors.OutputExists: (
    '--resume goes on with it, --overwrite replaces it, --output=DIR writes '
    'elsewhere'
  ),
  errors.Diverged: (
    'a lower config.optimizer.learning_rate in another --workdir may help'
  ),
  errors.CheckpointNotWritten: (
    'the same command continues from the last of them'
  ),
  errors.PredictionInterrupted: 'the same command with --resume goes on',
  errors.Interrupted: 'the same command continues from there',
}


def advise(error: Exception) -> str:
  """Returns the sentence for a person: what is wrong, and what to do."""
  sentence = str(error)
  for kind, advice in _ADVICE.items():
    if isinstance(error, kind):
      return f'{sentence.removesuffix(".")}: {advice}.'
  return sentence
