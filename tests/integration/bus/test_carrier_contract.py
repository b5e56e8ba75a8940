"""What every carrier promises. The same tests face PostgreSQL alone and Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.bus.consume import Consumer, Received, TooMuchPoison, run_consumer
from leadpact.errors import Poison, Transient
from leadpact.events import Event, MessageDeadLettered, SlaCancelled, decode
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction
from tests.support.announced import announced
from tests.support.carrying import Carrying, announce, fact, running, until
from tests.support.fake_clock import FakeClock

_KNOWN: dict[str, type[Event]] = {SlaCancelled.TYPE: SlaCancelled}


class Seen:
    """Remembers what was applied, by the reason in each event; commits nothing itself."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.by_key: dict[UUID, list[str]] = defaultdict(list)

    async def apply(self, _: Transaction, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            assert delivery.message is not None
            event = decode(delivery.message, _KNOWN)
            assert isinstance(event, SlaCancelled)
            self.reasons.append(event.reason)
            self.by_key[event.lead_id].append(event.reason)


async def test_a_group_sees_everything_from_the_beginning_of_the_log(carrying: Carrying) -> None:
    await announce(carrying.uow, [fact(new_id(), str(number)) for number in range(300)])
    seen = Seen()

    async with running(carrying.reader("late-comer"), seen.apply):
        await until(lambda: len(seen.reasons) >= 300)

    assert Counter(seen.reasons) == Counter(str(number) for number in range(300))


async def test_messages_of_one_key_arrive_in_the_order_they_were_announced(carrying: Carrying) -> None:
    keys = [new_id() for _ in range(10)]
    for number in range(20):
        await announce(carrying.uow, [fact(key, str(number)) for key in keys])
    seen = Seen()

    async with running(carrying.reader("order"), seen.apply):
        await until(lambda: len(seen.reasons) >= 200)

    assert dict(seen.by_key) == {key: [str(number) for number in range(20)] for key in keys}


async def test_each_group_sees_everything(carrying: Carrying) -> None:
    await announce(carrying.uow, [fact(new_id(), str(number)) for number in range(20)])
    first, second = Seen(), Seen()

    async with (
        running(carrying.reader("first"), first.apply),
        running(carrying.reader("second"), second.apply),
    ):
        await until(lambda: len(first.reasons) >= 20 and len(second.reasons) >= 20)

    assert sorted(first.reasons) == sorted(second.reasons) == sorted(str(number) for number in range(20))


async def test_two_instances_share_the_work_and_never_work_on_one_key_at_a_time(carrying: Carrying) -> None:
    if carrying.why_not_shared:
        pytest.skip(carrying.why_not_shared)
    keys = [new_id() for _ in range(40)]
    busy: set[UUID] = set()
    done: Counter[str] = Counter()
    overlaps: list[UUID] = []

    async def apply(_: Transaction, deliveries: Sequence[Delivery]) -> None:
        mine = {UUID(delivery.message.key) for delivery in deliveries if delivery.message}
        overlaps.extend(busy & mine)
        busy.update(mine)
        await asyncio.sleep(0.02)  # keep the keys busy for long enough that an overlap would show
        busy.difference_update(mine)
        done.update(str(delivery.message.id) for delivery in deliveries if delivery.message)

    async with running(carrying.reader("pair"), apply), running(carrying.reader("pair"), apply):
        for number in range(15):
            await announce(carrying.uow, [fact(key, str(number)) for key in keys])
        await until(lambda: len(done) == 600)

    assert overlaps == []
    assert set(done.values()) == {1}


async def test_a_batch_that_failed_comes_again_and_its_effect_happens_once(carrying: Carrying) -> None:
    await announce(carrying.uow, [fact(new_id(), str(number)) for number in range(50)])
    async with carrying.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE effect (reason text)"))
    failures = 0

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        nonlocal failures
        for item in received:
            assert isinstance(item.event, SlaCancelled)
            await tx.execute(text("INSERT INTO effect VALUES (:reason)"), {"reason": item.event.reason})
        if failures < 3:
            failures += 1
            raise Transient("not yet")

    stop = asyncio.Event()
    consumer = Consumer("stubborn", {SlaCancelled: handle}, FakeClock())
    task = asyncio.create_task(run_consumer(carrying.reader("stubborn"), consumer, stop))

    async def effects() -> list[str]:
        async with carrying.engine.connect() as connection:
            return [row.reason for row in await connection.execute(text("SELECT reason FROM effect"))]

    async def all_there() -> bool:
        return len(await effects()) >= 50

    await until(all_there)
    stop.set()
    await task
    assert Counter(await effects()) == Counter(str(number) for number in range(50))


async def test_an_event_that_is_in_the_log_twice_is_applied_once(carrying: Carrying) -> None:
    await announce(carrying.uow, [fact(new_id(), str(number)) for number in range(5)])
    async with carrying.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO outbox (topic, shard, event_id, type, source, key, occurred_at, data) "
                "SELECT topic, shard, event_id, type, source, key, occurred_at, data FROM outbox"
            )
        )
    applied: list[str] = []

    async def handle(_: Transaction, received: Sequence[Received]) -> None:
        applied.extend(item.event.reason for item in received if isinstance(item.event, SlaCancelled))

    consumer = Consumer("once", {SlaCancelled: handle}, FakeClock())
    deliveries = Seen()

    async def apply(tx: Transaction, batch: Sequence[Delivery]) -> None:
        await deliveries.apply(tx, batch)
        await consumer.apply(tx, batch)

    async with running(carrying.reader("once"), apply):
        await until(lambda: len(deliveries.reasons) >= 10)

    assert sorted(applied) == ["0", "1", "2", "3", "4"]


@pytest.mark.timeout(60)
async def test_a_transaction_that_commits_late_is_not_skipped(carrying: Carrying) -> None:
    seen = Seen()
    async with running(carrying.reader("patient"), seen.apply):
        async with carrying.uow.transaction() as late:
            # Takes its transaction id and its place in the log now; commits after those that come behind.
            await late.execute(text("SELECT pg_current_xact_id()"))
            late.emit(fact(new_id(), "late"))
            # One for every shard: wherever the late one belongs, something stands behind it.
            await announce(carrying.uow, [fact(new_id(), "early") for _ in range(200)])
            await asyncio.sleep(
                0.3
            )  # long enough for a reader that looked past the open transaction to do so
        await until(lambda: len(seen.reasons) >= 201)

    assert Counter(seen.reasons) == {"early": 200, "late": 1}


async def test_a_transaction_that_commits_late_is_not_skipped_by_a_reader_that_is_behind(
    carrying: Carrying,
) -> None:
    seen = Seen()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def commit_late() -> None:
        async with carrying.uow.transaction() as late:
            await late.execute(text("SELECT pg_current_xact_id()"))
            late.emit(fact(new_id(), "late"))
            begun.set()
            await go_on.wait()

    # There is something to read in every shard, and behind it something that must wait.
    await announce(carrying.uow, [fact(new_id(), "before") for _ in range(200)])
    committing = asyncio.create_task(commit_late())
    await begun.wait()
    await announce(carrying.uow, [fact(new_id(), "early") for _ in range(200)])
    async with running(carrying.reader("behind"), seen.apply):
        await until(lambda: len(seen.reasons) >= 200)
        go_on.set()
        await committing
        await until(lambda: len(seen.reasons) >= 401)

    assert Counter(seen.reasons) == {"before": 200, "early": 200, "late": 1}


async def test_one_message_that_cannot_be_applied_is_set_aside_and_the_others_are_applied(
    carrying: Carrying,
) -> None:
    await announce(
        carrying.uow, [fact(new_id(), "bad" if number == 7 else str(number)) for number in range(20)]
    )
    applied: list[str] = []

    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        reasons = [item.event.reason for item in received if isinstance(item.event, SlaCancelled)]
        if "bad" in reasons:
            raise Poison("this one can never be applied")
        applied.extend(reasons)

    stop = asyncio.Event()
    consumer = Consumer("careful", {SlaCancelled: handle}, FakeClock())
    task = asyncio.create_task(run_consumer(carrying.reader("careful"), consumer, stop))
    await until(lambda: len(applied) >= 19)

    async def told() -> bool:
        return bool(await announced(carrying.engine, MessageDeadLettered))

    await until(told)
    stop.set()
    await task
    assert sorted(applied) == sorted(str(number) for number in range(20) if number != 7)
    (letter,) = await announced(carrying.engine, MessageDeadLettered)
    assert (letter.consumer, letter.reason) == ("careful", "this one can never be applied")
    async with carrying.engine.connect() as connection:
        row = (await connection.execute(text("SELECT body, reason, topic, type FROM dead_letter"))).one()
    assert '"bad"' in row.body
    assert (row.topic, row.type) == ("leadpact.sla", SlaCancelled.TYPE)


async def test_a_consumer_stands_still_instead_of_draining_the_topic_when_most_is_poison(
    carrying: Carrying,
) -> None:
    await announce(carrying.uow, [fact(new_id(), str(number)) for number in range(60)])
    applied: list[Received] = []
    is_repaired = False

    async def handle(_: Transaction, received: Sequence[Received]) -> None:
        if not is_repaired:
            raise Poison("nothing can be applied")
        applied.extend(received)

    reader, stop = carrying.reader("alarmed"), asyncio.Event()
    await reader.start()
    for _ in range(2):  # the second as a process that was started anew: it goes no further either
        consumer = Consumer("alarmed", {SlaCancelled: handle}, FakeClock())
        with pytest.raises(TooMuchPoison):
            async with asyncio.timeout(30):
                while True:
                    if not await consumer.run_once(reader):
                        await reader.wait(stop)
    await reader.stop()
    async with carrying.engine.connect() as connection:
        kept = (await connection.execute(text("SELECT count(*) FROM dead_letter"))).scalar_one()
    assert kept < 20

    is_repaired = True
    consuming = asyncio.create_task(run_consumer(carrying.reader("alarmed"), consumer, stop))
    await until(lambda: len(applied) + kept == 60)
    stop.set()
    await consuming
