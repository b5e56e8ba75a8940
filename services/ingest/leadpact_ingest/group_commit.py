"""Let whatever arrives at the same time share one transaction: one fsync for all of it.

The first to arrive opens a batch and the writer starts. Whatever arrives while it commits waits and goes into the next batch, together. So a
lone post is written at once, and a rush is written in few, larger transactions; nobody ever waits for a timer.

One bad item must not fail its neighbours: a batch that cannot be written is halved until the bad one stands alone, and only whoever
brought that one gets the error. A passing fault (``Transient``) is everybody's. An outcome is given only after the commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from leadpact.errors import Transient

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    outcome: asyncio.Future[Outcome]

    def succeed(self, outcome: Outcome) -> None:
        # Whoever asked may have gone away meanwhile; the item is written all the same.
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class GroupCommit(Generic[Item, Outcome]):
    """Writes items in batches of at most ``at_most``, one batch at a time.

    ``write`` takes a batch and returns one outcome per item, in order, once all of it is committed; if it raises, none of it is.
    """

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]], *, at_most: int = 200
    ) -> None:
        self._write = write
        self._at_most = at_most
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Outcome:
        """Write ``item`` and return its outcome; raises what writing it alone raises."""
        waiting: _Waiting[Item, Outcome] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_until_empty())
        return await waiting.outcome

    async def close(self) -> None:
        """Wait until everything that was submitted is written."""
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write_until_empty(self) -> None:
        try:
            while self._waiting:
                size = min(self._at_most, len(self._waiting))
                await self._settle([self._waiting.popleft() for _ in range(size)])
        finally:
            self._writer = None

    async def _settle(self, batch: Sequence[_Waiting[Item, Outcome]]) -> None:
        try:
            outcomes = await self._write([waiting.item for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Transient):
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
            for waiting in batch:
                waiting.fail(error)
        except BaseException:
            for waiting in batch:
                waiting.outcome.cancel()
            raise
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.succeed(outcome)
