"""Who asks sales for something new while sales has them begins a new request, with the owner they have."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from leadpact.errors import Conflict
from leadpact.events import (
    LeadAssigned,
    LeadCaptured,
    LeadContacted,
    LeadEscalated,
    LeadHeld,
    LeadQualified,
    LeadReassigned,
)
from leadpact_router.board.now import read_board
from leadpact_router.roster import add_absence
from leadpact_router.work import Recorded, accept, book_meeting, contact, pause, reject
from tests.support.announced import announced_messages
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import PACT, PAUSING_PACT, REPS, Router, captured, downloaded

JO = "jo@globex.example"
HOUR = timedelta(hours=1)


def paper(at: datetime = TUESDAY_MORNING, **changes: Any) -> LeadCaptured:
    """A download by somebody whom sales is given for their seniority alone."""
    return downloaded(JO, at=at, draft={"seniority": "vp"}, **changes)


def demo(at: datetime, **changes: Any) -> LeadCaptured:
    return captured(JO, at=at, **changes)


async def present(router: Router) -> UUID:
    found: UUID = await router.value("SELECT assignment_id FROM lead")
    return found


async def call(router: Router, assignment_id: UUID, at: datetime | None = None) -> UUID:
    """Somebody reached Jo; the assignment that it counts for."""
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        done = await contact(tx, assignment_id, channel="call", occurred_at=at or now, now=now)
    return done.assignment_id


async def give_back(router: Router, assignment_id: UUID, at: datetime | None = None) -> Recorded:
    now = router.clock.now()
    async with router.uow.transaction() as tx:
        applied = await router.book.current(tx)
        return await reject(
            tx, assignment_id, reason="not_now", note=None, occurred_at=at or now, now=now, applied=applied
        )


async def test_a_demo_request_of_a_lead_that_sales_has_is_a_new_request_with_the_same_owner(
    router: Router,
) -> None:
    await router.hear(paper())
    first = await present(router)
    asked_at = router.clock.advance(3 * HOUR)
    await router.hear(asked := demo(asked_at))

    before, after = await router.said(LeadAssigned)
    assert (after.rep_id, after.rule, after.pool, after.hop) == ("ana", "asked again", None, 1)
    assert (before.assignment_id, after.assignment_id) == (first, await present(router))
    assert first != after.assignment_id
    assert (after.lead.received_at, after.lead.qualified_at) == (asked_at, asked_at)
    assert (after.lead.intent, after.lead.source, after.stage) == ("demo_request", "website-demo", "assigned")
    assert after.explanation["decision"] == "Ana has the lead, and the person asks again"
    assert [one.because for one in await router.said(LeadQualified)] == [
        "score: >= 30",
        "intent: demo_request",
    ]
    assert await router.said(LeadReassigned) == []
    assert await router.rows("SELECT ended_as, ended_at FROM assignment ORDER BY assigned_at") == [
        ("renewed", asked_at),
        (None, None),
    ]
    messages = await announced_messages(router.engine)
    caused_by = next(one for one in messages if b"%s" % str(asked.receipt_id).encode() in one.data.encode())
    assert (
        next(one for one in reversed(messages) if one.type == LeadAssigned.TYPE).causation_id == caused_by.id
    )
    assert await router.rows("SELECT open, today FROM rep_load WHERE rep_id = 'ana'") == [(1, 2)]
    assert await router.miscounts() == []


async def test_who_asks_twice_before_an_answer_waits_since_the_first_time(router: Router) -> None:
    await router.hear(demo(TUESDAY_MORNING))
    await router.hear(paper(router.clock.advance(HOUR)))
    await router.hear(demo(router.clock.advance(HOUR)))
    assert len(await router.said(LeadAssigned)) == 1
    assert await router.value("SELECT received_at FROM lead") == TUESDAY_MORNING


@pytest.mark.parametrize("answer", ["call", "meeting"])
async def test_who_asks_once_more_after_an_answer_is_owed_another(router: Router, answer: str) -> None:
    await router.hear(demo(TUESDAY_MORNING))
    first = await present(router)
    now = router.clock.advance(HOUR)
    if answer == "call":
        await call(router, first)
        assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0
    else:
        async with router.uow.transaction() as tx:
            await book_meeting(tx, first, meeting_at=None, occurred_at=now, now=now)
    asked_at = router.clock.advance(2 * HOUR)
    await router.hear(demo(asked_at))
    assert [one.rep_id for one in await router.said(LeadAssigned)] == ["ana", "ana"]
    assert await router.rows("SELECT stage, received_at FROM lead") == [("assigned", asked_at)]
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1
    assert await router.miscounts() == []


async def test_who_was_called_after_asking_is_owed_nothing_more(router: Router) -> None:
    """The router was away for an hour, and the call was reported before it read of the second request."""
    await router.hear(paper())
    asked_at = router.clock.advance(HOUR)
    router.clock.advance(HOUR)
    await call(router, await present(router), at=asked_at + HOUR / 2)
    await router.hear(demo(asked_at))
    assert len(await router.said(LeadAssigned)) == 1
    assert await router.value("SELECT stage FROM lead") == "contacted"


async def test_a_visit_at_a_stand_before_the_call_is_answered_by_it_whenever_the_list_comes(
    router: Router,
) -> None:
    await router.hear(paper())
    visited_at = router.clock.advance(HOUR)
    router.clock.advance(HOUR)
    await call(router, await present(router))
    uploaded_at = router.clock.advance(HOUR)
    scan = demo(uploaded_at, occurred_at=visited_at, source_kind="event_scan", source="fair")
    await router.hear(scan)
    assert len(await router.said(LeadAssigned)) == 1
    later_visit = demo(
        router.clock.advance(HOUR), occurred_at=uploaded_at, source_kind="event_scan", source="fair"
    )
    await router.hear(later_visit)
    assert len(await router.said(LeadAssigned)) == 2


async def test_a_visit_of_before_the_lead_was_given_back_asks_nothing_of_who_has_it_now(
    router: Router,
) -> None:
    await router.hear(paper())
    visited_at = router.clock.advance(HOUR)
    router.clock.advance(HOUR)
    await give_back(router, await present(router))
    await router.hear(paper(router.clock.advance(HOUR)))
    scan = {"occurred_at": visited_at, "source_kind": "event_scan", "source": "fair"}
    await router.hear(demo(router.clock.advance(HOUR), **scan))
    assert await router.value("SELECT intent FROM lead") == "content_download"
    assert [one.rule for one in await router.said(LeadAssigned)] == ["DACH", "DACH"]


async def test_what_adds_to_the_lead_and_asks_for_no_sales_changes_neither_request_nor_owner(
    router: Router,
) -> None:
    """A demo request stays one, with its promises, also for the next owner."""
    await router.hear(demo(TUESDAY_MORNING))
    await router.hear(paper(router.clock.advance(HOUR)))
    await router.hear(demo(router.clock.now(), source="vendor", source_kind="syndication"))
    assert await router.rows("SELECT source, source_kind, intent FROM lead") == [
        ("website-demo", "form", "demo_request")
    ]
    assert await router.value("SELECT draft ->> 'seniority' FROM lead") == "vp"
    router.clock.advance(HOUR)
    await router.hear(await router.breach(JO))
    (next_owner,) = await router.said(LeadReassigned)
    assert (next_owner.lead.intent, next_owner.lead.received_at) == ("demo_request", TUESDAY_MORNING)


async def test_a_bought_list_raises_nobodys_hand(router: Router) -> None:
    await router.hear(paper())
    await router.hear(demo(router.clock.advance(HOUR), source="vendor", source_kind="syndication"))
    assert len(await router.said(LeadAssigned)) == 1
    assert await router.value("SELECT intent FROM lead") == "content_download"


async def test_where_every_lead_is_handed_over_no_touch_says_more_than_another(router: Router) -> None:
    """The owner stays, and the next one is told what was asked for last."""
    await router.apply_pact(PACT.replace(PACT[PACT.index("qualification:") : PACT.index("routing:")], ""))
    await router.hear(paper())
    await router.hear(demo(router.clock.advance(HOUR)))
    assert len(await router.said(LeadAssigned)) == 1
    await router.hear(await router.breach(JO))
    assert [one.lead.intent for one in await router.said(LeadReassigned)] == ["demo_request"]


async def test_a_hand_is_raised_by_the_score_that_the_touch_itself_brings(router: Router) -> None:
    """A stranger with as many points would be qualified by it."""
    pact = PACT.replace("{intent: demo_request}, {score", '{intent: demo_request, score: ">= 40"}, {score')
    await router.apply_pact(pact.replace("content_download: 5}", "content_download: 5, demo_request: 20}"))
    await router.hear(paper())
    await router.hear(demo(router.clock.advance(HOUR)))
    assert len(await router.said(LeadAssigned)) == 2


async def test_more_that_becomes_known_makes_no_second_request_of_the_first(router: Router) -> None:
    """What the criterion asks for besides may come with the second form, or with another pact: they ask for the same."""
    await router.hear(demo(TUESDAY_MORNING, draft={"country": None}))
    criterion = "{intent: demo_request, country: [DE]}, {score"
    await router.apply_pact(PACT.replace("{intent: demo_request}, {score", criterion, 1))
    await router.hear(demo(router.clock.advance(HOUR)))
    assert len(await router.said(LeadAssigned)) == 1


async def test_in_one_batch_the_lead_is_given_away_once_for_what_was_asked_for_in_the_end(
    router: Router,
) -> None:
    asked_at = TUESDAY_MORNING + timedelta(minutes=1)
    await router.hear(paper(), demo(asked_at), demo(asked_at + timedelta(minutes=1)))
    (assigned,) = await router.said(LeadAssigned)
    assert (assigned.lead.intent, assigned.lead.received_at) == ("demo_request", asked_at)
    assert await router.miscounts() == []


async def test_in_one_batch_two_who_ask_again_each_keep_their_owner(router: Router) -> None:
    kit = "kit@globex.example"
    await router.hear(paper(), downloaded(kit, draft={"seniority": "vp"}))
    asked_at = router.clock.advance(HOUR)
    await router.hear(demo(asked_at), demo(asked_at + timedelta(minutes=1)), captured(kit, at=asked_at))
    assert [one.rep_id for one in await router.said(LeadAssigned)] == ["ana", "ben", "ana", "ben"]
    assert await router.miscounts() == []


async def test_what_is_delivered_again_begins_nothing(router: Router) -> None:
    await router.hear(paper())
    again = demo(router.clock.advance(HOUR))
    await router.hear(again)
    await router.hear(again)
    assert len(await router.said(LeadAssigned)) == 2


# Where the owner is not there


async def test_an_owner_on_leave_is_passed_by_and_the_lead_goes_to_the_next(router: Router) -> None:
    await router.hear(paper())
    asked_at = router.clock.advance(HOUR)
    async with router.uow.transaction() as tx:
        await add_absence(tx, "ana", asked_at, asked_at + 48 * HOUR, now=asked_at)
    await router.hear(demo(asked_at))
    given = (await router.said(LeadAssigned))[-1]
    assert (given.rep_id, given.pool, given.rule, given.hop) == ("ben", "dach", "DACH", 1)
    assert given.explanation["rules"][0] == {
        "rule": "asked again",
        "to": "ana",
        "holds": True,
        "seen": [],
        "passed_by": "away until Thu 2026-03-05 10:00 (UTC)",
    }
    assert await router.rows("SELECT rep_id, ended_as FROM assignment ORDER BY assigned_at") == [
        ("ana", "reassigned"),
        ("ben", None),
    ]
    assert await router.miscounts() == []


async def test_where_nobody_is_there_it_waits_and_the_owner_loses_it(router: Router) -> None:
    await router.hear(paper())
    first = await present(router)
    asked_at = router.clock.advance(HOUR)
    async with router.uow.transaction() as tx:
        for rep in ("ana", "ben", "cem"):
            await add_absence(tx, rep, asked_at, asked_at + 48 * HOUR, now=asked_at)
    await router.hear(demo(asked_at))
    (held,) = await router.said(LeadHeld)
    assert (held.previous_assignment_id, held.lead.received_at) == (first, asked_at)
    assert await router.rows("SELECT stage, owner, assignment_id FROM lead") == [("held", None, None)]
    assert await router.miscounts() == []
    router.clock.advance(48 * HOUR)
    await router.release()
    given = (await router.said(LeadAssigned))[-1]
    assert (given.lead.intent, given.lead.received_at, given.hop) == ("demo_request", asked_at, 1)


async def test_an_owner_who_left_the_company_keeps_nothing(router: Router) -> None:
    await router.hear(paper())
    await router.put_reps(replace(REPS[0], active=False))
    await router.hear(demo(router.clock.advance(HOUR)))
    given = (await router.said(LeadAssigned))[-1]
    assert given.rep_id == "ben"
    assert given.explanation["rules"][0]["passed_by"] == "inactive"


async def test_limits_and_hours_do_not_keep_an_owner_from_their_own_lead(router: Router) -> None:
    await router.hear(paper())
    await router.put_reps(replace(REPS[0], open_limit=1, daily_limit=1))
    await router.hear(demo(router.clock.advance(10 * HOUR)))
    assert (await router.said(LeadAssigned))[-1].rep_id == "ana"


async def test_a_lead_that_waits_keeps_its_place_and_is_said_to_wait_for_what_is_asked_now(
    router: Router,
) -> None:
    async with router.uow.transaction() as tx:
        for rep in ("ana", "ben", "cem"):
            await add_absence(tx, rep, TUESDAY_MORNING, TUESDAY_MORNING + 5 * HOUR, now=TUESDAY_MORNING)
    await router.hear(paper())
    asked_at = router.clock.advance(HOUR)
    await router.hear(demo(asked_at))
    held = await router.said(LeadHeld)
    assert [one.lead.received_at for one in held] == [TUESDAY_MORNING, asked_at]
    # It does not stand behind itself.
    assert {one.reason for one in held} == {"nobody in dach can take it now: 3 away"}
    assert await router.value("SELECT held_since FROM lead") == TUESDAY_MORNING
    router.clock.advance(5 * HOUR)
    await router.release()
    (given,) = await router.said(LeadAssigned)
    assert (given.lead.intent, given.lead.received_at) == ("demo_request", asked_at)


async def test_a_lead_that_waits_is_given_away_at_once_if_somebody_is_there_by_now(router: Router) -> None:
    async with router.uow.transaction() as tx:
        for rep in ("ana", "ben", "cem"):
            await add_absence(tx, rep, TUESDAY_MORNING, TUESDAY_MORNING + HOUR, now=TUESDAY_MORNING)
    await router.hear(paper())
    await router.hear(demo(router.clock.advance(HOUR)))
    assert await router.owner_of(JO) == "ana"


async def test_a_new_request_begins_a_new_round_of_owners(router: Router) -> None:
    """Whoever lost it before may get it again, and nobody need decide any longer."""
    await router.hear(paper())
    for _ in range(3):
        router.clock.advance(HOUR)
        await router.hear(await router.breach(JO, at_most=2))
    assert await router.value("SELECT escalated_at IS NOT NULL FROM lead")
    owner = await router.owner_of(JO)
    await router.hear(demo(router.clock.advance(HOUR)))
    assert await router.rows("SELECT owner, hop, hops_by_breach, escalated_at FROM lead") == [
        (owner, 1, 0, None)
    ]


async def test_a_breach_of_before_takes_the_lead_from_nobody_but_was_missed_all_the_same(
    router: Router,
) -> None:
    await router.hear(paper())
    breach = await router.breach(JO, take_offline=True)
    await router.hear(demo(router.clock.advance(HOUR)))
    await router.hear(breach)
    assert await router.owner_of(JO) == "ana"
    assert await router.said(LeadReassigned) == []
    assert await router.value("SELECT offline_since IS NOT NULL FROM rep WHERE id = 'ana'")
    async with router.uow.transaction() as tx:
        board = await read_board(tx, router.book, router.clock.now())
    assert [one.next_name for one in board.breaches] == [None]


@pytest.mark.parametrize("answered", [True, False])
async def test_a_missed_promise_of_the_team_is_judged_by_who_had_the_lead_for_what_it_was_about(
    router: Router, answered: bool
) -> None:
    await router.hear(paper())
    breach = await router.shared_breach(JO)
    router.clock.advance(HOUR)
    if answered:
        await call(router, await present(router))
    await router.hear(demo(router.clock.advance(HOUR)))
    await router.hear(breach)
    assert len(await router.said(LeadEscalated)) == (not answered)


async def test_the_order_of_owners_does_not_hang_on_the_clock(router: Router) -> None:
    """The database's clock is set back between the first assignment and the one that follows it."""
    await router.hear(paper())
    router.clock.set(TUESDAY_MORNING - timedelta(seconds=2))
    await router.hear(demo(TUESDAY_MORNING + timedelta(minutes=1)))
    router.clock.set(TUESDAY_MORNING + HOUR)
    await call(router, await present(router))
    await router.hear(demo(router.clock.advance(HOUR)))
    assert len(await router.said(LeadAssigned)) == 3
    assert await router.rows("SELECT number, ended_as FROM assignment ORDER BY number") == [
        (1, "renewed"),
        (2, "renewed"),
        (3, None),
    ]
    assert await router.miscounts() == []


# What is reported of the ownership that was renewed


async def test_work_that_is_reported_of_the_ownership_of_before_counts_for_the_one_of_now(
    router: Router,
) -> None:
    """Whoever reports it has not heard of the new request yet."""
    await router.apply_pact(PAUSING_PACT)
    await router.hear(paper())
    first = await present(router)
    await router.hear(demo(router.clock.advance(HOUR)))
    second = await present(router)
    now = router.clock.advance(HOUR)
    async with router.uow.transaction() as tx:
        applied = await router.book.current(tx)
        assert (await accept(tx, first, occurred_at=now, now=now)).assignment_id == second
        paused = await pause(tx, first, state="waiting_for_customer", until=None, now=now, pact=applied.pact)
        assert paused.assignment_id == second
    assert await call(router, first) == second
    assert (await router.said(LeadContacted))[-1].assignment_id == second
    back = await give_back(router, first)
    assert back.assignment_id == second
    assert await router.rows(
        "SELECT accepted_at, contacted_at, paused_state, ended_as FROM assignment ORDER BY assigned_at"
    ) == [(None, None, None, "renewed"), (now, now, "waiting_for_customer", "rejected")]
    assert await router.miscounts() == []


async def test_a_call_of_before_the_new_request_counts_for_the_one_before(router: Router) -> None:
    await router.hear(paper())
    first = await present(router)
    called_at = router.clock.advance(HOUR / 2)
    await router.hear(demo(router.clock.advance(HOUR)))
    router.clock.advance(HOUR)
    assert await call(router, first, at=called_at) == first
    assert await router.value("SELECT stage FROM lead") == "assigned"
    assert await router.miscounts() == []


async def test_a_call_between_the_asking_and_our_reading_of_it_answers_what_was_asked(router: Router) -> None:
    """The router was away for an hour, and the call is reported after it has read of the request."""
    await router.hear(paper())
    first = await present(router)
    asked_at = router.clock.advance(HOUR)
    router.clock.advance(HOUR)
    await router.hear(demo(asked_at))
    assert await call(router, first, at=asked_at + HOUR / 2) == await present(router)


async def test_a_report_goes_to_the_ownership_of_its_time_along_a_chain_of_them(router: Router) -> None:
    await router.hear(paper())
    first = await present(router)
    await router.hear(demo(router.clock.advance(HOUR)))
    second = await present(router)
    called_at = router.clock.advance(HOUR)
    assert await call(router, first) == second
    agreed_at = router.clock.advance(HOUR)
    await router.hear(demo(router.clock.advance(HOUR)))
    third = await present(router)
    now = router.clock.advance(HOUR)
    async with router.uow.transaction() as tx:
        agreed = await book_meeting(tx, first, meeting_at=None, occurred_at=agreed_at, now=now)
    assert agreed.assignment_id == second
    assert await call(router, first, at=called_at) == second  # once more, and known
    assert await call(router, first) == third
    assert len(await router.said(LeadContacted)) == 2


async def test_a_call_in_time_that_is_reported_once_somebody_else_has_it_keeps_the_promise(
    router: Router,
) -> None:
    await router.hear(paper())
    first = await present(router)
    await router.hear(demo(router.clock.advance(HOUR)))
    second = await present(router)
    called_at = router.clock.advance(HOUR)
    router.clock.advance(2 * HOUR)
    await router.hear(await router.breach(JO))
    assert await router.owner_of(JO) == "ben"
    assert await call(router, first, at=called_at) == second
    assert (await router.said(LeadContacted))[-1].assignment_id == second


async def test_a_report_that_is_sent_twice_changes_nothing_twice(router: Router) -> None:
    """Neither the request that it was about, nor one that came after the lead was given back."""
    await router.put_reps(*(replace(rep, active=False) for rep in REPS[1:3]))
    await router.hear(paper())
    first = await present(router)
    await router.hear(demo(router.clock.advance(HOUR)))
    second = await present(router)
    router.clock.advance(HOUR)
    once = await give_back(router, first)
    await router.hear(demo(router.clock.advance(HOUR)))
    again = await give_back(router, first)
    assert [(one.assignment_id, one.changed) for one in (once, again)] == [(second, True), (second, False)]
    assert await router.owner_of(JO) == "ana"


async def test_giving_back_what_was_asked_before_gives_back_nothing_that_is_asked_now(router: Router) -> None:
    await router.hear(paper())
    first = await present(router)
    given_back_at = router.clock.advance(HOUR / 2)
    await router.hear(demo(router.clock.advance(HOUR)))
    router.clock.advance(HOUR)
    with pytest.raises(Conflict, match="was asked for anew at 2026-03-03 10:30 UTC; ana has it now"):
        await give_back(router, first, at=given_back_at)


async def test_a_demo_request_that_is_read_late_is_owed_its_answer_all_the_same(router: Router) -> None:
    """Two posts of one person under different keys may overtake each other; or both came at one instant."""
    await router.hear(paper(TUESDAY_MORNING))
    await router.hear(demo(TUESDAY_MORNING - timedelta(minutes=1)))
    given = (await router.said(LeadAssigned))[-1]
    assert (given.lead.intent, given.lead.received_at) == ("demo_request", TUESDAY_MORNING)
    assert len(await router.said(LeadAssigned)) == 2
