"""What sales reports is recorded once, at the time it happened, and by whoever has the lead."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from leadpact.errors import Conflict, NotFound, Refused
from leadpact.events import LeadAccepted, LeadAssigned, LeadContacted, LeadRejected
from leadpact_router.work import Recorded, accept, contact, reject
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import PACT, Router, captured

JO = "jo@globex.example"


async def test_an_accepted_lead_says_so_once(router: Router) -> None:
    first = await _assigned(router)
    recorded = await _accept(router, first)
    again = await _accept(router, first)
    assert (recorded.stage, recorded.changed, again.changed) == ("accepted", True, False)
    assert len(await router.said(LeadAccepted)) == 1


async def test_a_contact_lightens_the_desk_once(router: Router) -> None:
    first = await _assigned(router)
    assert (await _contact(router, first)).stage == "contacted"
    assert (await _contact(router, first)).changed is False
    assert len(await router.said(LeadContacted)) == 1
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0
    assert await router.owner_of(JO) == "ana"


async def test_a_contact_reported_late_counts_from_when_it_was_made(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=3))
    await _contact(router, first, occurred_at=TUESDAY_MORNING + timedelta(minutes=20))
    (said,) = await router.said(LeadContacted)
    assert said.occurred_at == TUESDAY_MORNING + timedelta(minutes=20)
    assert said.recorded_at == router.clock.now()
    assert said.channel == "call"


async def test_of_two_reports_the_earlier_contact_stands(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=3))
    await _contact(router, first)
    earlier = TUESDAY_MORNING + timedelta(minutes=20)
    await _contact(router, first, occurred_at=earlier)
    await _contact(router, first)
    assert await router.value("SELECT contacted_at FROM assignment") == earlier
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0


async def test_nobody_can_have_reached_the_person_before_they_asked(router: Router) -> None:
    first = await _assigned(router)
    with pytest.raises(Refused, match="for this request") as refused:
        await _contact(router, first, occurred_at=TUESDAY_MORNING - timedelta(hours=1))
    (fault,) = refused.value.faults
    assert (fault.where, fault.what) == (
        "#/occurred_at",
        "lies before the request, of 2026-03-03 09:00 UTC",
    )
    assert await router.value("SELECT contacted_at FROM assignment") is None
    await _contact(router, first, occurred_at=TUESDAY_MORNING - timedelta(minutes=2))
    assert len(await router.said(LeadContacted)) == 1


async def test_a_contact_belongs_to_the_request_of_its_assignment(router: Router) -> None:
    """Who asked again is asked for anew: a call of the round before answers nothing of this one, and stays that round's."""
    first = await _assigned(router)
    called_at = router.clock.advance(timedelta(hours=1))
    await _reject(router, first, reason="not_now")
    asked_at = router.clock.advance(timedelta(days=30))
    await router.hear(captured(JO, at=asked_at))
    second = (await router.said(LeadAssigned))[-1]
    with pytest.raises(Refused, match="for this request"):
        await _contact(router, second, occurred_at=called_at)
    assert (await _contact(router, first, occurred_at=called_at - timedelta(minutes=30))).changed is True


async def test_what_lies_in_the_future_is_taken_as_now(router: Router) -> None:
    first = await _assigned(router)
    await _contact(router, first, occurred_at=router.clock.now() + timedelta(days=1))
    assert (await router.said(LeadContacted))[0].occurred_at == router.clock.now()


async def test_who_lost_the_lead_is_told_who_has_it(router: Router) -> None:
    first = await _assigned(router)
    await router.hear(await router.breach(JO))
    for report in (_accept, _contact, _reject):
        with pytest.raises(Conflict, match="taken from ana at 2026-03-03 09:00 UTC; ben has it now"):
            await report(router, first)
    assert await router.said(LeadContacted) == []


async def test_a_contact_made_before_the_lead_was_taken_away_is_recorded_and_moves_nothing(
    router: Router,
) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=2))
    await router.hear(await router.breach(JO))
    router.clock.advance(timedelta(minutes=5))
    await _contact(router, first, occurred_at=TUESDAY_MORNING + timedelta(hours=1))
    (said,) = await router.said(LeadContacted)
    assert (said.assignment_id, said.rep_id) == (first.assignment_id, "ana")
    assert await router.owner_of(JO) == "ben"
    assert await router.rows("SELECT rep_id, open FROM rep_load WHERE open <> 0") == [("ben", 1)]


@pytest.mark.parametrize(
    ("reason", "stage"), [("bad_data", "disqualified"), ("not_now", "recycled"), ("no_budget", "nurtured")]
)
async def test_the_pact_says_what_becomes_of_a_rejected_lead(router: Router, reason: str, stage: str) -> None:
    first = await _assigned(router)
    assert (await _reject(router, first, reason)).stage == stage
    assert (await _reject(router, first, reason)).changed is False
    (said,) = await router.said(LeadRejected)
    assert (said.reason, said.note) == (reason, "the number belongs to a bakery")
    assert await router.owner_of(JO) is None
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0


async def test_a_second_rejection_for_another_reason_is_a_conflict(router: Router) -> None:
    first = await _assigned(router)
    await _reject(router, first, "not_now")
    with pytest.raises(Conflict, match="already rejected as not_now"):
        await _reject(router, first, "no_budget")


async def test_an_unknown_reason_is_refused_with_the_nearest_one(router: Router) -> None:
    first = await _assigned(router)
    with pytest.raises(Refused, match="did you mean bad_data") as refused:
        await _reject(router, first, "bad_date")
    assert refused.value.faults[0].where == "#/reason"
    assert await router.owner_of(JO) == "ana"


async def test_a_reason_that_asks_for_a_note_is_refused_without_one(router: Router) -> None:
    first = await _assigned(router)
    with pytest.raises(Refused) as refused:
        await _reject(router, first, "bad_data", note=" ")
    assert refused.value.faults[0].where == "#/note"


async def test_an_unknown_assignment_is_not_found(router: Router) -> None:
    async with router.uow.transaction() as tx:
        with pytest.raises(NotFound):
            await accept(tx, uuid4(), occurred_at=TUESDAY_MORNING, now=TUESDAY_MORNING)


async def test_a_lead_that_was_none_gives_the_turn_back(router: Router) -> None:
    first = await _assigned(router)
    await _reject(router, first, "bad_data")
    await router.hear(captured("kit@globex.example"))
    assert await router.owner_of("kit@globex.example") == "ana"
    assert await router.value("SELECT assigned FROM turn WHERE rep_id = 'ana'") == 1


async def test_whom_the_pact_no_longer_means_by_a_name_has_no_turn_to_be_given_back(router: Router) -> None:
    """An id is written as it is; `ANA` is somebody else, for routing and for a rejection alike."""
    first = await _assigned(router)
    await router.apply_pact(PACT.replace("members: [ana,", "members: [ANA,"))
    await _reject(router, first, "bad_data")
    assert await router.value("SELECT assigned FROM turn WHERE rep_id = 'ana'") == 1


async def test_a_lead_that_was_one_counts_as_a_turn_though_it_came_to_nothing(router: Router) -> None:
    first = await _assigned(router)
    await _reject(router, first, "not_now")
    await router.hear(captured("kit@globex.example"))
    assert await router.owner_of("kit@globex.example") == "ben"


async def test_who_was_sent_back_and_asks_again_is_a_new_request(router: Router) -> None:
    first = await _assigned(router)
    await _reject(router, first, "not_now")
    asked_at = router.clock.advance(timedelta(days=30))
    await router.hear(captured(JO, at=asked_at))
    assigned = await router.said(LeadAssigned)
    assert [(one.rep_id, one.hop) for one in assigned] == [("ana", 1), ("ben", 1)]
    assert assigned[1].lead.received_at == asked_at
    assert len({one.lead_id for one in assigned}) == 1
    # The first owner had it in an earlier round: this round may come back to them.
    await router.hear(await router.breach(JO), await router.breach(JO, assignment_id=first.assignment_id))
    await router.hear(await router.breach(JO))
    assert await router.owner_of(JO) == "ana"


async def test_a_bought_list_does_not_ask_in_the_persons_name(router: Router) -> None:
    first = await _assigned(router)
    await _reject(router, first, "not_now")
    later = router.clock.advance(timedelta(days=30))
    await router.hear(captured(JO, at=later, source="vendor", source_kind="syndication"))
    assert len(await router.said(LeadAssigned)) == 1
    assert await router.value("SELECT stage FROM lead") == "recycled"


async def test_a_form_filled_in_before_the_rejection_does_not_reopen_the_lead(router: Router) -> None:
    first = await _assigned(router)
    router.clock.advance(timedelta(hours=1))
    await _reject(router, first, "not_now")
    await router.hear(captured(JO, at=TUESDAY_MORNING + timedelta(minutes=5)))
    assert len(await router.said(LeadAssigned)) == 1


async def _assigned(router: Router) -> LeadAssigned:
    await router.hear(captured(JO))
    (assigned,) = await router.said(LeadAssigned)
    return assigned


async def _accept(router: Router, assigned: LeadAssigned) -> Recorded:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        return await accept(tx, assigned.assignment_id, occurred_at=now, now=now)


async def _contact(router: Router, assigned: LeadAssigned, occurred_at: datetime | None = None) -> Recorded:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        return await contact(
            tx, assigned.assignment_id, channel="call", occurred_at=occurred_at or now, now=now
        )


async def _reject(
    router: Router,
    assigned: LeadAssigned,
    reason: str = "not_now",
    note: str | None = "the number belongs to a bakery",
) -> Recorded:
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        applied = await router.book.current(tx)
        return await reject(
            tx, assigned.assignment_id, reason=reason, note=note, occurred_at=now, now=now, applied=applied
        )
