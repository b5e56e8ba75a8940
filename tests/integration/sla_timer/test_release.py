"""Leads that came in bulk take turns, one after the other, however many instances give them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from leadpact.pact.read import parse_pact
from leadpact_sla_timer.release import Queued, take_turns
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import PACT
from tests.support.fake_clock import TUESDAY_MORNING as START

MINUTE = timedelta(minutes=1)
HOURS = parse_pact(PACT).calendars["utc"].build()


def lead(source: str = "fair") -> Queued:
    return Queued(source, "utc", 60, HOURS, START)


async def test_two_instances_never_give_the_same_turn(timer: Timer) -> None:
    async with asyncio.timeout(10):
        async with timer.uow.transaction() as first:
            given = await take_turns(first, [lead(), lead()])
            other = asyncio.create_task(_take(timer))
            await timer.until_somebody_waits_for_a_lock()
            assert not other.done()
        after = await other
    assert [*given, *after] == [START, START + MINUTE, START + 2 * MINUTE]


async def test_turns_that_were_rolled_back_are_given_again(timer: Timer) -> None:
    try:
        async with timer.uow.transaction() as lost:
            await take_turns(lost, [lead()])
            raise LookupError
    except LookupError:
        pass
    assert await _take(timer) == [START]


async def test_each_source_has_a_queue_of_its_own(timer: Timer) -> None:
    async with timer.uow.transaction() as tx:
        turns = await take_turns(tx, [lead(), lead("other"), lead(), lead("other")])
    assert turns == [START, START, START + MINUTE, START + MINUTE]


async def _take(timer: Timer) -> list[object]:
    async with timer.uow.transaction() as tx:
        return [*await take_turns(tx, [lead()])]
