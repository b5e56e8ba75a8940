"""The log forgets what everybody has read and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.events import MessageDeadLettered, SlaCancelled, Topic
from leadpact.ids import EventId, new_id
from leadpact.storage.housekeeping import prune_once
from leadpact.storage.inbox import record_new
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.carrying import announce, fact
from tests.support.event_examples import EXAMPLES

UowFor = Callable[[str], UnitOfWork]


@dataclass(frozen=True)
class Retention:
    log_retention_hours: float = 72
    inbox_retention_hours: float = 336


async def read_all(uow: UnitOfWork, wake: Wake, consumer: str) -> None:
    reader = PostgresCarrier(uow, wake).reader(consumer, [Topic.SLA])

    async def apply(tx: Transaction, batch: Sequence[Delivery]) -> None:
        await record_new(tx, consumer, [one.message.id for one in batch if one.message])

    await reader.start()
    while await reader.run_once(apply):
        pass


async def age_the_log(database: Database, by: timedelta) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE outbox SET logged_at = logged_at - CAST(:by AS interval)"), {"by": by}
        )


async def prune_all(uow: UnitOfWork) -> None:
    while await prune_once(uow, Retention()):
        pass


async def test_old_rows_go_once_every_group_has_passed_them(
    database: Database, uow_for: UowFor, wake: Wake
) -> None:
    uow = uow_for("test")
    await read_all(uow, wake, "quick")
    await read_all(uow, wake, "slow")
    await announce(uow, [fact(new_id(), str(number)) for number in range(300)])
    await read_all(uow, wake, "quick")
    await age_the_log(database, timedelta(hours=73))

    await prune_all(uow)
    assert len(await announced(database.engine, SlaCancelled)) == 300

    await read_all(uow, wake, "slow")
    await prune_all(uow)
    assert await announced(database.engine, SlaCancelled) == []


async def test_young_rows_stay_though_everybody_has_read_them(
    database: Database, uow_for: UowFor, wake: Wake
) -> None:
    uow = uow_for("test")
    await announce(uow, [fact(new_id(), "young")])
    await read_all(uow, wake, "quick")
    await age_the_log(database, timedelta(hours=71))
    await prune_all(uow)
    assert len(await announced(database.engine, SlaCancelled)) == 1


async def test_what_nobody_has_read_stays_however_old_it_is(database: Database, uow_for: UowFor) -> None:
    uow = uow_for("test")
    await announce(uow, [fact(new_id(), "unread")])
    await age_the_log(database, timedelta(days=365))
    await prune_all(uow)
    assert len(await announced(database.engine, SlaCancelled)) == 1


async def test_what_was_said_of_dead_letters_is_kept_for_the_retention_alone(
    database: Database, uow_for: UowFor
) -> None:
    uow = uow_for("test")
    async with uow.transaction() as tx:
        tx.emit(EXAMPLES[MessageDeadLettered])
    await prune_all(uow)
    assert len(await announced(database.engine, MessageDeadLettered)) == 1
    await age_the_log(database, timedelta(hours=73))
    await prune_all(uow)
    assert await announced(database.engine, MessageDeadLettered) == []


# Of 2022, and no UUIDv7 at all but smaller than each of today: a host's clock is wrong, or somebody else made the id.
_LONG_AGO = EventId(UUID("01800000-0000-7000-8000-000000000000"))
_FOREIGN = EventId(UUID("00f3d5a1-9c1e-4c2b-8a57-3f1f0a3b9e11"))


async def test_the_inbox_forgets_what_it_recorded_long_ago_whatever_the_clock_that_made_the_ids(
    database: Database, uow_for: UowFor, wake: Wake
) -> None:
    uow = uow_for("test")
    await announce(uow, [fact(new_id(), "new")])
    await read_all(uow, wake, "quick")
    async with uow.transaction() as tx:
        await record_new(tx, "quick", [_LONG_AGO, _FOREIGN])
    assert await _left_after_pruning(database, uow) >= {_LONG_AGO, _FOREIGN}

    async with uow.transaction() as tx:
        await tx.execute(
            text("UPDATE inbox SET recorded_at = recorded_at - interval '15 days' WHERE event_id < :id"),
            {"id": UUID("01900000-0000-7000-8000-000000000000")},
        )
    left = await _left_after_pruning(database, uow)
    assert len(left) == 1
    assert not left & {_LONG_AGO, _FOREIGN}


async def _left_after_pruning(database: Database, uow: UnitOfWork) -> set[UUID]:
    await prune_all(uow)
    async with database.engine.connect() as connection:
        return set((await connection.execute(text("SELECT event_id FROM inbox"))).scalars())
