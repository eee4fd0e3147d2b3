"""Finds what is wrong with a data set as a whole."""

from collections.abc import Sequence
from typing import NamedTuple

from ml_collections import ConfigDict

from afgan_jax.config.few import describe_few
from datasets.image_statistics import (
  Look,
  brightness_auroc,
  find_copies,
  nearest_auroc,
)
from datasets.source import GOOD
from datasets.squeeze import describe_squeeze

# AUROC from which a trivial score is said to separate the test set.
SEPARATES = 0.95


class Finding(NamedTuple):
  """A remark on a data set.

  Attributes:
    title: a sentence.
    lines: to be shown below it.
  """

  title: str
  lines: tuple[str, ...] = ()

  def in_one_line(self) -> str:
    """Joins title and lines."""
    return ' '.join((self.title, '; '.join(self.lines))).strip()


def find_all(
  looks: Sequence[Look], config: ConfigDict | None = None
) -> list[Finding]:
  """Finds copies, trivial differences, long images and small numbers.

  Args:
    looks: statistics of readable images.
    config: see `configs/default.py`; without it long images are not found, and
      intensities are taken for those that networks see.

  Returns:
    The remarks, the gravest first.
  """
  return [
    *_copies(looks),
    *_trivial(looks, config),
    *_squeezed(looks, config),
    *_few(looks),
  ]


def _copies(looks: Sequence[Look]) -> list[Finding]:
  copies = find_copies(looks)
  leaks = [pair for pair in copies if pair[0].split != pair[1].split]
  found = []
  for pairs, title in (
    (
      [pair for pair in leaks if pair[1].split == 'test'],
      'LEAK: {} test images are copies of training images:',
    ),
    (
      [pair for pair in leaks if pair[1].split == 'validation'],
      'LEAK: {} validation images are copies of other images:',
    ),
    (
      [pair for pair in copies if pair not in leaks],
      '{} images are copies of others in the same split:',
    ),
  ):
    if pairs:
      names = (f'{b.sample.path} of {a.sample.path}' for a, b in pairs)
      found.append(Finding(title.format(len(pairs)), tuple(names)))
  return found


def _trivial(looks: Sequence[Look], config: ConfigDict | None) -> list[Finding]:
  """Finds scores without a model that separate good from defective."""
  found = []
  remedy = 'config.data.normalize_brightness removes it'
  if config is not None and (
    config.data.normalize_brightness or config.data.normalize_light
  ):
    remedy = 'this config removes it before the networks see the images'
  chance = ', or it is chance, since they are few' if _few(looks) else ''
  brightness, nearest = brightness_auroc(looks), nearest_auroc(looks)
  if brightness is not None and max(brightness, 1 - brightness) >= SEPARATES:
    found.append(
      Finding(
        'LIGHT: brightness alone separates good from defective test images '
        f'(AUROC {brightness:.3f}), so a model may detect the lighting and not '
        f'defects{chance}; {remedy}.'
      )
    )
  if nearest is not None and nearest >= SEPARATES:
    found.append(
      Finding(
        'ALIKE: the distance to the nearest training image, at 16 px and equal '
        f'brightness, separates good from defective test images (AUROC '
        f'{nearest:.3f}){chance}. If both splits show the same parts, the test '
        'set does not measure detection on new parts: see config.data.part.'
      )
    )
  return found


def _squeezed(
  looks: Sequence[Look], config: ConfigDict | None
) -> list[Finding]:
  sizes = [look.size for look in looks]
  sentence = describe_squeeze(sizes, config) if config is not None else ''
  return [Finding(f'LONG: {sentence}')] if sentence else []


def _few(looks: Sequence[Look]) -> list[Finding]:
  """Says that there are few test images, if there are any."""
  kinds = [look.sample.defect_type for look in looks if look.split == 'test']
  good = kinds.count(GOOD)
  sentence = describe_few(good, len(kinds) - good) if kinds else ''
  return [Finding(f'FEW: {sentence}')] if sentence else []
