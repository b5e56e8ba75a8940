"""Attempts and meetings are on record once, at the time they happened, and neither of them moves the lead."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leadpact.errors import Conflict
from leadpact.events import LeadAssigned, LeadAttempted, LeadContacted, LeadMeetingBooked
from leadpact_router.work import Recorded, attempt, book_meeting, contact
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import Router, captured

JO = "jo@globex.example"
EARLIER, LATER = TUESDAY_MORNING + timedelta(minutes=20), TUESDAY_MORNING + timedelta(hours=1)


async def test_an_attempt_is_announced_and_moves_nothing(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=3))
    recorded = await _attempt(router, first, occurred_at=EARLIER)
    assert (recorded.stage, recorded.changed, recorded.recorded_as) == ("assigned", True, "attempt")
    (said,) = await router.said(LeadAttempted)
    assert (said.occurred_at, said.recorded_at) == (EARLIER, router.clock.now())
    assert (said.assignment_id, said.rep_id, said.channel) == (first.assignment_id, "ana", "call")
    assert said.automatic is False
    assert await router.value("SELECT stage FROM lead") == "assigned"
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1


async def test_each_attempt_counts_and_the_same_one_counts_once(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=3))
    reports = [("call", EARLIER), ("call", LATER), ("email", EARLIER), ("call", EARLIER)]
    changed = [(await _attempt(router, first, channel, at)).changed for channel, at in reports]
    assert changed == [True, True, True, False]
    said = await router.said(LeadAttempted)
    assert [(one.channel, one.occurred_at) for one in said] == reports[:3]
    assert await router.value("SELECT count(*) FROM work_report") == 3


async def test_what_lies_in_the_future_is_taken_as_now(router: Router) -> None:
    first = await _assigned(router)
    tomorrow = router.clock.now() + timedelta(days=1)
    await _attempt(router, first, occurred_at=tomorrow)
    await _meet(router, first, occurred_at=tomorrow)
    assert (await router.said(LeadAttempted))[0].occurred_at == router.clock.now()
    assert (await router.said(LeadMeetingBooked))[0].occurred_at == router.clock.now()


async def test_an_automatic_contact_is_an_attempt_and_no_contact(router: Router) -> None:
    first = await _assigned(router)
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        recorded = await contact(
            tx, first.assignment_id, channel="email", automatic=True, occurred_at=now, now=now
        )
    assert (recorded.stage, recorded.recorded_as) == ("assigned", "attempt")
    assert await router.said(LeadContacted) == []
    (said,) = await router.said(LeadAttempted)
    assert (said.channel, said.automatic) == ("email", True)
    assert await router.value("SELECT contacted_at FROM assignment") is None
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1


async def test_what_was_done_before_the_lead_was_taken_away_is_recorded_and_what_came_later_is_not(
    router: Router,
) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=2))
    await router.hear(await router.breach(JO))
    router.clock.advance(timedelta(minutes=5))
    for report in (_attempt, _meet):
        assert (await report(router, first, occurred_at=LATER)).changed
        with pytest.raises(Conflict, match="taken from ana at 2026-03-03 11:00 UTC; ben has it now"):
            await report(router, first)
    (tried,) = await router.said(LeadAttempted)
    (booked,) = await router.said(LeadMeetingBooked)
    assert (tried.rep_id, booked.rep_id) == ("ana", "ana")
    assert await router.owner_of(JO) == "ben"


async def test_a_booked_meeting_is_announced_and_is_no_contact(router: Router) -> None:
    first = await _assigned(router)
    meeting_at = TUESDAY_MORNING + timedelta(days=2)
    recorded = await _meet(router, first, meeting_at=meeting_at)
    assert (recorded.stage, recorded.changed, recorded.recorded_as) == ("assigned", True, "meeting")
    (said,) = await router.said(LeadMeetingBooked)
    assert (said.occurred_at, said.meeting_at) == (router.clock.now(), meeting_at)
    assert (said.assignment_id, said.rep_id) == (first.assignment_id, "ana")
    assert await router.said(LeadContacted) == []
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1


async def test_of_several_meetings_the_one_agreed_first_stands(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=3))
    at = [LATER, LATER, router.clock.now(), EARLIER]
    changed = [(await _meet(router, first, occurred_at=one)).changed for one in at]
    assert changed == [True, False, False, True]
    assert [one.occurred_at for one in await router.said(LeadMeetingBooked)] == [LATER, EARLIER]
    assert await router.value("SELECT occurred_at FROM work_report") == EARLIER


async def _assigned(router: Router) -> LeadAssigned:
    await router.hear(captured(JO))
    (assigned,) = await router.said(LeadAssigned)
    return assigned


async def _attempt(
    router: Router, assigned: LeadAssigned, channel: str = "call", occurred_at: datetime | None = None
) -> Recorded:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        return await attempt(
            tx,
            assigned.assignment_id,
            channel=channel,
            automatic=False,
            occurred_at=occurred_at or now,
            now=now,
        )


async def _meet(
    router: Router,
    assigned: LeadAssigned,
    *,
    meeting_at: datetime | None = None,
    occurred_at: datetime | None = None,
) -> Recorded:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        return await book_meeting(
            tx, assigned.assignment_id, meeting_at=meeting_at, occurred_at=occurred_at or now, now=now
        )
