from afgan_jax.config.few import describe_few, describe_few_held_out


def test_enough_images_need_no_word():
  assert describe_few(20, 10, (0.5, 0.9)) == ''


def test_few_images_are_told_with_the_interval():
  for counts in ((19, 10), (20, 9), (0, 3)):
    sentence = describe_few(*counts, (0.5, 0.91234))
    assert f'{counts[0]} good and {counts[1]} defective' in sentence
    assert '0.5000 to 0.9123' in sentence


def test_an_interval_without_width_is_not_shown_as_certain():
  # Three good and three defective images that are separated: resampling them
  # always gives an AUROC of 1.
  sentence = describe_few(3, 3, (1.0, 1.0))
  assert 'more than an interval from resampling' in sentence
  assert '1.0000' not in sentence
  assert 'interval' not in describe_few(3, 3)


def test_few_held_out_images_are_told():
  assert describe_few_held_out(20) == ''
  assert '19 good ones' in describe_few_held_out(19)
