import pytest
from PIL import Image

from afgan_jax.system.errors import DataError
from datasets import mvtec_ad


def test_mvtec_ad_opens_one_category(tmp_path):
  for folder, count in (
    ('screw/train/good', 3),
    ('screw/test/good', 2),
    ('screw/test/scratch_neck', 4),
    ('tile/train/good', 1),
  ):
    (tmp_path / folder).mkdir(parents=True)
    for i in range(count):
      Image.new('L', (4, 4)).save(tmp_path / folder / f'{i}.png')
  source = mvtec_ad.open_category(str(tmp_path), 'screw')
  assert len(source.train()) == 3
  assert len(source.test()) == 6


def test_mvtec_ad_has_fifteen_categories():
  assert len(set(mvtec_ad.CATEGORIES)) == 15


@pytest.mark.parametrize('category', ['', 'Screw', 'wheel'])
def test_unknown_category_lists_the_choices(tmp_path, category):
  with pytest.raises(DataError) as caught:
    mvtec_ad.open_category(str(tmp_path), category)
  assert repr(category) in str(caught.value)
  for choice in ('bottle', 'metal_nut', 'zipper', 'carpet', 'wood'):
    assert choice in str(caught.value)


def test_category_that_is_not_there_is_named(tmp_path):
  with pytest.raises(DataError) as caught:
    mvtec_ad.open_category(str(tmp_path), 'screw')
  assert str(tmp_path / 'screw') in str(caught.value)
