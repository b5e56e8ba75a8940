"""What the carrier contract needs of a carrier under test: announce something, read it with any number of instances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.carrier import ApplyBatch, Carrier, Reader
from leadpact.events import SlaCancelled, Topic
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import UnitOfWork
from tests.support.fake_clock import TUESDAY_MORNING

PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Carrying:
    """A carrier with its database."""

    name: str
    carrier: Carrier
    engine: AsyncEngine
    uow: UnitOfWork
    why_not_shared: str = ""
    """Why two instances of a group cannot be tried here; empty where they can."""

    def reader(self, consumer: str) -> Reader:
        """A new instance of the group, reading the SLA topic."""
        return self.carrier.reader(consumer, [Topic.SLA])


def fact(key: object, text: str) -> SlaCancelled:
    """A small event whose ``reason`` the tests can recognise and whose key is a UUID made of ``key``."""
    return SlaCancelled(
        occurred_at=TUESDAY_MORNING,
        clock_id=new_id(),
        lead_id=key,
        assignment_id=new_id(),
        policy="contract",
        rep_id="ana",
        due_at=TUESDAY_MORNING,
        reason=text,
    )


async def announce(uow: UnitOfWork, events: Sequence[SlaCancelled]) -> None:
    """Announce all in one transaction."""
    async with uow.transaction() as tx:
        for event in events:
            tx.emit(event)


@asynccontextmanager
async def running(reader: Reader, apply: ApplyBatch) -> AsyncIterator[asyncio.Task[None]]:
    """Read in the background until the end of the block."""
    stop = asyncio.Event()

    async def loop() -> None:
        await reader.start()
        while not stop.is_set():
            if not await reader.run_once(apply):
                await reader.wait(stop)

    task = asyncio.create_task(loop())
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])
        await reader.stop()


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; fail after ``PATIENCE_SECONDS``."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


__all__ = ["Carrying", "Topic", "announce", "fact", "running", "until"]
