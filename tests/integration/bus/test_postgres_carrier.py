"""What PostgreSQL as the carrier promises beyond what every carrier does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import text

from leadpact.bus.carrier import Delivery, Reader
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.events import Topic, UploadCompleted
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from tests.support.carrying import announce, fact
from tests.support.fake_clock import TUESDAY_MORNING


async def test_a_backlog_of_one_topic_does_not_hold_up_another(
    uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake, batch_size=64).reader("both", [Topic.INBOUND, Topic.SLA])
    await reader.start()
    async with uow.transaction() as tx:
        for _ in range(3_000):
            tx.emit(_upload())
    await announce(uow, [fact(new_id(), "breach") for _ in range(16)])
    seen: Counter[str] = Counter()

    async def apply(_: Transaction, batch: Sequence[Delivery]) -> None:
        seen.update(delivery.topic for delivery in batch)

    for _ in range(30):
        assert await reader.run_once(apply)
    assert seen[Topic.SLA] == 16
    assert seen[Topic.INBOUND] < 3_000


async def test_a_batch_that_was_not_full_needs_no_second_look(
    uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake, batch_size=64).reader("brief", [Topic.SLA])
    await reader.start()
    seen = 0

    async def apply(_: Transaction, batch: Sequence[Delivery]) -> None:
        nonlocal seen
        seen += len(batch)

    await announce(uow, [fact(new_id(), "one")])
    assert not await reader.run_once(apply)
    assert seen == 1

    await announce(uow, [fact(new_id(), "many") for _ in range(1_000)])
    assert await reader.run_once(apply)
    assert seen <= 65
    while await reader.run_once(apply):
        pass
    assert seen == 1_001


async def test_what_is_announced_while_a_batch_is_applied_is_looked_for_at_once(
    uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake).reader("watchful", [Topic.SLA])
    await reader.start()

    async def apply(_: Transaction, __: Sequence[Delivery]) -> None:
        await announce(uow, [fact(new_id(), "meanwhile")])

    await announce(uow, [fact(new_id(), "one")])
    assert await reader.run_once(apply)


async def test_what_a_running_transaction_hides_is_looked_for_soon(
    uow_for: Callable[[str], UnitOfWork], wake: Wake
) -> None:
    uow = uow_for("test")
    reader = PostgresCarrier(uow, wake, poll_at_most_seconds=60).reader("patient", [Topic.SLA])
    await reader.start()
    seen = asyncio.Event()
    stop = asyncio.Event()

    async def apply(_: Transaction, __: Sequence[Delivery]) -> None:
        seen.set()

    while await asyncio.wait_for(_waited(reader, stop), 5) < 1.0:  # idle for so long that its polls are rare
        assert not await reader.run_once(apply)
    async with uow.transaction() as tx:
        await tx.execute(text("SELECT pg_current_xact_id()"))
        await announce(uow, [fact(new_id(), "hidden")])
        await reader.wait(stop)  # poked
        assert not await reader.run_once(apply)
    assert not seen.is_set()
    async with asyncio.timeout(1):
        while not seen.is_set():
            await reader.wait(stop)
            await reader.run_once(apply)


async def _waited(reader: Reader, stop: asyncio.Event) -> float:
    """The seconds that the reader waits when nobody pokes it."""
    began = asyncio.get_running_loop().time()
    await reader.wait(stop)
    return asyncio.get_running_loop().time() - began


def _upload() -> UploadCompleted:
    return UploadCompleted(
        occurred_at=TUESDAY_MORNING,
        upload_id=new_id(),
        source="fair",
        filename="scans.csv",
        rows=1,
        accepted=1,
        duplicates=0,
        rejected=0,
    )
