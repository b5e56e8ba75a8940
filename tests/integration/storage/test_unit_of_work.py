"""Rows and announcements are committed together or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from leadpact.errors import Transient
from leadpact.events import SlaCancelled
from leadpact.ids import EventId, new_id
from leadpact.storage.engine import create_engine
from leadpact.storage.inbox import record_new
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.announced import announced, announced_messages
from tests.support.fake_clock import TUESDAY_MORNING

UowFor = Callable[[str], UnitOfWork]


def cancelled(lead_id: UUID, reason: str) -> SlaCancelled:
    return SlaCancelled(
        occurred_at=TUESDAY_MORNING,
        clock_id=new_id(),
        lead_id=lead_id,
        assignment_id=new_id(),
        policy="demo",
        rep_id="ana",
        due_at=TUESDAY_MORNING,
        reason=reason,
    )


async def test_an_event_is_announced_with_its_envelope_when_the_transaction_commits(
    database: Database, uow_for: UowFor
) -> None:
    lead_id, cause = new_id(), EventId(new_id())
    async with uow_for("sla-timer").transaction() as tx:
        tx.emit(cancelled(lead_id, "rejected"), caused_by=cause)

    (message,) = await announced_messages(database.engine)

    assert message.type == "leadpact.sla.cancelled.v1"
    assert (message.source, message.topic, message.key) == (
        "/leadpact/sla-timer",
        "leadpact.sla",
        str(lead_id),
    )
    assert (message.occurred_at, message.causation_id) == (TUESDAY_MORNING, cause)


async def test_nothing_is_announced_when_the_transaction_fails(database: Database, uow_for: UowFor) -> None:
    with pytest.raises(RuntimeError):
        async with uow_for("router").transaction() as tx:
            tx.emit(cancelled(new_id(), "never"))
            raise RuntimeError("after the emit")

    assert await announced_messages(database.engine) == []


async def test_a_savepoint_takes_its_announcements_back_and_leaves_the_others(
    database: Database, uow_for: UowFor
) -> None:
    async with uow_for("router").transaction() as tx:
        tx.emit(cancelled(new_id(), "before"))
        with pytest.raises(ValueError, match="inside"):
            async with tx.savepoint():
                tx.emit(cancelled(new_id(), "undone"))
                raise ValueError("inside")
        tx.emit(cancelled(new_id(), "after"))

    assert [event.reason for event in await announced(database.engine, SlaCancelled)] == ["before", "after"]


async def test_events_of_one_transaction_keep_their_order_in_the_log(
    database: Database, uow_for: UowFor
) -> None:
    reasons = [str(number) for number in range(200)]
    async with uow_for("router").transaction() as tx:
        for reason in reasons:
            tx.emit(cancelled(new_id(), reason))

    assert [event.reason for event in await announced(database.engine, SlaCancelled)] == reasons


async def test_an_event_id_is_new_to_a_consumer_only_once(uow_for: UowFor) -> None:
    first, second = EventId(new_id()), EventId(new_id())
    async with uow_for("router").transaction() as tx:
        assert await record_new(tx, "router", [first, first]) == {first}
    async with uow_for("router").transaction() as tx:
        assert await record_new(tx, "router", [first, second]) == {second}
        assert await record_new(tx, "sla-timer", [first]) == {first}


async def test_a_lock_that_is_not_to_be_had_is_a_passing_fault(uow_for: UowFor) -> None:
    async with uow_for("a").transaction() as holder:
        await holder.execute(text("LOCK TABLE relay_lease"))
        with pytest.raises(Transient):
            async with uow_for("b").transaction() as tx:
                await tx.execute(text("SET LOCAL lock_timeout = '10ms'"))
                await tx.execute(text("LOCK TABLE relay_lease"))


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), TimeoutError()])
async def test_what_the_system_refuses_the_work_inside_is_no_fault_of_the_database(
    uow_for: UowFor, fault: OSError
) -> None:
    with pytest.raises(type(fault)):
        async with uow_for("a").transaction() as tx:
            await tx.execute(text("SELECT 1"))
            raise fault


async def test_a_database_that_is_not_there_is_a_passing_fault(wake: Wake) -> None:
    engine = create_engine("postgresql://nobody@localhost:1/nothing", application="test")
    with pytest.raises(Transient, match="did not take it this time"):
        async with UnitOfWork(engine, source="a", wake=wake).transaction():
            pass
    await engine.dispose()


_SLEEPS_AT_THE_COMMIT = (
    "CREATE FUNCTION pg_temp.sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END'",
    "CREATE TEMP TABLE sleepy (id int)",
    "CREATE CONSTRAINT TRIGGER sleeps AFTER INSERT ON sleepy DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION pg_temp.sleep()",
    "INSERT INTO sleepy VALUES (1)",
)


@pytest.mark.parametrize(
    "statements", [("SELECT pg_sleep(20)",), _SLEEPS_AT_THE_COMMIT], ids=["statement", "commit"]
)
async def test_a_database_that_does_not_answer_in_time_is_a_passing_fault(
    database: Database, wake: Wake, monkeypatch: pytest.MonkeyPatch, statements: tuple[str, ...]
) -> None:
    def impatient(url: URL, **options: Any) -> AsyncEngine:
        options["connect_args"]["command_timeout"] = 0.5
        return create_async_engine(url, **options)

    monkeypatch.setattr("leadpact.storage.engine.create_async_engine", impatient)
    engine = create_engine(database.url, application="test")
    with pytest.raises(Transient, match="TimeoutError"):
        async with UnitOfWork(engine, source="a", wake=wake).transaction() as tx:
            for statement in statements:
                await tx.execute(text(statement))
    await engine.dispose()
