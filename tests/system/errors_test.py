import pytest

from afgan_jax.system.errors import DataError, first_line, in_short


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


@pytest.mark.parametrize(
  ('error', 'text'),
  [
    (ValueError('\nOne.\nTwo.'), 'One.'),
    (ValueError(), 'ValueError'),
    (ValueError('x' * 300), 'x' * 300),
  ],
)
def test_the_first_line_of_an_error_of_a_library(error, text):
  assert first_line(error) == text
