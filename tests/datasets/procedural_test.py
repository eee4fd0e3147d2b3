"""Tests of the generated data set."""

import functools
import hashlib

import numpy as np
import pytest
from sklearn import metrics

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system import errors
from datasets import procedural, source, split
from datasets import procedural_sprocket as sprocket

SIZE = 64
GRAIN_LEVELS = 9  # Six standard deviations of the grain, of 255 grey levels.


@pytest.fixture(params=procedural.KINDS)
def kind(request):
  return request.param


@functools.cache
def _read(name: str, kind: str = 'sprocket') -> split.Split:
  samples = getattr(procedural.ProceduralSource(seed=0, kind=kind), name)()
  return split.read_split(samples, Preprocessor(SIZE))


def _small(kind: str, seed: int = 0) -> procedural.ProceduralSource:
  return procedural.ProceduralSource(
    seed, num_train=3, num_test_good=2, num_test_per_defect=3, kind=kind
  )


def _defective(kind: str, seed: int = 0) -> list[source.Sample]:
  return [s for s in _small(kind, seed).test() if s.defect_type != source.GOOD]


def _trivial_scores(train: np.ndarray, test: np.ndarray) -> dict:
  nearest = [np.abs(train - image).mean((1, 2, 3)).min() for image in test]
  return {
    'brightness': test.mean((1, 2, 3)),
    'mean_image': np.abs(test - train.mean(0)).mean((1, 2, 3)),
    'nearest_image': np.array(nearest),
  }


def test_default_counts_and_every_defect_type():
  split = _read('test')
  types, counts = np.unique(split.defect_types, return_counts=True)
  assert dict(zip(types.tolist(), counts.tolist(), strict=True)) == {
    'good': 40,
    'missing_tooth': 12,
    'bent_edge': 12,
    'scratch': 12,
    'stain': 12,
    'dent': 12,
  }
  assert len(_read('train')) == 256
  paths = _read('train').paths + split.paths
  assert len(set(paths)) == len(paths)
  assert 'test/missing_tooth/003' in paths


@pytest.mark.parametrize('size', [32, 64, 100])
def test_shapes_and_dtypes(size, kind):
  for sample in _small(kind).test():
    image, mask, *_ = sample.read(Preprocessor(size), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.float16
    if mask is not None:
      assert mask.shape == (size, size)
      assert mask.dtype == np.uint8
      assert set(np.unique(mask)) == {0, 1}


def test_good_samples_have_no_mask_and_defective_ones_do(kind):
  for sample in _small(kind).train() + _small(kind).test():
    mask = sample.read(Preprocessor(SIZE), SIZE).mask
    assert (mask is None) == (sample.defect_type == source.GOOD)


def test_same_seed_gives_same_bytes_in_any_order(kind):
  first = [s.read(Preprocessor(SIZE), 0).pixels for s in _small(kind).test()]
  again = [
    s.read(Preprocessor(SIZE), 0).pixels for s in reversed(_small(kind).test())
  ]
  np.testing.assert_array_equal(first, again[::-1])


def test_image_does_not_depend_on_how_many_are_asked_for(kind):
  few = {s.path: s for s in _small(kind).train() + _small(kind).test()}
  many = procedural.ProceduralSource(seed=0, kind=kind)
  shared = [s for s in many.train() + many.test() if s.path in few]
  assert len(shared) == len(few)
  for sample in shared:
    np.testing.assert_array_equal(
      sample.read(Preprocessor(SIZE), 0).pixels,
      few[sample.path].read(Preprocessor(SIZE), 0).pixels,
    )


def test_images_differ_among_seeds_splits_and_indices(kind):
  images = [
    s.read(Preprocessor(SIZE), 0).pixels.tobytes()
    for seed in (0, 1)
    for s in _small(kind, seed).train() + _small(kind, seed).test()
  ]
  assert len(set(images)) == len(images)


def test_part_is_the_same_at_every_size(kind):
  for sample in _small(kind).test():
    large = sample.read(Preprocessor(2 * SIZE), 0).pixels.astype(float)
    shrunk = large.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
    small = sample.read(Preprocessor(SIZE), 0).pixels
    assert np.abs(shrunk - small).mean() < 4


def test_masks_are_where_the_defective_twin_differs(kind):
  drawing = procedural.KINDS[kind]
  for sample in _defective(kind):
    key = sample.read.args[0]
    scene, defect, _ = drawing.draw_part(key, sample.defect_type)
    twin = 255 * drawing.render(scene, type(defect)(), SIZE)
    change = np.abs(sample.read(Preprocessor(SIZE), 0).pixels - twin).max(
      axis=-1
    )
    mask = sample.read(Preprocessor(SIZE), SIZE).mask.astype(bool)
    visible = 255 * procedural.VISIBLE
    assert 0 < mask.mean() < 0.5, sample.path
    assert change[mask].min() > visible - GRAIN_LEVELS, sample.path
    assert change[~mask].max() < visible + GRAIN_LEVELS, sample.path
    assert change[mask].mean() > 4 * change[~mask].mean(), sample.path


def test_masks_are_as_large_at_every_size(kind):
  for sample in _defective(kind):
    small, large = (
      sample.read(Preprocessor(s), s).mask.mean() for s in (64, 128)
    )
    assert abs(small - large) < 0.25 * max(small, large) + 0.01, sample.path


def test_defects_have_enough_energy_for_a_mean_residual():
  energies = []
  for index in range(40):
    for number, defect_type in enumerate(sprocket.DEFECTS, 1):
      key = (5, 1, number, index)
      scene, defect, _ = sprocket.draw_part(key, defect_type)
      broken = sprocket.render(scene, defect, SIZE)
      intact = sprocket.render(scene, sprocket.Defect(), SIZE)
      energies.append(np.abs(broken - intact).mean())
  assert np.median(energies) >= 0.015
  assert np.quantile(energies, 0.1) >= 0.007
  assert min(energies) >= 0.005


def test_trivial_scores_do_not_solve_it(kind):
  train, test = _read('train', kind), _read('test', kind)
  scores = _trivial_scores(
    train.images.astype(np.float32), test.images.astype(np.float32)
  )
  for name, score in scores.items():
    auroc = metrics.roc_auc_score(test.labels, score)
    assert max(auroc, 1 - auroc) <= 0.75, f'{name}: {auroc:.3f}'


def test_bytes_of_the_first_kind_stay():
  # Of the version before the second kind.
  image = procedural.draw_image((0, 1, 2, 3), 'bent_edge', SIZE)
  digest = hashlib.sha256(image.tobytes()).hexdigest()
  assert digest.startswith('e374cddebfb1db9d')


def test_nothing_to_learn_from_is_an_error():
  with pytest.raises(errors.DataError):
    procedural.ProceduralSource(num_train=0).train()
