"""A lead whose time is up goes to somebody who never had it, at most so many times, and then to a named human."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from leadpact.events import LeadAssigned, LeadEscalated, LeadHeld, LeadReassigned, RepTakenOffline
from leadpact_router.roster import add_absence
from leadpact_router.work import accept, book_meeting, contact, reject
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import REPS, Router, captured

JO = "jo@globex.example"


async def test_a_breached_lead_is_taken_away_and_given_to_the_next(router: Router) -> None:
    await router.hear(captured(JO))
    router.clock.advance(timedelta(hours=2))
    breach = await router.breach(JO)
    await router.hear(breach)
    (first,) = await router.said(LeadAssigned)
    (second,) = await router.said(LeadReassigned)
    assert (first.rep_id, second.rep_id, second.hop) == ("ana", "ben", 2)
    assert (first.owner_number, second.owner_number) == (1, 2)
    assert (second.previous_rep_id, second.previous_assignment_id) == ("ana", first.assignment_id)
    assert second.reason == "first-touch was breached"
    passed_over = {
        one["rep"]: one["because"]
        for one in second.explanation["pools"][0]["candidates"]
        if one["outcome"] == "passed over"
    }
    assert passed_over == {"ana": "had this lead before"}
    assert await router.rows("SELECT rep_id, ended_as FROM assignment ORDER BY hop") == [
        ("ana", "reassigned"),
        ("ben", None),
    ]
    assert await _loads(router) == {"ana": (0, 1), "ben": (1, 1), "cem": (0, 0), "dora": (0, 0)}


async def test_a_breach_that_is_delivered_twice_takes_the_lead_away_once(router: Router) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO)
    await router.hear(breach, breach)  # two messages about one clock, as if the timer had said it twice
    await router.hear(breach)
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_two_clocks_of_one_owner_take_the_lead_away_once(router: Router) -> None:
    await router.hear(captured(JO))
    breaches = [await router.breach(JO), await router.breach(JO)]
    async with router.uow.transaction() as tx:
        await router.apply_breaches(tx, *breaches)
    assert len(await router.said(LeadReassigned)) == 1


async def test_a_breach_of_a_lead_that_was_touched_meanwhile_changes_nothing(router: Router) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO)
    assert breach.assignment_id is not None
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        await contact(tx, breach.assignment_id, channel="call", occurred_at=now, now=now)
    await router.hear(breach)
    assert await router.said(LeadReassigned) == []
    assert await router.owner_of(JO) == "ana"


async def test_a_breach_that_the_pact_only_announces_leaves_the_owner(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.breach(JO, at_most=None))
    assert await router.said(LeadReassigned) == []
    assert await router.value("SELECT state FROM clock_view") == "breached"


async def test_when_the_reassignments_are_used_up_a_named_human_must_decide_once(router: Router) -> None:
    await router.hear(captured(JO))
    for _ in range(3):
        await router.hear(await router.breach(JO))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "cem"]
    (escalated,) = await router.said(LeadEscalated)
    assert (escalated.rep_id, escalated.hops, escalated.escalated_to) == ("cem", 3, "boss@acme.example")
    assert escalated.reason == "reassigned 2 times, as often as the pact allows"
    await router.hear(await router.breach(JO))
    assert len(await router.said(LeadEscalated)) == 1
    assert await router.owner_of(JO) == "cem"


async def test_when_everybody_has_had_it_a_named_human_must_decide(router: Router) -> None:
    await router.hear(captured(JO))
    for _ in range(3):
        await router.hear(await router.breach(JO, at_most=9))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "cem"]
    (escalated,) = await router.said(LeadEscalated)
    assert escalated.reason.startswith("nobody is left who has not had it")
    assert await router.said(LeadHeld) == []
    assert await router.owner_of(JO) == "cem"


async def test_when_the_others_are_away_the_lead_waits_for_one_who_has_not_had_it(router: Router) -> None:
    await router.hear(captured(JO))
    back_at = TUESDAY_MORNING + timedelta(hours=4)
    async with router.uow.transaction() as tx:
        for name in ("ben", "cem"):
            await add_absence(tx, name, TUESDAY_MORNING, back_at, now=router.clock.now())
    await router.hear(await router.breach(JO))
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in dach can take it now: 1 had it before, 2 away"
    (first,) = await router.said(LeadAssigned)
    assert held.previous_assignment_id == first.assignment_id
    assert await router.owner_of(JO) is None
    assert await _loads(router) == {
        name: (0, 1 if name == "ana" else 0) for name in ("ana", "ben", "cem", "dora")
    }
    await router.release()
    assert await router.said(LeadReassigned) == []
    router.clock.set(back_at)
    await router.release()
    (again,) = await router.said(LeadReassigned)
    assert (again.rep_id, again.previous_rep_id, again.hop) == ("ben", "ana", 2)


async def test_a_missed_promise_gives_no_turn_back(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.breach(JO))
    await router.hear(captured("kit@globex.example"))
    assert await router.owner_of("kit@globex.example") == "cem"
    await router.hear(captured("lou@globex.example"))
    assert await router.owner_of("lou@globex.example") == "ana"


async def test_many_breaches_in_one_batch_each_find_their_next_owner(router: Router) -> None:
    people = [f"jo{i}@globex.example" for i in range(30)]
    await router.hear(*(captured(one) for one in people))
    await router.hear(*[await router.breach(one) for one in people])
    reassigned = await router.said(LeadReassigned)
    assert len(reassigned) == 30
    assert all(one.rep_id != one.previous_rep_id for one in reassigned)
    assert sum(open_ for open_, _ in (await _loads(router)).values()) == 30
    recount = """
        SELECT rep_id, count(*) FILTER (WHERE ended_at IS NULL), count(*) FROM assignment GROUP BY rep_id ORDER BY rep_id
    """
    loads = "SELECT rep_id, open, today FROM rep_load WHERE today > 0 ORDER BY rep_id"
    assert await router.rows(recount) == await router.rows(loads)


async def test_a_pact_that_asks_for_a_human_at_once_leaves_the_owner(router: Router) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO, at_most=None, escalate_to="boss@acme.example")
    await router.hear(breach)
    (escalated,) = await router.said(LeadEscalated)
    assert (escalated.assignment_id, escalated.rep_id) == (breach.assignment_id, "ana")
    assert (escalated.escalated_to, escalated.reason) == ("boss@acme.example", "first-touch was breached")
    assert await router.said(LeadReassigned) == []
    assert await router.owner_of(JO) == "ana"


async def test_a_clock_of_the_team_escalates_the_lead_whoever_has_it(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.breach(JO))
    await router.hear(await router.shared_breach(JO), await router.shared_breach(JO, "customer"))
    (escalated,) = await router.said(LeadEscalated)
    assert (escalated.rep_id, escalated.reason) == ("ben", "team-clock was breached")
    assert escalated.assignment_id == (await router.said(LeadReassigned))[0].assignment_id
    assert await router.owner_of(JO) == "ben"
    assert await router.rows("SELECT whose, rep_id FROM clock_view ORDER BY whose") == [
        ("customer", None),
        ("owner", "ana"),
        ("team", None),
    ]


async def test_a_clock_of_the_customer_escalates_a_lead_that_nobody_has(router: Router) -> None:
    await router.put_reps(*(replace(rep, active=False) for rep in REPS))
    await router.hear(captured(JO))
    await router.hear(await router.shared_breach(JO, "customer"))
    (escalated,) = await router.said(LeadEscalated)
    assert (escalated.assignment_id, escalated.rep_id, escalated.hops) == (None, None, 0)
    assert await router.value("SELECT stage FROM lead") == "held"


async def test_a_clock_of_the_team_that_the_pact_only_announces_changes_nothing(router: Router) -> None:
    await router.hear(captured(JO))
    await router.hear(await router.shared_breach(JO, escalate_to=None))
    assert await router.said(LeadEscalated) == []


@pytest.mark.parametrize("by", ["contact", "rejection"])
async def test_a_clock_of_the_team_does_not_matter_once_sales_has_done_with_the_lead(
    router: Router, by: str
) -> None:
    await router.hear(captured(JO))
    breach, of = await router.shared_breach(JO), await router.value("SELECT id FROM assignment")
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        if by == "contact":
            await contact(tx, of, channel="call", occurred_at=now, now=now)
        else:
            applied = await router.book.current(tx)
            await reject(tx, of, reason="not_now", note=None, occurred_at=now, now=now, applied=applied)
    await router.hear(breach)
    assert await router.said(LeadEscalated) == []


async def test_a_contact_by_an_earlier_owner_that_was_heard_of_late_answers_the_customer(
    router: Router,
) -> None:
    await router.hear(captured(JO))
    (first,) = await router.said(LeadAssigned)
    router.clock.advance(timedelta(hours=2))
    await router.hear(await router.breach(JO))
    async with router.uow.transaction() as tx:
        await contact(
            tx, first.assignment_id, channel="call", occurred_at=TUESDAY_MORNING, now=router.clock.now()
        )
    await router.hear(await router.shared_breach(JO, "customer"))
    assert await router.said(LeadEscalated) == []


async def test_what_the_owner_did_in_time_by_our_own_record_is_no_breach(router: Router) -> None:
    """The sla-timer may not have heard of it yet: an acceptance, where the pact takes that for the promise."""
    source = await router.value("SELECT text FROM pact_version")
    deciding = "  decide: {decide_within: 1 business hour, on_breach: {reassign: {at_most: 2}, then: {escalate: boss@acme.example}}}\n"
    await router.apply_pact(source.replace("rejection_reasons:", deciding + "rejection_reasons:"))
    await router.hear(captured(JO))
    decide = await router.breach(
        JO, policy="decide", take_offline=True, stops=("accepted", "rejected", "contacted")
    )
    first_touch = await router.breach(JO)
    assert decide.assignment_id is not None
    async with router.uow.transaction() as tx:
        await accept(tx, decide.assignment_id, occurred_at=router.clock.now(), now=router.clock.now())
    await router.hear(decide)
    assert await router.said(LeadReassigned) == []
    assert await router.said(RepTakenOffline) == []
    await router.hear(first_touch)
    assert len(await router.said(LeadReassigned)) == 1


async def test_what_keeps_a_promise_is_what_its_own_pact_says_and_nothing_else(router: Router) -> None:
    """A call keeps no promise of a meeting, and what a later pact takes for a first touch kept none of the pact before."""
    await router.hear(captured(JO))
    (assigned,) = await router.said(LeadAssigned)
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        await accept(tx, assigned.assignment_id, occurred_at=now, now=now)
        await contact(tx, assigned.assignment_id, channel="call", occurred_at=now, now=now)
    booking: dict[str, Any] = {"policy": "meeting", "stops": ("meeting_booked",)}
    await router.hear(await router.shared_breach(JO, "customer", **booking, escalate_to=None))
    await router.hear(await router.breach(JO, **booking, take_offline=True))
    assert [(one.previous_rep_id, one.rep_id) for one in await router.said(LeadReassigned)] == [
        ("ana", "ben")
    ]
    assert [one.rep_id for one in await router.said(RepTakenOffline)] == ["ana"]
    await router.hear(await router.shared_breach(JO, "customer", **booking))
    assert len(await router.said(LeadEscalated)) == 1


async def test_a_meeting_that_was_booked_keeps_the_promise_of_one(router: Router) -> None:
    await router.hear(captured(JO))
    breach = await router.breach(JO, policy="meeting", stops=("meeting_booked",))
    shared = await router.shared_breach(JO, "customer", stops=("meeting_booked",))
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        assert breach.assignment_id is not None
        await book_meeting(tx, breach.assignment_id, meeting_at=now, occurred_at=now, now=now)
    await router.hear(breach, shared)
    assert await router.said(LeadReassigned) == []
    assert await router.said(LeadEscalated) == []


async def _loads(router: Router) -> dict[str, tuple[int, int]]:
    rows = await router.rows("SELECT rep_id, open, today FROM rep_load ORDER BY rep_id")
    assert [row.rep_id for row in rows] == [rep.id for rep in REPS]
    return {row.rep_id: (row.open, row.today) for row in rows}
