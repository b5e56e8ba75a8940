"""How a consumer judges what it is handed, whatever carries it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.bus.consume import Consumer, Received, TooMuchPoison, Undone
from leadpact.errors import Poison, Transient
from leadpact.events import SlaCancelled
from leadpact.events.base import Message
from leadpact.ids import EventId, new_id
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from tests.conftest import Database
from tests.support.announced import announced
from tests.support.carrying import fact
from tests.support.fake_clock import TUESDAY_MORNING, FakeClock

UowFor = Callable[[str], UnitOfWork]


async def test_unreadable_records_do_not_make_those_that_were_applied_count_less(uow_for: UowFor) -> None:
    applied: list[Received] = []
    batch = [*_unreadable(20), *_readable(25)]
    async with uow_for("test").transaction() as tx:
        await _consumer(applied).apply(tx, batch)
        kept = (await tx.execute(text("SELECT count(*) FROM dead_letter"))).scalar_one()
    assert (len(applied), kept) == (25, 20)


async def test_a_consumer_stops_when_more_was_unreadable_than_applied(uow_for: UowFor) -> None:
    batch = [*_unreadable(21), *_readable(20)]
    async with uow_for("test").transaction() as tx:
        with pytest.raises(TooMuchPoison, match="21 of the last 41"):
            await _consumer([]).apply(tx, batch)


async def test_a_batch_that_was_rolled_back_counts_nothing(uow_for: UowFor) -> None:
    consumer = _consumer([])
    for _ in range(10):
        with contextlib.suppress(_CommitFails):
            async with uow_for("test").transaction() as tx:
                await consumer.apply(tx, _unreadable(5))
                raise _CommitFails
    async with uow_for("test").transaction() as tx:
        await consumer.apply(tx, _unreadable(5))


async def test_what_was_set_aside_before_a_restart_counts(uow_for: UowFor) -> None:
    await _apply_in_turn(uow_for, restarts=19)
    async with uow_for("test").transaction() as tx:
        await _consumer([]).apply(tx, _readable(1))
    with pytest.raises(TooMuchPoison, match="20 of the last 21"):
        await _apply_in_turn(uow_for, restarts=1)


@pytest.mark.parametrize("changed", ["settled_at = now()", "set_aside_at = now() - interval '8 days'"])
async def test_letters_that_were_settled_or_have_lain_for_long_do_not_count(
    uow_for: UowFor, changed: str
) -> None:
    await _apply_in_turn(uow_for, restarts=19)
    async with uow_for("test").transaction() as tx:
        await tx.execute(text(f"UPDATE dead_letter SET {changed}"))
    await _apply_in_turn(uow_for, restarts=19)
    with pytest.raises(TooMuchPoison, match="20 of the last"):
        await _apply_in_turn(uow_for, restarts=1)


async def test_a_wave_that_takes_too_long_is_halved_until_it_does_not(uow_for: UowFor) -> None:
    applied: list[Received] = []
    await _apply(uow_for, _sleeping(applied, seconds_each=0.02), _readable(24))
    async with uow_for("test").transaction() as tx:
        kept = (await tx.execute(text("SELECT count(*) FROM dead_letter"))).scalar_one()
    assert (len(applied), kept) == (24, 0)


async def test_of_a_batch_that_raised_nothing_is_kept_and_all_that_can_be_is_applied_when_it_comes_again(
    uow_for: UowFor, database: Database
) -> None:
    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        for item in received:
            await tx.execute(text("INSERT INTO effect VALUES (:id)"), {"id": item.message.id})
            tx.emit(fact(item.message.id, "applied"))
        if any(item.event.reason == "2" for item in received if isinstance(item.event, SlaCancelled)):
            raise ZeroDivisionError

    consumer, batch = Consumer("judge", {SlaCancelled: handle}, FakeClock()), _readable(5)
    async with uow_for("test").transaction() as tx:
        await tx.execute(text("CREATE TABLE effect (id uuid)"))
    with pytest.raises(Undone):
        async with uow_for("test").transaction() as tx:
            await consumer.apply(tx, batch)

    async with uow_for("test").transaction() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 0
        await consumer.apply(tx, batch)
        effects = [row.id for row in await tx.execute(text("SELECT id FROM effect"))]
        (letter,) = await tx.execute(text("SELECT event_id, reason FROM dead_letter"))
    announced_for = [str(event.lead_id) for event in await announced(database.engine, SlaCancelled)]
    ids = [delivery.message.id for delivery in batch if delivery.message]
    assert sorted(effects) == sorted([*ids[:2], *ids[3:]])
    assert announced_for == [str(id_) for id_ in effects]
    assert tuple(letter) == (ids[2], "ZeroDivisionError while applying")


async def test_what_fails_once_and_works_at_the_second_try_is_applied_once(uow_for: UowFor) -> None:
    tries: list[int] = []

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        tries.append(len(received))
        if len(tries) == 1:
            raise ZeroDivisionError

    await _apply(uow_for, Consumer("judge", {SlaCancelled: handle}, FakeClock()), _readable(3))
    async with uow_for("test").transaction() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM dead_letter"))).scalar_one() == 0
        assert (await tx.execute(text("SELECT count(*) FROM inbox"))).scalar_one() == 3
    assert tries == [3, 3]


async def test_a_message_that_takes_too_long_alone_waits_for_the_database(
    uow_for: UowFor, database: Database
) -> None:
    with pytest.raises(Transient):
        await _apply(uow_for, _sleeping([], seconds_each=1), _readable(2))
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM dead_letter"))).scalar_one() == 0


def _sleeping(applied: list[Received], *, seconds_each: float) -> Consumer:
    """Takes so long for each message, and is given a quarter of a second."""

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        await tx.execute(text("SET LOCAL statement_timeout = '250ms'"))
        await tx.execute(text("SELECT pg_sleep(CAST(:s AS float8))"), {"s": seconds_each * len(received)})
        applied.extend(received)

    return Consumer("judge", {SlaCancelled: handle}, FakeClock())


async def _apply(uow_for: UowFor, consumer: Consumer, batch: Sequence[Delivery]) -> None:
    """As a reader does: what was undone comes again."""
    with contextlib.suppress(Undone):
        async with uow_for("test").transaction() as tx:
            await consumer.apply(tx, batch)
        return
    async with uow_for("test").transaction() as tx:
        await consumer.apply(tx, batch)


class _CommitFails(Exception):
    pass


async def _apply_in_turn(uow_for: UowFor, *, restarts: int) -> None:
    """A message that cannot be applied comes after each start of the process."""
    for _ in range(restarts):
        await _apply(uow_for, Consumer("judge", {SlaCancelled: _fail}, FakeClock()), _readable(1))


async def _fail(_: Transaction, received: Sequence[Received]) -> None:
    raise Poison("there is a bug")


def _consumer(applied: list[Received]) -> Consumer:
    async def handle(_: Transaction, received: Sequence[Received]) -> None:
        applied.extend(received)

    return Consumer("judge", {SlaCancelled: handle}, FakeClock())


def _unreadable(count: int) -> list[Delivery]:
    return [
        Delivery("leadpact.sla", f"0:{number}", None, raw=b"\xff", unreadable="it is not UTF-8")
        for number in range(count)
    ]


def _readable(count: int) -> list[Delivery]:
    events = [fact(new_id(), str(number)) for number in range(count)]
    return [
        Delivery(
            "leadpact.sla",
            f"1:{number}",
            Message(
                EventId(new_id()),
                event.TYPE,
                "/test",
                event.TOPIC,
                event.key,
                TUESDAY_MORNING,
                event.to_json(),
            ),
        )
        for number, event in enumerate(events)
    ]
