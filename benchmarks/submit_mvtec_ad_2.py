"""Predicts the private test sets of MVTec AD 2 for the benchmark's server.

  PYTHONPATH=. python benchmarks/submit_mvtec_ad_2.py WORKDIR OBJECT OUTPUT \
    [THRESHOLD]

WORKDIR is a run that was trained on the object, OBJECT the object's folder,
e.g. data/mvtec_ad_2/can. OUTPUT gets anomaly_images/can/… and
anomaly_images_thresholded/can/…; call it for each object with the same OUTPUT,
then check and pack that folder with the script that MVTec publishes. THRESHOLD,
on the scale of the maps, replaces the run's pixel threshold.
"""

import pathlib
import sys

from afgan_jax.detector import Detector
from afgan_jax.jobs.submission import write_submission
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets.mvtec_ad_2 import SET


def main() -> None:
  """Writes the predictions of one object."""
  arguments = sys.argv[1:]
  if len(arguments) not in (3, 4):
    sys.exit('Give a workdir, the folder of an object and an output folder.')
  workdir, folder, output = map(pathlib.Path, arguments[:3])
  folder = folder.resolve()
  cpu_runtime.prepare()
  try:
    SET.check_category(folder.name)
    threshold = float(arguments[3]) if len(arguments) == 4 else None
    detector = Detector.load(workdir)
    number = write_submission(detector, folder, output, threshold)
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  except ValueError as error:
    sys.exit(f'The threshold must be a number ({error}).')
  print(f'{number} images of {folder.name}; the files are in {output}.')


if __name__ == '__main__':
  main()
