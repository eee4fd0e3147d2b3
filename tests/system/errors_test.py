import pytest

from afgan_jax.system.errors import DataError, in_short


def test_a_message_stays_on_one_line_whatever_a_name_holds():
  error = DataError('a\nb\x1b[31m\x9b.png, "ü" and\tmore')
  assert str(error) == r'a\nb\x1b[31m\x9b.png, "ü" and\tmore'


@pytest.mark.parametrize(
  ('error', 'text'),
  [
    (ValueError('One.\nTwo.'), 'One.'),
    (ValueError(), 'ValueError'),
    (ValueError('x' * 300), 'x' * 200),
    (
      ValueError('RESOURCE_EXHAUSTED: 5: No space left on device [code=28]'),
      'No space left on device',
    ),
  ],
)
def test_errors_of_libraries_are_shortened(error, text):
  assert in_short(error) == text
