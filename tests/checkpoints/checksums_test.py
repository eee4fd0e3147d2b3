import hashlib

import pytest

from afgan_jax.checkpoints import checksums


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'deep').mkdir()
  (tmp_path / 'deep' / 'ä b').write_bytes(b'1')
  (tmp_path / 'later').write_bytes(b'2')
  checksums.write(tmp_path, exclude=('later',))
  return tmp_path


def test_the_file_is_that_of_sha256sum(folder):
  want = hashlib.sha256(b'1').hexdigest()
  text = (folder / 'SHA256SUMS').read_text('utf-8')
  assert text == f'{want}  deep/ä b\n'


def test_what_is_left_out_may_change(folder):
  (folder / 'later').write_bytes(b'3')
  checksums.verify(folder)


def test_what_was_never_summed_passes(tmp_path):
  checksums.verify(tmp_path)


@pytest.mark.parametrize(
  ('damage', 'reason'),
  [
    (lambda f: (f / 'deep/ä b').write_bytes(b'0'), 'deep/ä b does not match'),
    (lambda f: (f / 'deep/ä b').unlink(), 'deep/ä b is missing'),
    (lambda f: (f / 'SHA256SUMS').write_text('x'), 'x is missing'),
    (lambda f: (f / 'SHA256SUMS').write_bytes(b'\xff'), 'cannot be read'),
  ],
)
def test_damage_is_named(folder, damage, reason):
  damage(folder)
  with pytest.raises(ValueError, match=reason):
    checksums.verify(folder)
