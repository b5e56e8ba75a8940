"""A closed lead is nobody's, waits in no line and weighs on nobody, until the person asks again."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from leadpact.errors import Conflict, NotFound
from leadpact.events import LeadAccepted, LeadAssigned, LeadClosed, LeadContacted, LeadHeld, LeadMatched
from leadpact_router.work import Closed, accept, close, contact, reject
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import Router, captured, downloaded

JO = "jo@globex.example"


async def test_closing_ends_the_ownership_and_is_announced_once(router: Router) -> None:
    first = await _assigned(router)
    now = router.clock.advance(timedelta(hours=2))
    won_at = TUESDAY_MORNING + timedelta(hours=1)
    closed = await _close(router, first.lead_id, "won", won_at)
    again = await _close(router, first.lead_id, "lost")
    assert (closed.stage, closed.changed) == ("closed", True)
    assert (again.stage, again.changed) == ("closed", False)
    (said,) = await router.said(LeadClosed)
    assert (said.assignment_id, said.rep_id, said.reason) == (first.assignment_id, "ana", "won")
    assert (said.occurred_at, said.recorded_at) == (won_at, now)
    ended = await router.rows("SELECT ended_at, ended_as FROM assignment")
    assert ended == [(now, "closed")]
    lead = await router.rows("SELECT stage, owner, assignment_id, closed_at FROM lead")
    assert lead == [("closed", None, None, won_at)]
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0


async def test_a_closing_in_the_future_is_taken_as_now(router: Router) -> None:
    first = await _assigned(router)
    await _close(router, first.lead_id, occurred_at=router.clock.now() + timedelta(days=1))
    assert (await router.said(LeadClosed))[0].occurred_at == router.clock.now()


async def test_closing_what_was_reached_lightens_the_desk_no_second_time(router: Router) -> None:
    first = await _assigned(router)
    await _contact(router, first)
    await _close(router, first.lead_id)
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0


async def test_a_closed_lead_waits_in_no_line(router: Router) -> None:
    for name in ("e1", "e2", "e3"):  # dora takes two a day
        await router.hear(captured(f"{name}@globex.example", draft={"country": "FR"}))
    (held,) = await router.said(LeadHeld)
    await _close(router, held.lead_id, "duplicate")
    (said,) = await router.said(LeadClosed)
    assert (said.lead_id, said.assignment_id, said.rep_id) == (held.lead_id, None, None)
    assert said.received_at == held.lead.received_at
    waits = "SELECT held_since, held_reason, held_pool, held_cause_id FROM lead WHERE id = :id"
    assert await router.rows(waits, id=held.lead_id) == [(None, None, None, None)]
    router.clock.advance(timedelta(days=1))
    await router.release()
    assert held.lead_id not in {one.lead_id for one in await router.said(LeadAssigned)}


async def test_a_lead_that_is_not_ready_for_sales_can_be_closed_and_stays_so(router: Router) -> None:
    await router.hear(downloaded(JO))
    lead_id = await router.value("SELECT id FROM lead")
    await _close(router, lead_id, "spam")
    await router.hear(downloaded(JO, source_kind="syndication"))
    assert await router.value("SELECT stage FROM lead") == "closed"


async def test_what_was_rejected_cannot_be_closed(router: Router) -> None:
    first = await _assigned(router)
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        applied = await router.book.current(tx)
        await reject(
            tx, first.assignment_id, reason="not_now", note=None, occurred_at=now, now=now, applied=applied
        )
    with pytest.raises(Conflict, match="rejected and is recycled now"):
        await _close(router, first.lead_id)
    assert await router.said(LeadClosed) == []


async def test_after_the_closing_its_owner_can_report_only_what_was_before(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=2))
    await _close(router, first.lead_id)
    with pytest.raises(Conflict, match="closed at 2026-03-03 11:00 UTC; it is closed now"):
        await _accept(router, first)
    with pytest.raises(Conflict):
        await _contact(router, first)
    await _contact(router, first, TUESDAY_MORNING + timedelta(hours=1))
    assert await router.said(LeadAccepted) == []
    assert len(await router.said(LeadContacted)) == 1
    assert await router.value("SELECT stage FROM lead") == "closed"


async def test_a_breach_that_was_under_way_gives_a_closed_lead_to_nobody(router: Router) -> None:
    first = await _assigned(router)
    breach = await router.breach(JO)
    await _close(router, first.lead_id)
    await router.hear(breach)
    assert await router.owner_of(JO) is None
    assert len(await router.said(LeadAssigned)) == 1


async def test_who_asks_again_is_a_new_request(router: Router) -> None:
    first = await _assigned(router)
    await _close(router, first.lead_id)
    asked_at = router.clock.advance(timedelta(days=30))
    await router.hear(captured(JO, at=asked_at))
    again = (await router.said(LeadAssigned))[-1]
    assert (again.lead_id, again.hop, again.lead.received_at) == (first.lead_id, 1, asked_at)
    assert (first.owner_number, again.owner_number) == (1, 2)
    await _close(router, first.lead_id, "lost")
    assert [one.reason for one in await router.said(LeadClosed)] == ["won", "lost"]


async def test_a_form_asks_when_it_comes_whatever_date_it_brings_along(router: Router) -> None:
    """Such as `created_at` out of a CRM. A scan tells of a visit, which may be older than the end of the lead."""
    await router.hear(captured(JO))
    (first,) = await router.said(LeadAssigned)
    await _close(router, first.lead_id, "lost", router.clock.now())
    at = router.clock.advance(timedelta(days=1))
    years_ago = {"occurred_at": at - timedelta(days=900), "at": at}
    await router.hear(captured(JO, source_kind="event_scan", intent="event_visit", **years_ago))
    assert await router.value("SELECT stage FROM lead") == "closed"
    await router.hear(captured(JO, **years_ago))
    assert await router.value("SELECT stage FROM lead") == "assigned"


@pytest.mark.parametrize("end", ["closed", "recycled", "nurtured", "disqualified"])
async def test_who_asks_again_and_does_not_qualify_is_announced_as_opened_anew(
    router: Router, end: str
) -> None:
    first = await _assigned(router)
    if end == "closed":
        await _close(router, first.lead_id)
    else:
        await _reject(router, first, {"recycled": "not_now", "nurtured": "no_budget"}.get(end, "bad_data"))
    asked_at = router.clock.advance(timedelta(days=30))
    await router.hear(downloaded(JO, source_kind="syndication", at=asked_at))
    assert await router.value("SELECT stage FROM lead") == end
    await router.hear(downloaded(JO, at=asked_at), downloaded(JO, at=asked_at))
    assert await router.rows("SELECT stage, owner FROM lead") == [("new", None)]
    assert [one.reopened for one in await router.said(LeadMatched)] == [False, False, True, False]


async def test_what_is_written_about_a_person_is_in_no_log_line(router: Router) -> None:
    first = await _assigned(router)
    with capture_logs() as lines:
        await router.hear(await router.breach(JO, at_most=None, escalate_to="boss@acme.example"))
        await _close(router, first.lead_id, "Jo Berg, +49 170 1234567, hung up")
    assert {line["event"] for line in lines} >= {"router.lead_escalated", "router.lead_closed"}
    assert not [line for line in lines if re.search("Berg|1234567|boss@", str(line))]


async def test_an_unknown_lead_is_not_found(router: Router) -> None:
    with pytest.raises(NotFound):
        await _close(router, uuid4())


async def _assigned(router: Router) -> LeadAssigned:
    await router.hear(captured(JO))
    (assigned,) = await router.said(LeadAssigned)
    return assigned


async def _close(
    router: Router, lead_id: UUID, reason: str = "won", occurred_at: datetime | None = None
) -> Closed:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        return await close(tx, lead_id, reason=reason, occurred_at=occurred_at or now, now=now)


async def _reject(router: Router, assigned: LeadAssigned, reason: str) -> None:
    async with router.uow.transaction() as tx:
        now, applied = router.clock.now(), await router.book.current(tx)
        await reject(
            tx,
            assigned.assignment_id,
            reason=reason,
            note="it was none",
            occurred_at=now,
            now=now,
            applied=applied,
        )


async def _accept(router: Router, assigned: LeadAssigned) -> None:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        await accept(tx, assigned.assignment_id, occurred_at=now, now=now)


async def _contact(router: Router, assigned: LeadAssigned, occurred_at: datetime | None = None) -> None:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        at = occurred_at or now
        await contact(tx, assigned.assignment_id, channel="call", occurred_at=at, now=now)
