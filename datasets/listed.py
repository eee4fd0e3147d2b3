"""Lists the images of one category of a public data set."""

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Callable, Sequence

from afgan_jax.preprocessing.listing import (
  EXTENSIONS,
  files_in,
  find_named,
  images_in,
)
from datasets.source import GOOD, Sample, file_sample


@dataclasses.dataclass(frozen=True)
class Labelled:
  """A test image with its label.

  Attributes:
    path: of the image.
    defect_type: `GOOD`, or the name of the defect.
    masks: files of its ground truth; empty for none.
  """

  path: pathlib.Path
  defect_type: str
  masks: tuple[pathlib.Path, ...] = ()


def _plain_sample(image: Labelled) -> Sample:
  """Creates the sample of an image with at most one mask."""
  mask = str(image.masks[0]) if image.masks else None
  return file_sample(str(image.path), image.defect_type, mask)


@dataclasses.dataclass(frozen=True)
class ListedSource:
  """A source of images whose files and labels were listed before.

  Attributes:
    folder: of the category.
    good: the training images.
    labelled: the test images.
    held_out: good images for calibration; empty if the data set has none.
    truth: folder of the masks.
    sample: creates the sample of a test image.
    remarks: notes on the data set, a sentence each.
    unlabelled: folders of images without labels, which are not read.
  """

  folder: pathlib.Path
  good: Sequence[pathlib.Path]
  labelled: Sequence[Labelled]
  held_out: Sequence[pathlib.Path] = ()
  truth: pathlib.Path | None = None
  sample: Callable[[Labelled], Sample] = _plain_sample
  remarks: tuple[str, ...] = ()
  unlabelled: tuple[pathlib.Path, ...] = ()

  def train(self) -> list[Sample]:
    """Lists the good training images."""
    return [file_sample(str(path), GOOD, None) for path in self.good]

  def validation(self) -> list[Sample]:
    """Lists the good images that the data set holds out of training."""
    return [file_sample(str(path), GOOD, None) for path in self.held_out]

  def test(self) -> list[Sample]:
    """Lists the labelled test images."""
    return [self.sample(image) for image in self.labelled]

  def notes(self) -> tuple[str, ...]:
    """Describes defective images without a mask and masks without an image."""
    notes = list(self.remarks)
    defective = [x for x in self.labelled if x.defect_type != GOOD]
    totals = Counter(image.defect_type for image in defective)
    for defect_type, total in totals.items():
      unmasked = [
        x.path
        for x in defective
        if x.defect_type == defect_type and not x.masks
      ]
      if unmasked:
        notes.append(
          f'{len(unmasked)} of {total} images of {defect_type!r} have no mask '
          f'and are left out of pixel metrics, e.g. {unmasked[0]}.'
        )
    used = {mask for image in self.labelled for mask in image.masks}
    orphans = [
      mask
      # Some sets have empty masks of good images as well.
      for defect_type in totals
      for mask in (images_in(self.truth / defect_type) if self.truth else ())
      if mask not in used
    ]
    if orphans:
      notes.append(f'{len(orphans)} masks have no image, e.g. {orphans[0]}.')
    return tuple(notes)

  def skipped(self) -> tuple[str, ...]:
    """Describes images below the folder that are not read, and why."""
    read = {*self.good, *self.held_out, *(x.path for x in self.labelled)}
    aside = {folder: 0 for folder in self.unlabelled}
    left = []
    for path in sorted(files_in(self.folder)):
      if path in read or path.suffix.lower() not in EXTENSIONS:
        continue
      place = next((x for x in aside if x in path.parents), None)
      if place is not None:
        aside[place] += 1
      elif self.truth is None or self.truth not in path.parents:
        left.append(path)
    lines = [
      f'{count} images of {place} have no labels and are not measured.'
      for place, count in aside.items()
      if count
    ]
    if left:
      lines.append(
        f'{len(left)} images are skipped because they are outside the layout, '
        f'e.g. {left[0]}.'
      )
    return tuple(lines)


def list_kinds(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
  """Lists the images of each subfolder, by its name in sorted order."""
  kinds = sorted(x for x in folder.iterdir() if x.is_dir())
  found = {kind.name: images_in(kind) for kind in kinds}
  return {name: paths for name, paths in found.items() if paths}


def find_mask(
  folder: pathlib.Path, stem: str, suffixes: Sequence[str] = ('_mask', '')
) -> tuple[pathlib.Path, ...]:
  """Finds the mask of an image by its name.

  Args:
    folder: of the masks.
    stem: name of the image without its extension.
    suffixes: that follow it in the name of the mask, the preferred one first.

  Returns:
    The mask; empty if there is none.
  """
  mask = find_named(folder, stem, suffixes)
  return () if mask is None else (mask,)
