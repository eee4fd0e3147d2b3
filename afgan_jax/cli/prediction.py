"""Implements the commands that predict unlabelled images."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from afgan_jax.cli.commands import note_rate
from afgan_jax.system.errors import PartlyFailed

if TYPE_CHECKING:
  from afgan_jax.checkpoints.store import Given


def predict(
  config: Given,
  workdir: pathlib.Path,
  pattern: str,
  output: pathlib.Path | None,
  *,
  resume: bool,
  overwrite: bool,
  watch: bool = False,
  shard: str | None = None,
) -> None:
  """Predicts unlabelled images, see `jobs.predict`.

  Raises:
    MissingThreshold: if the run has no threshold.
    PartlyFailed: if some images could not be read; the others are done.
  """
  from afgan_jax.detector import Detector
  from afgan_jax.jobs import predict as job
  from afgan_jax.preprocessing.listing import find_images, passed_over

  if watch:
    job.require_folder(pattern)
  part = shard and job.Shard.parse(shard)
  paths = [] if watch else find_images(pattern)
  # Images that come one by one need not be padded to a batch.
  fields: dict[str, Any] = {'score.batch_size': 1} if watch else {}
  detector = Detector.load(workdir, config, **fields)
  calibration = detector.require_calibration()
  print(calibration.describe())
  note_rate(calibration, config, detector.config)
  output = output or workdir / 'predictions'
  if watch:
    count = job.watch(detector, pattern, output, overwrite=overwrite)
    print(f'Stopped after {count} images; the tables are in {output}.')
    return
  for note in passed_over(pattern):
    print(note)
  failed = job.predict(
    detector,
    paths,
    output,
    resume=resume,
    overwrite=overwrite,
    shard=part or None,
  )
  if part:
    print(f'The shard {shard} is predicted; --mode=merge joins the tables.')
  else:
    print(f'{len(paths)} images; the tables are in {output}.')
  _raise_if_failed(failed, len(paths))


def merge(output: pathlib.Path) -> None:
  """Joins the tables of all shards, see `jobs.predict.merge`.

  Raises:
    PartlyFailed: if some images could not be read; the tables are complete.
  """
  from afgan_jax.jobs import predict as job

  merged = job.merge(output)
  print(f'{merged.num_images} images; the tables are in {output}.')
  _raise_if_failed(merged.num_failed, merged.num_images)


def _raise_if_failed(failed: int, num_images: int) -> None:
  if failed:
    raise PartlyFailed(
      f'{failed} of {num_images} images could not be read or not be processed; '
      'their rows say why.'
    )
