"""Tell sleeping readers in this process that there is something new to read.

Polling is the truth; this only shortens the wait. A writer pokes after its commit; a reader that was asleep looks
at once. Nothing is lost when a poke is: the next poll finds the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Wake:
    """Pokes by name (a topic, or any word that two parts agree on)."""

    def __init__(self) -> None:
        self._sleepers: dict[str, set[asyncio.Event]] = {}

    def poke(self, names: Iterable[str]) -> None:
        """Wake everybody who waits for one of ``names``."""
        for name in names:
            for sleeper in self._sleepers.get(name, ()):
                sleeper.set()

    def sleeper(self, names: Iterable[str]) -> Sleeper:
        """A place to wait for any of ``names``. A poke between two waits is remembered."""
        event = asyncio.Event()
        for name in names:
            self._sleepers.setdefault(name, set()).add(event)
        return Sleeper(event)


class Sleeper:
    """Waits for a poke, an interval or the stop."""

    def __init__(self, poked: asyncio.Event) -> None:
        self._poked = poked

    @property
    def is_poked(self) -> bool:
        """Whether a poke has come since the last wait, or since pokes were forgotten."""
        return self._poked.is_set()

    def forget(self) -> None:
        """Take the pokes so far for heeded."""
        self._poked.clear()

    async def wait(self, stop: asyncio.Event, seconds: float) -> bool:
        """True if poked before ``seconds`` had passed; returns at once when ``stop`` is set."""
        if stop.is_set():
            return False
        waits = [asyncio.ensure_future(self._poked.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        poked = self._poked.is_set()
        self._poked.clear()
        return poked
