"""Lists the runs of a study and checks its config."""

import copy
import dataclasses
import difflib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.folds import check_study
from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.schema import PUBLIC_SETS
from afgan_jax.config.store import delete_field, flatten, set_field
from afgan_jax.study import paper
from afgan_jax.study.folds import divide
from afgan_jax.system.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Run:
  """A training run with its evaluation.

  Attributes:
    category: its name in the study.
    variant: its name in the study.
    seed: of weights, augmentation and the order of images.
    config: of the run, without the group `study`.
    workdir: of the run.
    measure: 'test', or 'validation' to not read the test set.
    fold: that is held out; None without folds.
  """

  category: str
  variant: str
  seed: int
  config: ConfigDict
  workdir: pathlib.Path
  measure: str
  fold: int | None = None

  def __str__(self) -> str:
    name = f'{self.category}, {self.variant}, seed {self.seed}'
    return name if self.fold is None else f'{name}, fold {self.fold}'


@dataclasses.dataclass(frozen=True)
class Study:
  """A comparison of variants on categories over seeds.

  Attributes:
    config: of the study, with the group `study`.
    categories: their names.
    variants: their names.
    seeds: of each category and variant.
    reference: the variant that the others are compared with.
    runs: all runs, ordered by seed, so that a stopped study has whole tables.
  """

  config: ConfigDict
  categories: tuple[str, ...]
  variants: tuple[str, ...]
  seeds: tuple[int, ...]
  reference: str
  runs: tuple[Run, ...]

  def mvtec_name(self, category: str) -> str | None:
    """Returns the category's name in the paper, or None if not comparable.

    The paper's results are on test sets, so they are not compared with
    synthetic defects.

    Args:
      category: its name in the study; of a path the last part is used.
    """
    name = _last_part(category)
    known = name in paper.TEXTURES + paper.OBJECTS
    on_test_set = self.config.study.measure == 'test'
    generated = self.config.data.source == 'procedural'
    return name if known and on_test_set and not generated else None


def make_plan(
  config: ConfigDict, workdir: pathlib.Path, num_devices: int
) -> Study:
  """Lists the runs of a study without reading or writing files.

  Args:
    config: with the group `study`, see `configs/paper/variants.py`.
    workdir: of the study; runs are in `<category>/<variant>/seed_<n>`, with
      folds in `fold_<k>` of these.
    num_devices: among which each batch is divided.

  Returns:
    The study.

  Raises:
    UsageError: if a field is invalid.
  """
  study = config.study
  _check_names(config)
  whole = (
    Run(
      category,
      variant,
      seed,
      _run_config(config, category, variant, seed),
      workdir / category / variant / f'seed_{seed}',
      study.measure,
    )
    for seed in study.seeds
    for category in study.categories
    for variant in study.variants
  )
  # Studies of older versions have no folds.
  folds = study.get('folds', 0)
  runs = tuple(run for each in whole for run in divide(each, folds))
  for run in runs:
    try:
      check_config(run.config, num_devices)
    except UsageError as error:
      raise UsageError(f'{run}: {error}') from error
  names = (tuple(study[n]) for n in ('categories', 'variants', 'seeds'))
  return Study(config, *names, study.reference, runs)


def _check_names(config: ConfigDict) -> None:
  study = config.study
  for name in ('categories', 'variants', 'seeds'):
    values = tuple(study[name])
    if not values or len(set(map(repr, values))) < len(values):
      raise UsageError(
        f'config.study.{name} is {values!r}: name at least one, each once.'
      )
  for seed in study.seeds:
    if not isinstance(seed, int) or seed < 0:
      raise UsageError(
        f'config.study.seeds is {study.seeds!r}: give whole numbers from 0, '
        'such as (0, 1, 2).'
      )
  known = tuple(study.variant_fields)
  for variant in study.variants:
    _check_known('variants', variant, known)
  _check_known('reference', study.reference, known)
  _check_known('measure', study.measure, ('test', 'validation'))
  check_study(config)
  for category in study.categories:
    if config.data.source == 'mvtec_ad':
      _check_known('categories', category, paper.TEXTURES + paper.OBJECTS)
    _check_relative(category)


def _check_known(field: str, name: Any, known: tuple[str, ...]) -> None:
  if name not in known:
    raise UsageError(
      f'config.study.{field} has {name!r}: choose among {", ".join(known)}.'
    )


def _check_relative(category: Any) -> None:
  """Raises UsageError if a run would be outside the study's folder."""
  path = pathlib.PurePosixPath(str(category))
  if (
    not isinstance(category, str)
    or path.is_absolute()
    or '..' in path.parts
    or category != str(path)
    or category == '.'
  ):
    raise UsageError(
      f'config.study.categories has {category!r}: give names of folders below '
      "config.data.path, such as 'screw' or 'mvtec_ad/screw'."
    )


def _last_part(category: str) -> str:
  return pathlib.PurePosixPath(category).name


def _run_config(
  config: ConfigDict, category: str, variant: str, seed: int
) -> ConfigDict:
  # A deep copy keeps references between fields, so that `base_features` of a
  # variant applies to both networks, as on the command line.
  run = copy.deepcopy(config)
  with run.unlocked():
    del run.study
  by_category = config.study.category_fields
  name = category if category in by_category else _last_part(category)
  _override(run, f'category_fields.{name}', by_category.get(name, {}))
  fields = config.study.variant_fields[variant]
  _set_method(run, fields.get('method', run.method))
  _override(run, f'variant_fields.{variant}', fields)
  # Studies of one method have none.
  both = config.study.get('variant_category_fields', {}).get(variant, {})
  name = category if category in both else _last_part(category)
  origin = f'variant_category_fields.{variant}.{name}'
  _override(run, origin, both.get(name, {}))
  run.seed = seed
  if run.data.source in (*PUBLIC_SETS, 'tfds'):
    run.data.category = category
  elif run.data.source == 'folder' and run.data.path:
    run.data.path = str(pathlib.Path(run.data.path) / category)
  return run.copy_and_resolve_references()


def _set_method(run: ConfigDict, method: str) -> None:
  """Sets the method, and deletes the fields that it does not have."""
  old, new = fields_of(run.method), fields_of(method)
  with run.unlocked():
    for name in old.keys() - new.keys():
      delete_field(run, name)
  run.method = method


def _override(run: ConfigDict, origin: str, fields: Mapping[str, Any]) -> None:
  missing = fields_of(run.method).keys() - flatten(run).keys()
  known = flatten(run) | dict.fromkeys(missing)
  for name, value in _flatten('', fields):
    if name not in known:
      nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
      raise UsageError(
        f'config.study.{origin} sets {name}, which is not a field: did you '
        f'mean {nearest[0]}?'
      )
    if name in missing:  # Of a variant's method; `check_config` checks it.
      with run.unlocked():
        set_field(run, name, value)
      continue
    try:
      run.update_from_flattened_dict({name: value})
    except (TypeError, ValueError) as error:
      raise UsageError(
        f'config.study.{origin} sets {name} to {value!r}: its type must be '
        f'that of {known[name]!r}.'
      ) from error


def _flatten(prefix: str, node: Any) -> Iterator[tuple[str, Any]]:
  """Yields dotted names and values of nested fields."""
  for name, value in node.items():
    if isinstance(value, Mapping | ConfigDict):
      yield from _flatten(f'{prefix}{name}.', value)
    else:
      yield prefix + name, value
