"""Configs that earlier versions stored, see the files in `stored`."""

import json
import pathlib

import pytest

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import (
  check_continues,
  digest,
  flatten,
  from_stored,
)
from afgan_jax.system.errors import UsageError
from configs import default

FIELDS = fields_of('afgan')
STORED = sorted(pathlib.Path(__file__).parent.glob('stored/*.json'))


def read(name):
  path = pathlib.Path(__file__).parent / 'stored' / f'{name}.json'
  return json.loads(path.read_text(encoding='utf-8'))


@pytest.mark.parametrize('path', STORED, ids=lambda path: path.stem)
def test_configs_of_every_version_get_every_field(path):
  fields = json.loads(path.read_text(encoding='utf-8'))
  config = from_stored(fields)
  assert set(flatten(config)) == set(FIELDS)
  check_config(config, num_devices=1)
  # What is stored is left as it is.
  assert fields == json.loads(path.read_text(encoding='utf-8'))


def test_the_first_version_did_what_the_paper_does():
  config = from_stored(read('first_version'))
  given = default.get_config()
  # These defaults are no longer the first version's.
  given.data.placement = 'host'
  given.loss.discriminator_latent_weight = 0.0
  assert flatten(config) == flatten(given)
  check_continues(config, given)


def test_fields_that_followed_others_follow_the_stored_ones():
  fields = read('first_version')
  fields['image_size'] = 128
  fields['generator']['base_features'] = 8
  config = from_stored(fields)
  assert config.tile_size == 128
  assert config.segmentation.base_features == 8


@pytest.mark.parametrize('name', FIELDS)
def test_a_missing_field_is_filled_or_named(name):
  config = default.get_config()
  expected = flatten(config)
  if name == 'loss.discriminator_latent_weight':
    expected[name] = 0.0
  *groups, last = name.split('.')
  fields = config.to_dict()
  group = fields
  for part in groups:
    group = group[part]
  del group[last]
  stored = from_stored(fields)
  if FIELDS[name].before is not None:
    assert flatten(stored) == expected
    check_config(stored, num_devices=1)
    return
  with pytest.raises(UsageError, match=f'has no field config.{name}:'):
    check_config(stored, num_devices=1)


def test_fields_that_moved_or_are_gone_do_not_stop_a_run():
  config = from_stored(read('with_noise_and_parts'))
  assert config.data.part == r'part(\d+)'
  assert 'part' not in config.calibration
  given = default.get_config()
  given.data.part = r'part(\d+)'
  given.loss.discriminator_latent_weight = 0.0
  given.augmentation = config.augmentation
  check_continues(config, given)


def test_noise_that_there_no_longer_is_stops_a_run():
  fields = read('with_noise_and_parts')
  fields['variation']['noise'] = 0.1
  with pytest.raises(UsageError, match='config.variation.noise'):
    check_continues(from_stored(fields), default.get_config())


def test_what_is_new_cannot_be_turned_on_in_a_run_without_it():
  stored = from_stored(read('before_method'))
  given = default.get_config()
  given.method = 'other'
  with pytest.raises(UsageError, match=r'config\.method \(was .afgan., is'):
    check_continues(stored, given, scoring=True)
  stored, given = from_stored(read('first_version')), default.get_config()
  given.loss.ssim_weight = 1.0
  with pytest.raises(UsageError, match=r'config\.loss\.ssim_weight'):
    check_continues(stored, given)


def test_runs_keep_their_digest_when_fields_are_added():
  # As version 0.1.0 computed it, which had no `method`. A study would
  # evaluate all finished runs again with any other.
  assert digest(from_stored(read('before_method'))) == '187eb892bec9b80d'
  assert digest(default.get_config()) == '187eb892bec9b80d'


def test_digests_tell_new_fields_that_are_set():
  config = default.get_config()
  config.method = 'other'
  assert digest(config) != digest(default.get_config())
