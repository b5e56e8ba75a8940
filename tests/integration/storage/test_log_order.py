"""The log keeps the order in which one lead's changes were committed, whichever transaction began first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from unittest.mock import patch

from sqlalchemy import text

from leadpact.events import SlaCancelled
from leadpact.storage import log
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.carrying import fact
from tests.support.eventually import eventually

LEAD = "00000000-0000-0000-0000-000000000001"
LOCK = text("SELECT FROM relay_lease WHERE name = 'the lead' FOR UPDATE")
TOPIC = SlaCancelled.TOPIC.value


async def test_who_commits_first_stands_first_though_the_other_began_to_write_earlier(
    database: Database, uow_for: Callable[[str], UnitOfWork]
) -> None:
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await tx.execute(text("INSERT INTO relay_lease VALUES ('the lead', 'nobody', 1, now())"))

    async def the_other() -> None:
        async with uow.transaction() as later:
            # It has its number as a transaction before the first one has one, and then waits for the lead.
            await later.execute(text("INSERT INTO inbox VALUES ('test', gen_random_uuid())"))
            writing.set()
            await holding.wait()
            await later.execute(LOCK)
            later.emit(fact(LEAD, "second"))

    writing, holding = asyncio.Event(), asyncio.Event()
    other = asyncio.create_task(the_other())
    await writing.wait()
    async with uow.transaction() as tx:
        await tx.execute(LOCK)
        tx.emit(fact(LEAD, "first"))
        holding.set()
        await eventually(lambda: somebody_waits_for_a_lock(database))
    await other

    assert [event.reason for event in await announced(database.engine, SlaCancelled)] == ["first", "second"]


async def test_what_was_announced_beside_a_finished_transaction_can_be_read_at_once(
    uow_for: Callable[[str], UnitOfWork],
) -> None:
    """No reader waits for somebody else to write something: a quiet night would hold the last event until morning."""
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await log.register(tx, "reader", [TOPIC])

    async with uow.transaction() as early:
        await write_something(early)
        for _ in range(3):
            async with uow.transaction() as beside:
                await write_something(beside)
        early.emit(fact(LEAD, "announced last"))

    async with uow.transaction() as tx:
        (entry,) = await log.read(tx, "reader", [TOPIC], 10)
    assert "announced last" in entry.message.data


async def test_nothing_is_read_past_a_transaction_that_has_announced_and_not_committed(
    uow_for: Callable[[str], UnitOfWork],
) -> None:
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await log.register(tx, "reader", [TOPIC])

    async with uow.transaction() as early:
        await write_something(early)
        async with uow.transaction() as beside:
            beside.emit(fact(LEAD, "committed, and not yet to be read"))
        async with uow.transaction() as tx:
            assert await log.read(tx, "reader", [TOPIC], 10) == []

    async with uow.transaction() as tx:
        assert len(await log.read(tx, "reader", [TOPIC], 10)) == 1


async def test_a_cursor_that_was_moved_after_the_look_and_before_the_lock_is_taken_from_where_it_stands_if_at_all(
    database: Database, uow_for: Callable[[str], UnitOfWork]
) -> None:
    """Or what somebody else has taken and committed meanwhile would come twice, or the cursor go back."""
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await log.register(tx, "reader", [TOPIC])
        await tx.execute(text(_HELD_UP))
        for reason in ("first", "second"):
            tx.emit(fact(LEAD, reason))

    async def take_late() -> list[str]:
        async with uow.transaction() as tx:
            return await _taken(tx)

    async with database.engine.connect() as gate, gate.begin():
        await gate.execute(text("SELECT pg_advisory_xact_lock(7)"))
        with patch.object(log, "_TAKE", text(log._TAKE.text.replace("random()", "held_up()"))):
            late = asyncio.create_task(take_late())
            await eventually(lambda: somebody_waits_for_a_lock(database))
        async with uow.transaction() as tx:
            early = await _taken(tx)
            tx.emit(fact(LEAD, "third"))
    taken = [*early, *await late]
    for _ in range(2):
        async with uow.transaction() as tx:
            taken.extend(await _taken(tx))

    assert taken == ["first", "second", "third"]


# Where a statement that orders by it has seen which rows there are, and has locked none.
_HELD_UP = """
    CREATE FUNCTION held_up() RETURNS int LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN 1; END'
    """


async def _taken(tx: Transaction) -> list[str]:
    entries, _ = await log.take(tx, "reader", [TOPIC], shards=16, per_shard=1)
    return [json.loads(entry.message.data)["reason"] for entry in entries]


async def write_something(tx: Transaction) -> None:
    await tx.execute(text("INSERT INTO inbox VALUES ('test', gen_random_uuid())"))


async def somebody_waits_for_a_lock(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with database.engine.connect() as connection:
        return bool((await connection.execute(text(query))).scalar_one())
