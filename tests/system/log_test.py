import logging

from afgan_jax.system.log import logger


def test_names_that_are_not_text_are_escaped_for_every_handler():
  records = []
  handler = logging.Handler()
  handler.emit = records.append
  logger.addHandler(handler)
  try:
    logger.warning('%s has %d pages, 100 %%', 'a\udcff.png', 2)
    logger.warning('50 % of ü.png')
  finally:
    logger.removeHandler(handler)
  first, second = (record.getMessage() for record in records)
  assert first == 'a\\udcff.png has 2 pages, 100 %'
  assert second == '50 % of ü.png'
