"""Describes ensembles: configs of several trained runs as one.

An ensemble's config is that of its first run, one with the largest images, with
a group `members` that no other config has: for each run, by its number from
'0', the name of its folder, its `step`, a hash of its `weights`, and in
`fields` those that differ from the first one's. Imports nothing slow, since it
runs when flags are parsed.
"""

import copy
import json
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from afgan_jax.config.flat import flatten_fields, nest_fields
from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.schema import ALWAYS
from afgan_jax.system.errors import UsageError

GROUP = 'members'
# Fields that all runs share, or groups of such, by their first name: pixels,
# scores, thresholds or what is written depend on them.
_SHARED = ('method', 'data', 'score', 'calibration', 'metrics', 'predict')
# Fields of these groups on which neither depends. The images that are held out
# are compared themselves, and so are the squares that networks see.
_OWN = (
  'data.scale',
  'data.placement',
  'data.cache_gib',
  'data.skip_unreadable',
  'data.max_pixels',
  'score.batch_size',
  'calibration.seed',
  'calibration.fold',
)
# By so much the sides of two squares may differ, which are the same but for
# rounded scales.
_TOLERANCE = 0.02


class Member(NamedTuple):
  """A trained run of an ensemble.

  Attributes:
    run: name of its folder.
    step: of its weights.
    weights: hash of them.
    config: of the run.
  """

  run: str
  step: int
  weights: str
  config: ConfigDict

  @property
  def image_size(self) -> int:
    """Side in pixels of the square that the networks see."""
    return self.config.image_size


def is_ensemble(config: Any) -> bool:
  """Returns True if a config is that of an ensemble."""
  return GROUP in config


def is_stored_ensemble(workdir: pathlib.Path) -> bool:
  """Returns True if the `config.json` of a workdir is that of an ensemble."""
  try:
    content = json.loads((workdir / 'config.json').read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return False
  return isinstance(content, dict) and is_ensemble(content)


def join_configs(members: Sequence[Member]) -> ConfigDict:
  """Builds the config of an ensemble.

  Args:
    members: its runs, at least one, that `check_agreement` accepts.

  Returns:
    The config, from which `list_members` builds those of the runs.
  """
  config = members[0].config.to_dict()
  first = flatten_fields(config)
  group = {
    str(index): {
      'run': member.run,
      'step': member.step,
      'weights': member.weights,
      'fields': nest_fields(_differences(member.config, first)),
    }
    for index, member in enumerate(members)
  }
  return ConfigDict(copy.deepcopy(config) | {GROUP: group})


def list_members(config: ConfigDict) -> list[Member]:
  """Lists the runs of an ensemble.

  Args:
    config: of any run.

  Returns:
    The runs with their configs, in which fields that they share have the values
    of the ensemble's config; none if it is no ensemble.
  """
  fields = config.to_dict()
  group = fields.pop(GROUP, {})
  flat = flatten_fields(fields)
  members = []
  for index in range(len(group)):
    content = dict(group[str(index)])
    own = flatten_fields(content.pop('fields', {}))
    members.append(
      Member(**content, config=ConfigDict(nest_fields(flat | own)))
    )
  return members


def group_by_fold(members: Sequence[Member]) -> dict[int, list[int]]:
  """Groups the runs of an ensemble by the fold that they hold out.

  Args:
    members: its runs.

  Returns:
    Their indices by `config.calibration.fold`; one group without folds.
  """
  groups: dict[int, list[int]] = {}
  for index, member in enumerate(members):
    groups.setdefault(member.config.calibration.fold, []).append(index)
  return dict(sorted(groups.items()))


def holds_out_folds(config: ConfigDict) -> bool:
  """Returns True for an ensemble whose runs hold out different folds.

  Args:
    config: of any run.
  """
  return len(group_by_fold(list_members(config))) > 1


def check_agreement(members: Sequence[Member]) -> None:
  """Checks that runs agree in what pixels, scores and thresholds depend on.

  Args:
    members: runs of an ensemble.

  Raises:
    UsageError: two runs differ in a field; the message names it.
  """
  first = members[0]
  flat = flatten_fields(first.config.to_dict())
  # One division, so that each image is in one fold.
  one_division = first.config.calibration.folds > 0
  for other in members[1:]:
    for name, value in _differences(other.config, flat).items():
      divides = one_division and name == 'calibration.seed'
      if not is_shared(name) and not divides:
        continue
      field = fields_of(first.config.method).get(name)
      can_be_set = field is not None and field.may_change is ALWAYS
      raise UsageError(
        f'config.{name} is {flat.get(name)!r} in {first.run} and {value!r} in '
        f'{other.run}, but the runs of an ensemble must agree in it'
        f'{": set it for all of them" if can_be_set else ""}.'
      )
  _check_squares(members)
  _check_shares(members)


def _check_squares(members: Sequence[Member]) -> None:
  """Checks that networks of several image sizes see the same squares.

  Raises:
    UsageError: if the tiles of one cover more of an image than another's.
  """
  if members[0].config.data.geometry != 'tiles':
    return  # Each sees the whole image.
  first, *others = members
  side = first.image_size / first.config.data.scale
  for other in others:
    scale = other.config.data.scale
    if abs(other.image_size / scale / side - 1) > _TOLERANCE:
      raise UsageError(
        f'A tile of {first.run} covers {side:.0f} px of an image and one of '
        f'{other.run} {other.image_size / scale:.0f} px, but the runs of an '
        'ensemble must see the same squares: with '
        f'config.image_size={other.image_size} that is config.data.scale='
        f'{other.image_size / side:.4g}.'
      )


def _check_shares(members: Sequence[Member]) -> None:
  """Checks that each fold is scored by the same shares of image sizes.

  Raises:
    UsageError: if not, since scores of folds would not be comparable.
  """
  shares, texts = [], []
  for fold, indices in group_by_fold(members).items():
    sizes = Counter(members[index].image_size for index in indices)
    shares.append({size: n / len(indices) for size, n in sizes.items()})
    each = ' and '.join(f'{n} of {size} px' for size, n in sizes.items())
    texts.append(f'fold {fold} by {each}')
  if any(share != shares[0] for share in shares):
    raise UsageError(
      'Each fold must be held out by the same numbers of runs of each '
      'config.image_size, since images of all folds set one threshold: '
      f'{", ".join(texts)}.'
    )


def is_shared(name: str) -> bool:
  """Returns True if all runs of an ensemble must agree in a field.

  Args:
    name: dotted, of the field.
  """
  return name.partition('.')[0] in _SHARED and name not in _OWN


def _differences(config: ConfigDict, flat: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the fields of a config that differ from others, by dotted names."""
  own = flatten_fields(config.to_dict())
  return {
    name: value
    for name, value in sorted(own.items())
    if name not in flat or flat[name] != value
  }
