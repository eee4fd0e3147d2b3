"""Compares the licences in model cards with those of the sources."""

import pytest

from afgan_jax.config.schema import PUBLIC_SETS, SOURCES
from afgan_jax.report.data_licences import DATA_SETS, describe_licence
from datasets import btad, mpdd, mvtec_ad, mvtec_ad_2, mvtec_loco, visa

STATED = {
  'mvtec_ad': mvtec_ad.LICENCE,
  'mvtec_ad_2': mvtec_ad_2.SET.licence,
  'mvtec_loco': mvtec_loco.SET.licence,
  'visa': visa.SET.licence,
  'btad': btad.SET.licence,
  'mpdd': mpdd.SET.licence,
}


def describe(source, path=''):
  return describe_licence({'source': source, 'path': path})


@pytest.mark.parametrize('source', PUBLIC_SETS)
def test_public_sets_have_the_licence_of_their_source(source):
  licence, _, note = STATED[source].partition(', so ')
  assert DATA_SETS[source].licence == licence
  text = describe(source)
  assert text.startswith(licence)
  assert ('**not for commercial use**' in text) == (
    note == 'not for commercial use'
  )


def test_each_source_has_a_sentence():
  assert set(DATA_SETS) == set(PUBLIC_SETS)
  for source in SOURCES:
    assert describe(source)
  assert 'Apache License 2.0' in describe('procedural')


def test_the_owner_of_own_images_decides():
  for source in ('folder', 'tfds'):
    text = describe(source, '/data/advisable parts')
    assert text == 'unknown: the owner of the images decides.'


@pytest.mark.parametrize(
  ('path', 'name'),
  [
    ('/data/mvtec_ad/screw', 'MVTec AD'),
    ('D:\\MVTec Anomaly Detection\\screw', 'MVTec AD'),
    ('mvtec_ad/screw_full:1.1.0', 'MVTec AD'),
    ('~/MVTec-AD-2/can', 'MVTec AD 2'),
    ('BTech_Dataset_transformed/01', 'BTAD'),
    ('/data/VisA/candle/', 'VisA'),
  ],
)
def test_a_folder_with_the_name_of_a_public_set_is_told(path, name):
  text = describe('folder', path)
  assert text.startswith('unknown')
  assert f'that of {name}.' in text
  assert ('**not for commercial use**' in text) == (name != 'VisA')
