"""The sla-timer on a real database: events go in through the log and the carrier, clocks come out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import TextClause, select, text

from leadpact.bus.carriers.postgres import PostgresCarrier, PostgresReader
from leadpact.events import Event, Topic
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.handlers import CONSUMER, timer_consumer
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.sweep import Sweeper
from leadpact_sla_timer.tables import sla_clock
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.assignments import PACT
from tests.support.fake_clock import FakeClock


@dataclass
class Timer:
    """The service without its loops: a test says when it reads and when it sweeps."""

    database: Database
    uow: UnitOfWork
    wake: Wake
    clock: FakeClock
    book: PactBook
    reader: PostgresReader
    metrics: TimerMetrics
    registry: CollectorRegistry = field(repr=False)

    async def announce(self, *events: Event) -> None:
        """The router announces ``events`` in one transaction."""
        async with self.uow.transaction() as tx:
            for event in events:
                tx.emit(event)

    async def hear(self, *events: Event) -> None:
        """The router announces ``events`` and the sla-timer applies them."""
        await self.announce(*events)
        await self.read()

    async def read(self) -> None:
        """Apply whatever is waiting in the log."""
        consumer = timer_consumer(self.book, self.clock)
        while await consumer.run_once(self.reader):
            pass

    def sweeper(self, **options: Any) -> Sweeper:
        return Sweeper(self.uow, self.book, self.clock, self.wake, self.metrics, **options)

    async def sweep(self) -> None:
        """Fire whatever is due."""
        sweeper = self.sweeper()
        while (await sweeper.run_once()).more:
            pass

    async def clocks(self) -> list[SlaClock]:
        """All clocks, in the order in which they were made."""
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(select(sla_clock).order_by(sla_clock.c.id))
            return [SlaClock.from_row(row) for row in rows]

    async def only_clock(self) -> SlaClock:
        (clock,) = await self.clocks()
        return clock

    async def said(self, kind: type[Any]) -> list[Any]:
        """The events of one kind that were announced."""
        return await announced(self.database.engine, kind)

    async def until_somebody_waits_for_a_lock(self) -> None:
        """Return once a transaction waits for what another one holds."""
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        while True:
            async with self.database.engine.connect() as connection:
                if (await connection.execute(waiting)).scalar_one():
                    return
            await asyncio.sleep(0.01)

    async def multiply(self, count: int) -> None:
        """Put many copies of every clock beside it."""
        async with self.database.engine.begin() as connection:
            await connection.execute(_copies(count))
            await connection.execute(text("ANALYZE sla_clock"))

    async def apply_pact(self, text: str) -> int:
        """Put a pact in force; its version."""
        async with self.uow.transaction() as tx:
            applied, _ = await self.book.apply(tx, text, applied_by="test")
        return applied.version


def _copies(count: int) -> TextClause:
    """Copies of every clock, one in five of them running."""
    changed = {
        "id": "gen_random_uuid()",
        "subject_id": "gen_random_uuid()",
        "state": "CASE WHEN n % 5 = 0 THEN 'running' ELSE 'met' END",
        "next_at": "CASE WHEN n % 5 = 0 THEN c.due_at + n * interval '1 second' END",
    }
    names = [column.name for column in sla_clock.c]
    values = [changed.get(name, f"c.{name}") for name in names]
    return text(
        f"INSERT INTO sla_clock ({', '.join(names)}) "
        f"SELECT {', '.join(values)} FROM sla_clock c, generate_series(1, {count}) n"
    )


@pytest.fixture
async def timer(
    database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock
) -> Timer:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake).reader(CONSUMER, [Topic.LEADS])
    await reader.start()
    registry = CollectorRegistry()
    made = Timer(database, uow, wake, clock, PactBook(), reader, TimerMetrics(registry), registry)
    await made.apply_pact(PACT)
    return made
