"""Reads tokens and compares those of requests with them."""

import hmac
import os
import pathlib
import re
from collections.abc import Mapping

from starlette.datastructures import Headers

from afgan_jax.service.errors import Refused
from afgan_jax.system.errors import UsageError

ENVIRONMENT = 'AFGAN_TOKEN'
_TOKEN = re.compile(r'[\x21-\x7e]{8,512}')
_NAME = re.compile(r'[A-Za-z0-9._-]{1,64}')
_DEFAULT_NAME = 'token'


def read_tokens(path: str | os.PathLike[str] | None) -> dict[str, str]:
  """Reads the tokens of a file, or that of the environment.

  Args:
    path: of a file with a line for each token: the token, or `NAME TOKEN`;
      lines that begin with # are comments. None for the variable
      `AFGAN_TOKEN`.

  Returns:
    Tokens by their names, which the log gives; empty if there is none.

  Raises:
    UsageError: the file cannot be read, or a token is not usable.
  """
  if path is None:
    value = os.environ.get(ENVIRONMENT, '').strip()
    return check_tokens({_DEFAULT_NAME: value} if value else {}, ENVIRONMENT)
  try:
    lines = pathlib.Path(path).read_text('utf-8').splitlines()
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or 'it is no text'
    raise UsageError(
      f'The token file {path} cannot be read ({reason}).'
    ) from error
  tokens: dict[str, str] = {}
  for number, line in enumerate(lines, 1):
    words = line.split()
    if not words or words[0].startswith('#'):
      continue
    name = words[0] if len(words) > 1 else _DEFAULT_NAME
    if len(words) > 2 or name in tokens:
      raise UsageError(
        f'Line {number} of the token file {path} must be a token, or NAME '
        'TOKEN with a name of its own.'
      )
    tokens[name] = words[-1]
  if not tokens:
    raise UsageError(f'The token file {path} holds no token.')
  return check_tokens(tokens, str(path))


def check_tokens(tokens: Mapping[str, str], place: str) -> dict[str, str]:
  """Checks tokens.

  Args:
    tokens: by their names.
    place: where they come from, for messages.

  Raises:
    UsageError: a token or its name is not usable; it does not give the token.
  """
  for name, token in tokens.items():
    if not _TOKEN.fullmatch(token) or not _NAME.fullmatch(name):
      raise UsageError(
        f'A token of {place} is not usable: take 8 to 512 ASCII characters '
        'without spaces, and letters, digits, points and hyphens for its name.'
      )
  return dict(tokens)


def authorize(headers: Headers, tokens: Mapping[str, str]) -> str:
  """Checks the token of a request.

  Args:
    headers: of the request.
    tokens: by their names.

  Returns:
    The name of the token.

  Raises:
    Refused: with 401, there is none, or it is wrong.
  """
  scheme, _, given = headers.get('authorization', '').partition(' ')
  found = ''
  for name, token in tokens.items():  # All, so that the time tells nothing.
    if hmac.compare_digest(given.strip().encode(), token.encode()):
      found = name
  if scheme.lower() != 'bearer' or not found:
    raise Refused(
      401,
      'A token is needed: send the header "Authorization: Bearer TOKEN" with a '
      'valid one.',
      {'WWW-Authenticate': 'Bearer'},
    )
  return found
