"""What two transactions do to one lead, one desk or one pool at the same moment is as if one had come after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from leadpact.events import LeadAssigned
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.work import contact, reject
from tests.support.routing import Router, captured, somebody_waits_for_a_lock

JO, KIT = "jo@globex.example", "kit@globex.example"
Deed = Callable[[Transaction], Awaitable[object]]


async def test_two_batches_for_one_pool_take_turns_themselves(router: Router) -> None:
    await _at_once(
        router,
        lambda tx: router.take_in(tx, captured(JO)),
        lambda tx: router.take_in(tx, captured(KIT)),
    )
    assert (await router.owner_of(JO), await router.owner_of(KIT)) == ("ana", "ben")
    assert await _loads(router) == [("ana", 1, 1), ("ben", 1, 1), ("cem", 0, 0), ("dora", 0, 0)]


async def test_a_daily_limit_holds_for_two_batches_at_once(router: Router) -> None:
    """Dora may have two leads a day; each batch brings two."""
    everywhere = {"draft": {"country": "US"}}
    await _at_once(
        router,
        lambda tx: router.take_in(tx, *(captured(f"a{i}@globex.example", **everywhere) for i in range(2))),
        lambda tx: router.take_in(tx, *(captured(f"b{i}@globex.example", **everywhere) for i in range(2))),
    )
    assert len(await router.said(LeadAssigned)) == 2
    assert await router.value("SELECT today FROM rep_load WHERE rep_id = 'dora'") == 2


async def test_a_contact_is_not_lost_to_a_batch_that_touches_the_lead(router: Router) -> None:
    await router.hear(captured(JO))
    await _at_once(router, _contacted(router), lambda tx: router.take_in(tx, captured(JO)))
    assert await router.value("SELECT stage FROM lead") == "contacted"
    assert await router.value("SELECT count(*) FROM touch") == 2


async def test_a_lighter_desk_is_not_lost_to_a_batch_that_gives_leads_away(router: Router) -> None:
    await router.hear(captured(JO))
    await _at_once(
        router,
        _contacted(router),
        lambda tx: router.take_in(tx, *(captured(f"b{i}@globex.example") for i in range(3))),
    )
    assert await _loads(router) == [("ana", 1, 2), ("ben", 1, 1), ("cem", 1, 1), ("dora", 0, 0)]


async def test_a_turn_given_back_is_not_lost_to_a_batch_that_takes_turns(router: Router) -> None:
    """The person was reached before the lead turned out to be none, so only the turn ties the two together."""
    await router.hear(captured(JO))
    async with router.uow.transaction() as tx:
        await _contacted(router)(tx)
    await _at_once(router, _rejected(router), lambda tx: router.take_in(tx, captured(KIT)))
    assert await router.owner_of(KIT) == "ana"
    assert await router.value("SELECT assigned FROM turn WHERE rep_id = 'ana'") == 1


@pytest.mark.parametrize("breach_first", [True, False])
async def test_of_a_contact_and_a_breach_at_the_same_moment_one_wins(
    router: Router, breach_first: bool
) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO)
    deeds: list[Deed] = [_contacted(router), lambda tx: router.apply_breaches(tx, breach)]
    failed = await _at_once(router, *(reversed(deeds) if breach_first else deeds))
    assert failed is breach_first  # a contact after the breach is refused
    assert await router.owner_of(JO) == ("ben" if breach_first else "ana")
    assert await router.value("SELECT sum(open) FROM rep_load") == (1 if breach_first else 0)


async def _at_once(router: Router, first: Deed, second: Deed) -> bool:
    """Do ``second`` while ``first`` is done and not committed. True if it was refused in the end."""

    async def do_second() -> None:
        async with router.uow.transaction() as tx:
            await second(tx)

    async with router.uow.transaction() as tx:
        await first(tx)
        other = asyncio.create_task(do_second())
        await somebody_waits_for_a_lock(router)
    (error,) = await asyncio.gather(other, return_exceptions=True)
    if error is not None and "taken from ana" not in str(error):
        raise error
    return error is not None


def _contacted(router: Router) -> Deed:
    async def deed(tx: Transaction) -> object:
        assigned, *_ = await router.said(LeadAssigned)
        now = router.clock.now()
        return await contact(tx, assigned.assignment_id, channel="call", occurred_at=now, now=now)

    return deed


def _rejected(router: Router) -> Deed:
    async def deed(tx: Transaction) -> object:
        assigned, *_ = await router.said(LeadAssigned)
        now, applied = router.clock.now(), await router.book.current(tx)
        return await reject(
            tx,
            assigned.assignment_id,
            reason="bad_data",
            note="a bakery",
            occurred_at=now,
            now=now,
            applied=applied,
        )

    return deed


async def _loads(router: Router) -> list[tuple[str, int, int]]:
    rows = await router.rows("SELECT rep_id, open, today FROM rep_load ORDER BY rep_id")
    return [tuple(row) for row in rows]
