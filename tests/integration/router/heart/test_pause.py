"""A pause counts from when we hear of it, is the present owner's, and ends with the ownership or by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leadpact.errors import Conflict, Refused
from leadpact.events import LeadAssigned, LeadPaused, LeadResumed
from leadpact_router.views import read_assignment, read_story
from leadpact_router.work import Recorded, close, pause, reject, resume
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import PAUSING_PACT, Router, captured

JO = "jo@globex.example"
WAITING = "waiting_for_customer"
THURSDAY = TUESDAY_MORNING + timedelta(days=2)


@pytest.fixture
async def assigned(router: Router) -> LeadAssigned:
    """Ana's lead, under a pact with two pause states."""
    await router.apply_pact(PAUSING_PACT)
    await router.hear(captured(JO))
    (found,) = await router.said(LeadAssigned)
    return found


async def test_a_pause_is_announced_from_now_on(router: Router, assigned: LeadAssigned) -> None:
    now = router.clock.advance(timedelta(hours=1))
    recorded = await _pause(router, assigned, until=THURSDAY)
    assert (recorded.stage, recorded.changed, recorded.recorded_as) == ("assigned", True, "pause")
    (said,) = await router.said(LeadPaused)
    assert (said.state, said.until) == (WAITING, THURSDAY)
    assert said.occurred_at == said.recorded_at == now
    assert (said.assignment_id, said.rep_id) == (assigned.assignment_id, "ana")
    assert await _shown(router, assigned) == (WAITING, now, THURSDAY)


async def test_the_same_pause_again_changes_nothing(router: Router, assigned: LeadAssigned) -> None:
    await _pause(router, assigned, until=THURSDAY)
    router.clock.advance(timedelta(hours=1))
    assert (await _pause(router, assigned, until=THURSDAY)).changed is False
    assert len(await router.said(LeadPaused)) == 1
    assert await _shown(router, assigned) == (WAITING, TUESDAY_MORNING, THURSDAY)


async def test_another_end_or_state_takes_its_place(router: Router, assigned: LeadAssigned) -> None:
    await _pause(router, assigned)
    router.clock.advance(timedelta(hours=1))
    assert (await _pause(router, assigned, until=THURSDAY)).changed
    assert await _shown(router, assigned) == (WAITING, TUESDAY_MORNING, THURSDAY)
    later = router.clock.advance(timedelta(hours=1))
    assert (await _pause(router, assigned, "on_holiday", THURSDAY)).changed
    assert await _shown(router, assigned) == ("on_holiday", later, THURSDAY)
    said = await router.said(LeadPaused)
    assert [(one.state, one.until) for one in said] == [
        (WAITING, None),
        (WAITING, THURSDAY),
        ("on_holiday", THURSDAY),
    ]


async def test_a_pause_that_is_over_by_itself_is_not_shown_and_may_begin_again(
    router: Router, assigned: LeadAssigned
) -> None:
    await _pause(router, assigned, until=THURSDAY)
    router.clock.advance(timedelta(days=2))
    assert await _shown(router, assigned) == (None, None, None)
    assert (await _resume(router, assigned)).changed is False
    later = router.clock.advance(timedelta(hours=1))
    assert (await _pause(router, assigned)).changed
    assert await _shown(router, assigned) == (WAITING, later, None)


async def test_resuming_is_announced_once(router: Router, assigned: LeadAssigned) -> None:
    assert (await _resume(router, assigned)).changed is False
    await _pause(router, assigned)
    now = router.clock.advance(timedelta(hours=1))
    recorded = await _resume(router, assigned)
    assert (recorded.changed, recorded.recorded_as) == (True, "resume")
    assert (await _resume(router, assigned)).changed is False
    (said,) = await router.said(LeadResumed)
    assert said.occurred_at == said.recorded_at == now
    assert (said.assignment_id, said.rep_id) == (assigned.assignment_id, "ana")
    assert await _shown(router, assigned) == (None, None, None)


async def test_who_lost_the_lead_can_neither_pause_nor_resume_it(
    router: Router, assigned: LeadAssigned
) -> None:
    await _pause(router, assigned)
    await router.hear(await router.breach(JO))
    with pytest.raises(Conflict, match="ben has it now"):
        await _pause(router, assigned, "on_holiday")
    with pytest.raises(Conflict, match="ben has it now"):
        await _resume(router, assigned)
    assert len(await router.said(LeadPaused)) == 1
    assert await router.said(LeadResumed) == []


@pytest.mark.parametrize("ending", ["reassigned", "rejected", "closed"])
async def test_a_pause_ends_with_the_ownership(router: Router, assigned: LeadAssigned, ending: str) -> None:
    await _pause(router, assigned)
    now = router.clock.advance(timedelta(hours=1))
    if ending == "reassigned":
        await router.hear(await router.breach(JO))
    async with router.uow.transaction() as tx:
        if ending == "rejected":
            applied = await router.book.current(tx)
            await reject(
                tx,
                assigned.assignment_id,
                reason="not_now",
                note=None,
                occurred_at=now,
                now=now,
                applied=applied,
            )
        if ending == "closed":
            await close(tx, assigned.lead_id, reason="won", occurred_at=now, now=now)
    assert await router.value("SELECT ended_as FROM assignment WHERE rep_id = 'ana'") == ending
    assert await _shown(router, assigned) == (None, None, None)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("waiting_for_costumer", "did you mean waiting_for_customer?"),
        ("zzz", "use one of on_holiday, waiting_for_customer"),
    ],
)
async def test_an_unknown_state_is_refused_with_the_known_ones(
    router: Router, assigned: LeadAssigned, state: str, says: str
) -> None:
    with pytest.raises(Refused) as refused:
        await _pause(router, assigned, state)
    assert refused.value.faults[0].where == "#/state"
    assert says in refused.value.detail
    assert await router.said(LeadPaused) == []


async def test_a_pact_without_pause_states_says_so(router: Router) -> None:
    await router.hear(captured(JO))
    (found,) = await router.said(LeadAssigned)
    with pytest.raises(Refused, match="the pact has no pause states"):
        await _pause(router, found)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=-1)])
async def test_an_end_that_does_not_lie_ahead_is_refused(
    router: Router, assigned: LeadAssigned, ahead: timedelta
) -> None:
    with pytest.raises(Refused) as refused:
        await _pause(router, assigned, until=router.clock.now() + ahead)
    assert refused.value.faults[0].where == "#/until"
    assert await router.said(LeadPaused) == []


async def _pause(
    router: Router, assigned: LeadAssigned, state: str = WAITING, until: datetime | None = None
) -> Recorded:
    async with router.uow.transaction() as tx:
        pact = (await router.book.current(tx)).pact
        now = router.clock.now()
        return await pause(tx, assigned.assignment_id, state=state, until=until, now=now, pact=pact)


async def _resume(router: Router, assigned: LeadAssigned) -> Recorded:
    async with router.uow.transaction() as tx:
        return await resume(tx, assigned.assignment_id, now=router.clock.now())


async def _shown(
    router: Router, assigned: LeadAssigned
) -> tuple[str | None, datetime | None, datetime | None]:
    """The pause as the lead and the assignment show it."""
    async with router.uow.transaction() as tx:
        lead = (await read_story(tx, assigned.lead_id, router.clock.now())).lead
        owned = await read_assignment(tx, assigned.assignment_id, router.clock.now())
    shown = (lead.paused_state, lead.paused_since, lead.paused_until)
    assert shown == (owned.paused_state, owned.paused_since, owned.paused_until)
    return shown
