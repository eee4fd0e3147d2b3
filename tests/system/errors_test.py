from afgan_jax.system.errors import DataError


def test_a_message_stays_on_one_line_whatever_a_name_holds():
  error = DataError('a\nb\x1b[31m\x9b.png, "ü" and\tmore')
  assert str(error) == r'a\nb\x1b[31m\x9b.png, "ü" and\tmore'
