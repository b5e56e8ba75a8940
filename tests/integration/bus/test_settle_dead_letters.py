"""What was set aside can be settled: applied once by the consumer that could not, whatever carries, or let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.bus.consume import Consumer, Received, run_consumer
from leadpact.bus.dead_letters import SetAside, set_aside
from leadpact.bus.settle_dead_letters import (
    DeadLetter,
    discard,
    open_letter,
    page_of_letters,
    replay,
    waiting_by_consumer,
)
from leadpact.errors import Conflict, NotFound, Poison
from leadpact.events import SlaCancelled
from leadpact.events.base import Message
from leadpact.ids import EventId, first_id_at, new_id
from leadpact.storage.housekeeping import prune_once
from leadpact.storage.inbox import record_new
from leadpact.storage.log import register
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from tests.support.announced import announced, announced_messages
from tests.support.carrying import Carrying, announce, fact, until
from tests.support.fake_clock import TUESDAY_MORNING, FakeClock


@dataclass
class Group:
    """A consumer that cannot apply what says "bad" until it is repaired."""

    name: str
    is_repaired: bool = True
    applied: list[str] = field(default_factory=list)

    async def _handle(self, _: Transaction, received: Sequence[Received]) -> None:
        reasons = [item.event.reason for item in received if isinstance(item.event, SlaCancelled)]
        if "bad" in reasons and not self.is_repaired:
            raise Poison("there is a bug")
        self.applied.extend(reasons)

    @asynccontextmanager
    async def reading(self, carrying: Carrying) -> AsyncIterator[None]:
        stop = asyncio.Event()
        consumer = Consumer(self.name, {SlaCancelled: self._handle}, FakeClock())
        task = asyncio.create_task(run_consumer(carrying.reader(self.name), consumer, stop))
        yield
        stop.set()
        await task


async def letters(uow: UnitOfWork) -> list[DeadLetter]:
    async with uow.transaction() as tx:
        return (await page_of_letters(tx, limit=200))[0]


async def the_letter(uow: UnitOfWork, *, at_least: int = 1) -> DeadLetter:
    """The newest letter, once there are so many."""

    async def are_there() -> bool:
        return len(await letters(uow)) >= at_least

    await until(are_there)
    return (await letters(uow))[0]


async def a_letter(uow: UnitOfWork, delivery: Delivery, consumer: str = "broken") -> UUID:
    async with uow.transaction() as tx:
        await set_aside(tx, consumer, [SetAside(delivery, "for a reason", "trace")], TUESDAY_MORNING)
    return (await letters(uow))[0].id


def a_delivery(data: str = '{"reason": "bad"}') -> Delivery:
    message = Message(
        id=EventId(new_id()),
        type=SlaCancelled.TYPE,
        source="/elsewhere",
        topic="leadpact.sla",
        key=str(new_id()),
        occurred_at=TUESDAY_MORNING,
        data=data,
        causation_id=EventId(new_id()),
    )
    return Delivery("leadpact.sla", "3:77:1", message)


async def test_a_replayed_message_is_applied_once_and_by_the_group_alone_that_could_not(
    carrying: Carrying,
) -> None:
    broken, sound = Group("broken", is_repaired=False), Group("sound")
    lead = new_id()
    async with broken.reading(carrying), sound.reading(carrying):
        await announce(carrying.uow, [fact(lead, word) for word in ("one", "bad", "two")])
        letter = await the_letter(carrying.uow)
        await until(lambda: len(broken.applied) == 2 and len(sound.applied) == 3)

        broken.is_repaired = True
        async with carrying.uow.transaction() as tx:
            settled = await replay(tx, letter.id)
        # It stands behind the second copy: who has applied it has met that copy.
        await announce(carrying.uow, [fact(lead, "three")])
        await until(lambda: "three" in broken.applied and "three" in sound.applied)

    assert (settled.settled_as, settled.consumer) == ("replayed", "broken")
    assert broken.applied == ["one", "two", "bad", "three"]
    assert sound.applied == ["one", "bad", "two", "three"]
    copies = [
        message for message in await announced_messages(carrying.engine) if message.id == letter.event_id
    ]
    assert len(copies) == 2
    assert copies[0] == copies[1]


async def test_a_replay_that_fails_again_is_a_new_letter(on_postgres: Carrying) -> None:
    broken = Group("broken", is_repaired=False)
    async with broken.reading(on_postgres):
        await announce(on_postgres.uow, [fact(new_id(), "bad")])

        first = await the_letter(on_postgres.uow)
        async with on_postgres.uow.transaction() as tx:
            await replay(tx, first.id)
        await the_letter(on_postgres.uow, at_least=2)

    second, settled = await letters(on_postgres.uow)
    assert (settled.id, settled.settled_as) == (first.id, "replayed")
    assert (second.event_id, second.settled_at) == (first.event_id, None)


async def test_a_letter_keeps_all_of_the_message_and_a_replay_says_all_of_it(uow: UnitOfWork) -> None:
    delivery = a_delivery()
    letter_id = await a_letter(uow, delivery)

    async with uow.transaction() as tx:
        opened = await open_letter(tx, letter_id)
        await replay(tx, letter_id)

    assert delivery.message is not None
    assert (opened.body, opened.error) == ('{"reason": "bad"}', "trace")
    assert (opened.key, opened.causation_id) == (delivery.message.key, delivery.message.causation_id)
    async with uow.transaction() as tx:
        row = (
            await tx.execute(
                text("SELECT source, key, causation_id, occurred_at FROM outbox WHERE event_id = :id"),
                {"id": delivery.message.id},
            )
        ).one()
    message = delivery.message
    assert tuple(row) == (message.source, message.key, message.causation_id, message.occurred_at)


@pytest.mark.parametrize("settle_again", [replay, discard])
@pytest.mark.parametrize("settle", [replay, discard])
async def test_a_letter_is_settled_once(uow: UnitOfWork, settle: object, settle_again: object) -> None:
    assert callable(settle)
    assert callable(settle_again)
    letter_id = await a_letter(uow, a_delivery())
    async with uow.transaction() as tx:
        await settle(tx, letter_id)

    with pytest.raises(Conflict, match="already"):
        async with uow.transaction() as tx:
            await settle_again(tx, letter_id)


async def test_of_many_who_replay_a_letter_at_once_one_does(uow: UnitOfWork) -> None:
    letter_id = await a_letter(uow, a_delivery())

    async def attempt() -> bool:
        try:
            async with uow.transaction() as tx:
                await replay(tx, letter_id)
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(8)))) == 1
    async with uow.transaction() as tx:
        copies = await tx.execute(text("SELECT count(*) FROM outbox WHERE source = '/elsewhere'"))
        assert copies.scalar_one() == 1


async def test_what_is_discarded_is_never_applied_and_stays_on_record(on_postgres: Carrying) -> None:
    letter_id = await a_letter(on_postgres.uow, a_delivery())
    async with on_postgres.uow.transaction() as tx:
        settled = await discard(tx, letter_id)

    assert settled.settled_as == "discarded"
    assert await announced(on_postgres.engine, SlaCancelled) == []
    assert [letter.settled_as for letter in await letters(on_postgres.uow)] == ["discarded"]


@pytest.mark.parametrize(
    ("delivery", "why"),
    [
        (Delivery("leadpact.sla", "0:5", None, raw=b"\xff", unreadable="not UTF-8"), "no event with an id"),
        (a_delivery("no json"), "no JSON"),
        (a_delivery("[" * 100_000), "no JSON"),
    ],
    ids=["bytes", "text", "bottomless"],
)
async def test_what_never_was_an_event_cannot_be_replayed_and_still_waits(
    uow: UnitOfWork, delivery: Delivery, why: str
) -> None:
    letter_id = await a_letter(uow, delivery)

    with pytest.raises(Conflict, match=why):
        async with uow.transaction() as tx:
            await replay(tx, letter_id)

    async with uow.transaction() as tx:
        assert (await open_letter(tx, letter_id)).settled_at is None
        await discard(tx, letter_id)


async def test_a_letter_that_is_not_there_is_not_found(uow: UnitOfWork) -> None:
    for settle in (open_letter, replay, discard):
        with pytest.raises(NotFound):
            async with uow.transaction() as tx:
                await settle(tx, new_id())


@dataclass(frozen=True)
class AnHour:
    log_retention_hours: float = 1
    inbox_retention_hours: float = 1


async def test_no_group_forgets_the_id_of_a_message_that_may_still_come_back(uow: UnitOfWork) -> None:
    async def known_to(consumer: str) -> list[UUID]:
        while await prune_once(uow, AnHour()):
            pass
        async with uow.transaction() as tx:
            rows = await tx.execute(
                text("SELECT event_id FROM inbox WHERE consumer = :consumer"), {"consumer": consumer}
            )
            return [row.event_id for row in rows]

    old, set_aside_id = (EventId(first_id_at(TUESDAY_MORNING - timedelta(days=n))) for n in (1, 2))
    async with uow.transaction() as tx:
        for consumer in ("broken", "sound"):
            await register(tx, consumer, ["leadpact.sla"])
            await record_new(tx, consumer, [old, set_aside_id])
        await tx.execute(text("UPDATE inbox SET recorded_at = recorded_at - interval '2 hours'"))
    delivery = a_delivery()
    assert delivery.message is not None
    letter_id = await a_letter(
        uow, replace(delivery, message=replace(delivery.message, id=EventId(set_aside_id)))
    )
    assert await known_to("broken") == await known_to("sound") == [set_aside_id]

    async with uow.transaction() as tx:
        await replay(tx, letter_id)
    assert await known_to("broken") == []
    assert await known_to("sound") == [set_aside_id]

    async with uow.transaction() as tx:
        await tx.execute(text("UPDATE dead_letter SET settled_at = settled_at - interval '2 hours'"))
    assert await known_to("sound") == []


async def test_every_group_has_its_count_of_letters_that_wait(on_postgres: Carrying) -> None:
    await on_postgres.reader("sound").start()
    one = await a_letter(on_postgres.uow, a_delivery())
    await a_letter(on_postgres.uow, a_delivery())
    async with on_postgres.uow.transaction() as tx:
        assert await waiting_by_consumer(tx) == {"broken": 2, "sound": 0}
        await discard(tx, one)
        assert await waiting_by_consumer(tx) == {"broken": 1, "sound": 0}
