"""Whoever misses a promise whose pact says `take_offline` is given nothing more until they return."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from leadpact.errors import NotFound
from leadpact.events import (
    LeadAssigned,
    LeadEscalated,
    LeadHeld,
    LeadReassigned,
    RepReturned,
    RepTakenOffline,
)
from leadpact_router.offline import bring_back
from leadpact_router.roster import AccountEntry, put_accounts
from leadpact_router.work import contact
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import REPS, Router, captured

JO, KIM, LOU = "jo@globex.example", "kim@globex.example", "lou@globex.example"


async def come_back(router: Router, rep_id: str) -> bool:
    async with router.uow.transaction() as tx:
        return await bring_back(tx, rep_id, router.clock.now())


async def test_whoever_misses_a_promise_is_passed_over_until_they_return(router: Router) -> None:
    await router.hear(captured(JO))
    router.clock.advance(timedelta(hours=2))
    breach = await router.breach(JO, take_offline=True)
    await router.hear(breach)
    (offline,) = await router.said(RepTakenOffline)
    assert (offline.rep_id, offline.lead_id) == ("ana", breach.lead_id)
    assert (offline.because, offline.occurred_at) == ("first-touch was breached", router.clock.now())
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]
    people = [f"p{number}@globex.example" for number in range(4)]
    await router.hear(*(captured(one) for one in people))
    assert {await router.owner_of(one) for one in people} == {"ben", "cem"}
    explanation = (await router.said(LeadAssigned))[-1].explanation
    assert explanation["pools"][0]["candidates"][-1] == {
        "rep": "ana",
        "outcome": "passed over",
        "because": "offline since Tue 2026-03-03 11:00 (UTC) after a missed promise",
    }
    assert await come_back(router, "ana")
    assert [one.rep_id for one in await router.said(RepReturned)] == ["ana"]
    await router.hear(captured(LOU))
    assert await router.owner_of(LOU) == "ana"


async def test_going_offline_is_announced_once_however_many_promises_are_missed(router: Router) -> None:
    people = [f"p{number}@globex.example" for number in range(6)]
    await router.hear(*(captured(one) for one in people))
    of_ana = [one for one in people if await router.owner_of(one) == "ana"]
    assert len(of_ana) == 2
    for breach in [await router.breach(one, take_offline=True) for one in of_ana]:
        await router.hear(breach)
        router.clock.advance(timedelta(minutes=1))
    assert [one.rep_id for one in await router.said(RepTakenOffline)] == ["ana"]
    since = await router.value("SELECT offline_since FROM rep WHERE id = 'ana'")
    assert since == TUESDAY_MORNING


async def test_nobody_who_goes_offline_in_a_batch_is_the_next_owner_in_it(router: Router) -> None:
    await router.hear(captured(JO), captured(KIM))
    await router.hear(*[await router.breach(one, take_offline=True) for one in (JO, KIM)])
    assert {one.rep_id for one in await router.said(RepTakenOffline)} == {"ana", "ben"}
    assert {one.rep_id for one in await router.said(LeadReassigned)} == {"cem"}
    assert len(await router.said(LeadReassigned)) == 2


@pytest.mark.parametrize("escalate_to", ["boss@acme.example", None])
async def test_it_needs_no_reassignment(router: Router, escalate_to: str | None) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.breach(JO, at_most=None, escalate_to=escalate_to, take_offline=True))
    assert [one.rep_id for one in await router.said(RepTakenOffline)] == ["ana"]
    assert len(await router.said(LeadEscalated)) == (1 if escalate_to else 0)
    assert await router.owner_of(JO) == "ana"


async def test_whoever_missed_it_is_taken_offline_although_another_clock_took_the_lead_away(
    router: Router,
) -> None:
    await router.hear(captured(JO))
    first, second = await router.breach(JO), await router.breach(JO, take_offline=True)
    await router.hear(first)
    await router.hear(second)
    assert len(await router.said(LeadReassigned)) == 1
    assert [one.rep_id for one in await router.said(RepTakenOffline)] == ["ana"]


async def test_who_reached_the_person_meanwhile_stays_online(router: Router) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO, take_offline=True)
    assert breach.assignment_id is not None
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        await contact(tx, breach.assignment_id, channel="call", occurred_at=now, now=now)
    await router.hear(breach)
    assert await router.said(RepTakenOffline) == []


async def test_leads_wait_for_somebody_who_is_offline_and_are_theirs_when_they_return(router: Router) -> None:
    await router.hear(captured(JO, draft={"country": "FR"}))
    await router.hear(await router.breach(JO, at_most=None, take_offline=True))
    await router.hear(captured(KIM, draft={"country": "FR"}))
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in rest can take it now: 1 offline"
    await router.release()
    assert await router.owner_of(KIM) is None
    await come_back(router, "dora")
    await router.release()
    assert await router.owner_of(KIM) == "dora"


async def test_others_who_are_offline_are_still_somebody_to_wait_for(router: Router) -> None:
    """A breach that finds only offline colleagues holds the lead; it does not ask a human as if nobody were left."""
    for one in (KIM, LOU, JO):
        await router.hear(captured(one))
    await router.hear(*[await router.breach(one, at_most=None, take_offline=True) for one in (KIM, LOU)])
    await router.hear(await router.breach(JO))
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in dach can take it now: 2 offline, 1 had it before"
    assert await router.said(LeadEscalated) == []


async def test_an_accounts_owner_who_is_offline_is_passed_by(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_accounts(tx, [AccountEntry("Globex", "globex.example", owner="dora")], TUESDAY_MORNING)
    await router.hear(captured(JO, draft={"domain": "globex.example"}))
    await router.hear(await router.breach(JO, at_most=None, take_offline=True))
    await router.hear(captured(KIM, draft={"domain": "globex.example"}))
    first, second = await router.said(LeadAssigned)
    assert (first.rep_id, second.rep_id) == ("dora", "ana")
    passed_by = second.explanation["rules"][0]["passed_by"]
    assert passed_by.startswith("dora: offline since Tue 2026-03-03 09:00 (UTC)")


async def test_overflow_goes_to_nobody_who_is_offline(router: Router) -> None:
    source = await router.value("SELECT text FROM pact_version")
    await router.apply_pact(
        source.replace(
            "members: [ana, ben, cem], calendar: utc",
            "members: [ana], calendar: utc, when_nobody: {overflow: dora}",
        )
    )
    await router.hear(captured(JO, draft={"country": "FR"}))
    await router.hear(await router.breach(JO, at_most=None, take_offline=True))
    await router.hear(captured(KIM))
    await router.hear(await router.breach(KIM))
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in dach can take it now: 1 had it before, 1 offline"
    assert held.explanation["pools"][0]["then"].startswith("overflow to dora: offline since")
    await come_back(router, "dora")
    await router.release()
    assert await router.owner_of(KIM) == "dora"


async def test_a_list_of_reps_brings_nobody_back(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.breach(JO, take_offline=True))
    await router.put_reps(*(replace(rep, name=rep.name + " II") for rep in REPS))
    since, name = (await router.rows("SELECT offline_since, name FROM rep WHERE id = 'ana'"))[0]
    assert (since, name) == (router.clock.now(), "Ana II")
    assert await router.said(RepReturned) == []


async def test_who_is_not_offline_returns_silently(router: Router) -> None:
    assert not await come_back(router, "ana")
    assert await router.said(RepReturned) == []
    with pytest.raises(NotFound):
        await come_back(router, "nobody")


async def test_a_promise_missed_after_the_return_counts_anew(router: Router) -> None:
    people = [f"p{number}@globex.example" for number in range(6)]
    await router.hear(*(captured(one) for one in people))
    of_ana = [one for one in people if await router.owner_of(one) == "ana"]
    breaches = [await router.breach(one, at_most=None, take_offline=True) for one in of_ana]
    for breach in breaches:
        await router.hear(breach)
        await come_back(router, "ana")
    assert len(await router.said(RepTakenOffline)) == len(await router.said(RepReturned)) == 2
