"""Any value in any field: accepted, or refused in a sentence that names it."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict

from afgan_jax.config.rules import check_config
from afgan_jax.config.store import check_continues, digest, flatten, to_json
from afgan_jax.system.errors import UsageError
from configs import default
from configs.plus import folder

SETTINGS = settings(max_examples=400, deadline=None, derandomize=True)
FIELDS = sorted(flatten(default.get_config()))
NUMBERS = st.one_of(
  st.integers(-3, 3),
  st.integers(),
  st.floats(),
  st.sampled_from([0.5, 1.0, math.inf, -math.inf, math.nan]),
)


ANYTHING = st.recursive(
  st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=3)),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.text('ab'), inner)
  ),
  max_leaves=4,
)


@st.composite
def changes(draw):
  """Draws a field and a value that its type lets in."""
  name = draw(st.sampled_from(FIELDS))
  config = default.get_config()
  group = config
  *parents, last = name.split('.')
  for parent in parents:
    group = group[parent]
  kind = type(group[last])
  value = {
    bool: st.booleans(),
    int: st.integers(),
    float: NUMBERS,
    str: st.text(max_size=8),
    tuple: st.lists(st.one_of(NUMBERS, st.text(max_size=3)), max_size=4).map(
      tuple
    ),
  }[kind]
  return name, draw(value)


def _changed(config, name, value):
  with config.ignore_type():
    config.update_from_flattened_dict({name: value})
  return config


def _check_answer(name, value):
  try:
    check_config(_changed(default.get_config(), name, value), num_devices=1)
  except UsageError as error:
    assert f'config.{name}' in str(error)
    assert str(error).endswith('.') and '\n' not in str(error)


@SETTINGS
@given(change=changes())
def test_values_are_accepted_or_refused_in_a_sentence(change):
  _check_answer(*change)


@SETTINGS
@given(name=st.sampled_from(FIELDS), value=ANYTHING)
def test_values_of_any_type_are_accepted_or_refused_in_a_sentence(name, value):
  _check_answer(name, value)


@SETTINGS
@given(change=changes())
def test_configs_survive_save_and_load(change):
  config = _changed(folder.get_config(), *change)
  loaded = ConfigDict(json.loads(to_json(config)))
  assert digest(loaded) == digest(config)
  if 'nan' not in repr(change[1]):  # Which equals nothing.
    check_continues(loaded, config)
