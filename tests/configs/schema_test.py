"""The table of fields and `configs/default.py` belong together."""

import subprocess
import sys

import pytest

from afgan_jax.config import schema
from afgan_jax.config.method_fields import METHOD_FIELDS, fields_of
from afgan_jax.config.schema import SameAs
from afgan_jax.config.store import flatten
from afgan_jax.preprocessing.decode import MAX_PIXELS
from afgan_jax.preprocessing.geometry import GEOMETRIES
from configs import default

FIELDS = fields_of('afgan')


def test_every_field_of_the_default_config_has_one_entry():
  assert set(FIELDS) == set(flatten(default.get_config()))


@pytest.mark.parametrize('name', FIELDS)
def test_defaults_and_what_was_before_are_allowed(name):
  flat, field = flatten(default.get_config()), FIELDS[name]
  assert field.allowed.accepts(flat[name])
  before = field.before
  if isinstance(before, SameAs):
    assert FIELDS[before.field].before is None
    before = flat[before.field]
  assert before is None or field.allowed.accepts(before)


# Other defaults than what was done before make old configs train otherwise.
def test_new_fields_do_by_default_what_was_done_before_but_for_one():
  flat = flatten(default.get_config())
  changed = set()
  for name, field in FIELDS.items():
    before = field.before
    if isinstance(before, SameAs):
      before = flat[before.field]
    if isinstance(before, tuple):
      before = list(before)
    if before is not None and before != flat[name]:
      changed.add(name)
  # Eq 12 was read in another way.
  assert changed == {'loss.discriminator_latent_weight'}


def test_every_method_of_the_package_has_a_table():
  assert set(METHOD_FIELDS) == set(schema.METHODS)


def test_only_fields_added_later_are_left_out_of_digests():
  for field in FIELDS.values():
    assert field.before is not None or not field.omit_before


def test_values_that_other_packages_know_are_the_same():
  assert schema.GEOMETRIES == GEOMETRIES
  assert FIELDS['data.max_pixels'].before == MAX_PIXELS


def test_flags_are_checked_without_what_is_slow_to_import():
  program = """
import sys
import afgan_jax.config.derived, afgan_jax.config.rules
slow = {'jax', 'flax', 'numpy', 'scipy', 'tensorflow', 'PIL'}
sys.exit(bool(slow & {name.partition('.')[0] for name in sys.modules}))
"""
  subprocess.run([sys.executable, '-c', program], check=True)
