"""Tell every open board when there is something new, so that it asks for it.

What is sent is only "something changed"; the pages are fetched anew, by whoever is still allowed to. Changes that this process commits
are told within a moment; those of other processes, and the passing of time, with the next tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from leadpact.clock import wait_for
from leadpact.events import Topic
from leadpact.storage.wake import Wake
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.webhooks.deliver import RETURNED

_TICK_SECONDS = 5.0
_SETTLE_SECONDS = 0.4
"""An event is applied a moment after it was announced; and a burst of them is one change."""
_STREAM_SECONDS = 600.0
"""Then the browser comes again, and is asked again who it is."""


class Changes:
    """What open boards listen to."""

    def __init__(self, wake: Wake) -> None:
        self._sleeper = wake.sleeper([Topic.LEADS, Topic.SLA, Topic.INBOUND, FLOOR_CHANGED, RETURNED])
        self._next = asyncio.Event()
        self._over = False

    async def run(self, stop: asyncio.Event) -> None:
        """Tell of changes until ``stop``; then every stream ends."""
        while not stop.is_set():
            await self._sleeper.wait(stop, _TICK_SECONDS)
            await wait_for(stop, _SETTLE_SECONDS)
            self._tell()
        self._over = True
        self._tell()

    async def stream(self) -> AsyncIterator[bytes]:
        """Server-sent events (WHATWG HTML §9.2), one for each change, for ten minutes."""
        yield b"retry: 2000\n\n"
        clock = asyncio.get_running_loop().time
        ends_at = clock() + _STREAM_SECONDS
        while not self._over and (seconds := ends_at - clock()) > 0:
            if await wait_for(self._next, seconds):
                yield b"event: changed\ndata:\n\n"

    def _tell(self) -> None:
        self._next.set()
        self._next = asyncio.Event()
