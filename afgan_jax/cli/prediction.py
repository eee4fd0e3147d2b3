"""Implements the commands that predict unlabelled images."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from afgan_jax.cli.commands import note_drift, note_rate
from afgan_jax.system.errors import PartlyFailed, UsageError

if TYPE_CHECKING:
  from afgan_jax.config.store import Given
  from afgan_jax.detector import Detector


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
  scheduler: str | None = None,
) -> None:
  """Predicts unlabelled images, see `jobs.predict`.

  Raises:
    PartlyFailed: if some images could not be read; the others are done.
  """
  from afgan_jax.jobs import predict as job
  from afgan_jax.metrics.drift import Drift

  if watch:
    job.require_folder(pattern)
  part = shard and job.Shard.parse(shard)
  paths = [] if watch else _find(pattern, scheduler)
  # No padding to a batch of images that come one by one.
  detector = _load(workdir, config, {'score.batch_size': 1} if watch else {})
  output = output or workdir / 'predictions'
  drift = Drift(detector.require_calibration())
  if watch:
    given: dict[str, Any] = {'overwrite': overwrite, 'drift': drift}
    count = job.watch(detector, pattern, output, **given)
    note_drift(drift.report().sentence)
    print(f'Stopped after {count} images; the tables are in {output}.')
    return
  options: dict[str, Any] = {'shard': part or None, 'drift': drift}
  if scheduler:
    options['predict_rows'] = job.Cluster(
      scheduler, workdir, config
    ).predict_rows
  failed = job.predict(
    detector,
    paths,
    output,
    resume=resume,
    overwrite=overwrite,
    **options,
  )
  note_drift(drift.report().sentence)
  what = f'The shard {shard}' if part else f'{len(paths)} images'
  print(f'{what}; the tables are in {output}{"/shards" if part else ""}.')
  _raise_if_failed(failed, len(paths))


def _load(
  workdir: pathlib.Path, config: Given, fields: dict[str, Any]
) -> Detector:
  """Loads a detector and prints its threshold."""
  from afgan_jax.detector import Detector

  detector = Detector.load(workdir, config, **fields)
  calibration = detector.require_calibration()
  print(calibration.describe())
  note_rate(calibration, config, detector.config)
  return detector


def _find(pattern: str, scheduler: str | None) -> list[str]:
  """Finds the images, and prints which others are passed over."""
  from afgan_jax.jobs.predict.remote import find_remote, is_remote
  from afgan_jax.preprocessing.listing import find_images, passed_over

  if is_remote(pattern):
    if not scheduler:
      raise UsageError(
        f'--input={pattern}: addresses are predicted with --scheduler alone; '
        'copy the images to this machine.'
      )
    return find_remote(pattern)
  paths = find_images(pattern)
  for note in passed_over(pattern):
    print(note)
  return paths


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
