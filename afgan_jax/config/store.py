"""Compares and stores configurations; `rules.py` checks them.

Imports nothing that takes long: flags are checked with it.
"""

import hashlib
import json
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.system.errors import UsageError

# Fields and groups that may change when a run goes on: trained weights do not
# depend on them, or, with `num_epochs` and `data.path`, the user means them to.
_FREE = (
  'num_epochs',
  'num_steps',
  'data.path',
  'data.cache_gib',
  'data.max_pixels',
  'data.skip_unreadable',
  'score',
  'calibration.false_reject_rate',
  'metrics',
  'predict',
  'log',
  'checkpoint',
  'benchmark',
)
# What trained weights depend on, but no score that is made with them.
_FREE_IN_SCORING = (
  'data.placement',
  'dtype',
  'discriminator.reset_below',
  'loss.discriminator_latent_weight',
  'optimizer.first',
)
# Fields whose default is not what was done before they came, or may be set
# otherwise, and what was done before.
_ADDED = {
  'norm.kind': 'batch',
  'generator.aff_norm': 'batch',
  'discriminator.norm': 'batch',
  'discriminator.reset_below': 0.0,
  'loss.discriminator_latent_weight': 0.0,
  'optimizer.first': 'discriminator',
}


def from_stored(fields: dict[str, Any]) -> ConfigDict:
  """Brings a stored configuration up to date.

  Args:
    fields: as a checkpoint or `config.json` holds them, of any version.

  Returns:
    The configuration; fields that it lacks stand at what was done before they
    came.
  """
  config = ConfigDict(fields)
  for name, before in _ADDED.items():
    *groups, field = name.split('.')
    node = config
    for group in groups:
      node = node[group]
    if field not in node:
      node[field] = before
  return config


def flatten(config: ConfigDict) -> dict[str, Any]:
  """Returns all fields by their dotted names, as JSON would give them back."""
  flat = {}

  def visit(prefix: str, node: Any) -> None:
    if isinstance(node, dict):
      for name, value in node.items():
        visit(f'{prefix}.{name}' if prefix else name, value)
    else:
      flat[prefix] = node

  visit('', json.loads(to_json(config)))
  return flat


def to_json(config: ConfigDict) -> str:
  """Writes a configuration as JSON."""
  return json.dumps(config.to_dict(), indent=2, sort_keys=True)


def digest(config: ConfigDict) -> str:
  """Returns 16 hexadecimal digits that name the configuration."""
  return hashlib.sha256(to_json(config).encode()).hexdigest()[:16]


def check_continues(
  stored: ConfigDict, given: ConfigDict, *, scoring: bool = False
) -> None:
  """Refuses a configuration that cannot go on from a checkpoint.

  Args:
    stored: with which the checkpoint was written.
    given: with which to go on.
    scoring: whether images are scored and nothing is trained.

  Raises:
    UsageError: a field differs that the weights depend on.
  """
  free = _FREE + (_FREE_IN_SCORING if scoring else ())
  old, new = flatten(stored), flatten(given)
  changed = [
    f'config.{name} (was {old[name]!r}, is {new.get(name)!r})'
    # Other fields that the checkpoint does not know were added since, and
    # their default does what was done before.
    for name in sorted(old)
    if old[name] != new.get(name)
    and not any(name == part or name.startswith(part + '.') for part in free)
  ]
  if changed:
    raise UsageError(
      'The weights in this workdir depend on other values of '
      f'{", ".join(changed)}: set them back, or take another --workdir.'
    )
