"""A lead whose owner's absence begins goes to the next, and that counts against nobody and nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from leadpact.events import LeadAssigned, LeadEscalated, LeadHeld, LeadReassigned, SlaOwnerLeft
from leadpact_router.owner_left import hand_on
from leadpact_router.roster import add_absence
from leadpact_router.work import accept, contact
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import Router, captured

JO = "jo@globex.example"
BACK_AT = TUESDAY_MORNING + timedelta(days=7)


async def left(router: Router, **changes: Any) -> SlaOwnerLeft:
    """The sla-timer says that the present owner's absence has begun."""
    clock = {**await router.clock_of(JO), "due_at": TUESDAY_MORNING + timedelta(hours=2)}
    said = {**clock, "away_until": BACK_AT, "escalate_to": "boss@acme.example", "pact_version": 1, **changes}
    return SlaOwnerLeft(**said)


async def be_away(router: Router, *names: str) -> None:
    async with router.uow.transaction() as tx:
        for name in names:
            await add_absence(tx, name, TUESDAY_MORNING, BACK_AT, now=router.clock.now())


async def test_the_lead_goes_to_the_next_who_is_there(router: Router) -> None:
    await router.hear(captured(JO))
    await be_away(router, "ana", "ben")
    await router.hear(await left(router))
    (first,) = await router.said(LeadAssigned)
    (second,) = await router.said(LeadReassigned)
    assert (second.rep_id, second.hop, second.previous_assignment_id) == ("cem", 2, first.assignment_id)
    assert second.reason == "owner is away until 2026-03-10 09:00 UTC"
    assert await router.value("SELECT state FROM clock_view") == "cancelled"
    assert await router.miscounts() == []


async def test_it_uses_up_none_of_the_pacts_reassignments(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await left(router))
    await router.hear(await router.breach(JO, at_most=1))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "cem"]
    assert await router.said(LeadEscalated) == []
    await router.hear(await router.breach(JO, at_most=1))
    (escalated,) = await router.said(LeadEscalated)
    assert escalated.reason == "reassigned 1 times, as often as the pact allows"
    assert escalated.hops == 3


async def test_two_clocks_of_one_owner_hand_it_on_once(router: Router) -> None:
    await router.hear(captured(JO))
    news = [await left(router), await left(router)]
    async with router.uow.transaction() as tx:
        await router.apply_batch(hand_on, tx, *news)
    await router.hear(news[0])
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_who_has_reached_the_person_keeps_it(router: Router) -> None:
    await router.hear(captured(JO))
    (first,) = await router.said(LeadAssigned)
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        await contact(tx, first.assignment_id, channel="call", occurred_at=now, now=now)
    await router.hear(await left(router))
    assert await router.said(LeadReassigned) == []


async def test_to_have_accepted_it_does_not_keep_the_person_waiting(router: Router) -> None:
    await router.hear(captured(JO))
    (first,) = await router.said(LeadAssigned)
    async with router.uow.transaction() as tx:
        await accept(tx, first.assignment_id, occurred_at=TUESDAY_MORNING, now=router.clock.now())
    await router.hear(await left(router))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_news_of_somebody_who_no_longer_has_it_change_nothing(router: Router) -> None:
    await router.hear(captured(JO))
    news = await left(router)
    await router.hear(await router.breach(JO))
    await router.hear(news)
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_with_everybody_away_it_waits(router: Router) -> None:
    await router.hear(captured(JO))
    await be_away(router, "ana", "ben", "cem")
    await router.hear(await left(router))
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in dach can take it now: 1 had it before, 2 away"
    assert await router.value("SELECT hops_by_breach FROM lead") == 0
    assert await router.miscounts() == []


async def test_if_nobody_is_left_a_named_human_decides_or_the_owner_keeps_it(router: Router) -> None:
    await router.hear(captured(JO))
    for _ in range(2):
        await router.hear(await left(router))
    await router.hear(await left(router, escalate_to=None))
    assert await router.said(LeadEscalated) == []
    assert await router.owner_of(JO) == "cem"
    await router.hear(await left(router))
    (escalated,) = await router.said(LeadEscalated)
    assert (escalated.rep_id, escalated.escalated_to) == ("cem", "boss@acme.example")
    assert "nobody is left who has not had it" in escalated.reason
    assert len(await router.said(LeadReassigned)) == 2
