"""What is wrong with data, in a sentence for a person."""

import re


class DataError(ValueError):
  """An image, a mask or a folder that cannot be used.

  Its message is one sentence that names the file or folder and says what to
  do, on one line whatever characters the name has.
  """

  def __init__(self, message: str):
    """Takes the sentence; control characters in it are escaped."""
    super().__init__(
      re.sub(
        r'[\x00-\x1f\x7f-\x9f]', lambda found: repr(found[0])[1:-1], message
      )
    )
