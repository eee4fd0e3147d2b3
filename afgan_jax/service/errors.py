"""Defines the answer to a request that is refused."""

from collections.abc import Mapping


class Refused(Exception):  # noqa: N818
  """A request that is answered by a status and one sentence.

  Attributes:
    status: of HTTP.
    sentence: names what is wrong and says what to do.
    headers: of the answer.
  """

  def __init__(
    self,
    status: int,
    sentence: str,
    headers: Mapping[str, str] | None = None,
  ):
    super().__init__(sentence)
    self.status = status
    self.sentence = sentence
    self.headers = dict(headers or {})
