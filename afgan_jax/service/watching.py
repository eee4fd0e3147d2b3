"""Watches the folders of models and reloads those that change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from afgan_jax.service.journal import Journal
from afgan_jax.service.models import Model, Models
from afgan_jax.service.stamps import stamp_of

_WHO = 'folder'
_LONGEST_PAUSE = 32  # Looks between two tries of a model that does not load.


class Watcher:
  """Looks at the folder of one model again and again."""

  def __init__(self, models: Models, model: Model):
    """Watches `model`."""
    self._models, self._model = models, model
    self._last = stamp_of(model.folder)
    self._failures = self._pause = 0

  async def look(self) -> None:
    """Reloads the model if its files have changed and are steady since.

    A model that does not load is tried again, at first after one look and then
    after ever more of them, since its files may have been copied one by one.
    """
    stamp = stamp_of(self._model.folder)
    is_steady, self._last = stamp == self._last, stamp
    if stamp == self._model.loaded.stamp:
      if self._failures:  # The old files are back.
        self._model.problem = ''
      self._failures = self._pause = 0
      return
    if not is_steady:
      self._pause = 0
      return
    if self._pause:
      self._pause -= 1
    elif not await self._models.reload(self._model.name, _WHO):
      self._failures += 1
      self._pause = min(2**self._failures, _LONGEST_PAUSE)


@contextlib.asynccontextmanager
async def watch(
  models: Models, poll_s: float, journal: Journal
) -> AsyncIterator[None]:
  """Watches the folders of all models while the context is entered.

  Args:
    models: in service.
    poll_s: seconds between two looks.
    journal: told of errors of this program.
  """
  watchers = [Watcher(models, model) for model in models]

  async def look_again() -> None:
    while True:
      await asyncio.sleep(poll_s)
      for watcher in watchers:
        try:
          await watcher.look()
        except Exception as error:  # The service goes on.
          journal.write('failure', error=f'{type(error).__name__}: {error}')

  task = asyncio.create_task(look_again())
  try:
    yield
  finally:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
      await task
