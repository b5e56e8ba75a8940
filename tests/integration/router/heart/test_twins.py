"""Two instances that meet one person at the same moment make one person, one lead, two touches and one assignment."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from leadpact.events import LeadAssigned, LeadCaptured, LeadMatched
from leadpact_router.handlers import router_consumer
from tests.support.routing import Router, captured, somebody_waits_for_a_lock

PHONE = "+49301234567"
BOTH: dict[str, Any] = {"email": "jo@globex.example", "draft": {"phone": PHONE}}
EMAIL_ONLY: dict[str, Any] = {"email": "jo@globex.example"}
PHONE_ONLY: dict[str, Any] = {"draft": {"phone": PHONE}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EMAIL_ONLY, EMAIL_ONLY),
        (BOTH, PHONE_ONLY),
        (PHONE_ONLY, BOTH),
        (BOTH, EMAIL_ONLY),
        (EMAIL_ONLY, BOTH),
        (BOTH, BOTH),
    ],
)
async def test_two_posts_of_one_person_at_once_are_one_lead(router: Router, one: Any, other: Any) -> None:
    async with router.uow.transaction() as tx:
        await router.take_in(tx, captured(**one))
        twin = asyncio.create_task(_in_a_transaction(router, captured(**other)))
        await somebody_waits_for_a_lock(router)
    await twin
    assert await router.value("SELECT count(*) FROM person") == 1
    assert await router.value("SELECT count(*) FROM lead") == 1
    assert await router.value("SELECT count(*) FROM touch") == 2
    assert len({matched.person_id for matched in await router.said(LeadMatched)}) == 1
    assert len(await router.said(LeadAssigned)) == 1


async def test_who_gives_up_a_claim_leaves_nobody_behind(router: Router) -> None:
    """The second batch claims an address of its own, then meets the number that the first has just claimed."""
    async with router.uow.transaction() as tx:
        await router.take_in(tx, captured(**PHONE_ONLY))
        twin = asyncio.create_task(
            _in_a_transaction(router, captured(**BOTH), captured("kit@globex.example"))
        )
        await somebody_waits_for_a_lock(router)
    await twin
    assert await router.value("SELECT count(*) FROM person") == 2
    without_lead = (
        "SELECT count(*) FROM person p WHERE NOT EXISTS (SELECT 1 FROM lead l WHERE l.person_id = p.id)"
    )
    assert await router.value(without_lead) == 0
    identities = "SELECT kind, value FROM identity ORDER BY kind, value"
    assert await router.rows(identities) == [
        ("email", "jo@globex.example"),
        ("email", "kit@globex.example"),
        ("phone", PHONE),
    ]


async def test_four_instances_share_the_work_and_turns_stay_fair(router: Router) -> None:
    """Six hundred posts of three hundred people, read by four instances at once."""
    await router.announce(*(captured(f"jo{i % 300}@globex.example") for i in range(600)))

    async def instance() -> None:
        reader, consumer = router.reader(100), router_consumer(router.book, router.shelf, router.clock)
        await reader.start()
        while await consumer.run_once(reader):
            pass

    await asyncio.gather(*(instance() for _ in range(4)))
    await router.read()
    assert await router.value("SELECT count(*) FROM touch") == 600
    assigned = await router.said(LeadAssigned)
    assert len(assigned) == len({one.lead_id for one in assigned}) == 300
    assert Counter(one.rep_id for one in assigned) == {"ana": 100, "ben": 100, "cem": 100}
    assert await router.rows("SELECT rep_id, open FROM rep_load WHERE open > 0 ORDER BY rep_id") == [
        ("ana", 100),
        ("ben", 100),
        ("cem", 100),
    ]


async def _in_a_transaction(router: Router, *events: LeadCaptured) -> None:
    async with router.uow.transaction() as tx:
        await router.take_in(tx, *events)
