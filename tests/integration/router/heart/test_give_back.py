"""A lead that was taken away for a promise which was kept after all returns, unless it has become somebody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from leadpact.events import LeadAssigned, LeadReassigned, SlaBreached, SlaMet
from leadpact.ids import new_id
from leadpact_router.give_back import give_back
from leadpact_router.roster import add_absence
from leadpact_router.work import accept, attempt, contact, reject
from tests.support.announced import announced_messages
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import REPS, Router, captured

JO = "jo@globex.example"
CALLED_AT = TUESDAY_MORNING + timedelta(hours=1)


async def missed_by_ana(router: Router) -> SlaBreached:
    """Ana had the lead from nine to eleven, and called at ten, of which nobody has heard yet."""
    await router.hear(captured(JO))
    router.clock.advance(timedelta(hours=2))
    breach = await router.breach(JO, reassign_at_most=1)
    await router.hear(breach)
    router.clock.advance(timedelta(hours=1))
    return breach


async def report_call(
    router: Router, assignment_id: UUID | None, at: datetime = CALLED_AT, channel: str = "call"
) -> None:
    assert assignment_id is not None
    async with router.uow.transaction() as tx:
        await contact(tx, assignment_id, channel=channel, occurred_at=at, now=router.clock.now())


def kept(breach: SlaBreached, met_at: datetime = CALLED_AT, **changes: Any) -> SlaMet:
    """The sla-timer says that the promise was kept after all."""
    clock = breach.model_dump(include={"clock_id", "lead_id", "assignment_id", "policy", "rep_id", "due_at"})
    said = {
        **clock,
        "occurred_at": met_at,
        "met_at": met_at,
        "recorded_at": TUESDAY_MORNING + timedelta(hours=3),
        "business_seconds_used": 3600,
        "was_breached": True,
        "give_back": True,
    }
    return SlaMet(**{**said, **changes})


async def present(router: Router) -> UUID:
    found: UUID = await router.value("SELECT assignment_id FROM lead")
    return found


async def test_the_lead_returns_to_who_kept_the_promise(router: Router) -> None:
    breach = await missed_by_ana(router)
    await report_call(router, breach.assignment_id)
    bens = await present(router)
    await router.hear(kept(breach))
    back = (await router.said(LeadReassigned))[-1]
    assert (back.rep_id, back.previous_rep_id, back.previous_assignment_id) == ("ana", "ben", bens)
    assert (back.hop, back.reason) == (3, "first-touch was kept in time after all")
    assert [one.stage for one in await router.said(LeadReassigned)] == ["assigned", "contacted"]
    assert back.assignment_id not in (breach.assignment_id, bens)
    assert await router.rows(
        "SELECT rep_id, pool, ended_as, contacted_at, contact_channel FROM assignment ORDER BY hop"
    ) == [
        ("ana", "dach", "reassigned", CALLED_AT, "call"),
        ("ben", "dach", "reassigned", None, None),
        ("ana", None, None, CALLED_AT, "call"),
    ]
    assert await router.rows("SELECT owner, stage, assignment_id FROM lead") == [
        ("ana", "contacted", back.assignment_id)
    ]
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 0
    assert await router.miscounts() == []


async def test_the_news_is_the_cause_and_a_repetition_changes_nothing(router: Router) -> None:
    breach = await missed_by_ana(router)
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach), kept(breach))
    await router.hear(kept(breach))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "ana"]
    messages = await announced_messages(router.engine)
    back = [one for one in messages if one.type == LeadReassigned.TYPE][-1]
    cause = next(one for one in messages if one.type == SlaMet.TYPE)
    assert back.causation_id == cause.id
    assert await router.value("SELECT cause_id FROM assignment WHERE hop = 3") == cause.id


async def test_the_breach_that_it_undoes_no_longer_counts(router: Router) -> None:
    breach = await missed_by_ana(router)
    assert await router.value("SELECT hops_by_breach FROM lead") == 1
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach))
    assert await router.value("SELECT hops_by_breach FROM lead") == 0


async def test_what_was_only_accepted_returns_as_accepted_and_waits_on_the_desk(router: Router) -> None:
    breach = await missed_by_ana(router)
    assert breach.assignment_id is not None
    async with (
        router.uow.transaction() as tx
    ):  # before it was taken away, as another path of the API may tell
        await tx.execute(
            text("UPDATE assignment SET accepted_at = :at WHERE id = :id"),
            {"at": CALLED_AT, "id": breach.assignment_id},
        )
    await router.hear(kept(breach))
    assert await router.rows("SELECT owner, stage FROM lead") == [("ana", "accepted")]
    assert (await router.said(LeadReassigned))[-1].stage == "accepted"
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1
    assert await router.miscounts() == []


@pytest.mark.parametrize("by", ["contact", "acceptance", "attempt", "rejection"])
async def test_a_lead_that_somebody_has_touched_since_stays(router: Router, by: str) -> None:
    breach = await missed_by_ana(router)
    bens, now = await present(router), router.clock.now()
    async with router.uow.transaction() as tx:
        if by == "contact":
            await contact(tx, bens, channel="call", occurred_at=now, now=now)
        elif by == "acceptance":
            await accept(tx, bens, occurred_at=now, now=now)
        elif by == "attempt":
            await attempt(tx, bens, channel="call", automatic=False, occurred_at=now, now=now)
        else:
            applied = await router.book.current(tx)
            await reject(tx, bens, reason="not_now", note=None, occurred_at=now, now=now, applied=applied)
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_an_automatic_message_is_no_touch(router: Router) -> None:
    breach = await missed_by_ana(router)
    bens, now = await present(router), router.clock.now()
    async with router.uow.transaction() as tx:
        await attempt(tx, bens, channel="email", automatic=True, occurred_at=now, now=now)
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "ana"]


async def test_who_tried_often_enough_in_time_gets_it_back_without_having_reached_anybody(
    router: Router,
) -> None:
    breach = await missed_by_ana(router)
    assert breach.assignment_id is not None
    async with router.uow.transaction() as tx:
        await attempt(
            tx,
            breach.assignment_id,
            channel="call",
            automatic=False,
            occurred_at=CALLED_AT,
            now=router.clock.now(),
        )
    await router.hear(kept(breach))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "ana"]
    assert await router.miscounts() == []


@pytest.mark.parametrize("changes", [{"give_back": False}, {"was_breached": False}])
async def test_a_pact_that_does_not_ask_for_it_leaves_the_lead(
    router: Router, changes: dict[str, Any]
) -> None:
    breach = await missed_by_ana(router)
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach, **changes))
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben"]


async def test_of_all_whose_promises_one_contact_kept_the_one_who_made_it_gets_the_lead(
    router: Router,
) -> None:
    """Ana's call was before Ben had the lead, so it kept Ben's promise as well."""
    anas = await missed_by_ana(router)
    bens = await router.breach(JO)
    await router.hear(bens)
    await report_call(router, anas.assignment_id)
    had_it_from = TUESDAY_MORNING + timedelta(hours=2)
    for news in (kept(bens, had_it_from), kept(anas), kept(bens, had_it_from)):
        await router.hear(news)
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "cem", "ana"]
    assert await router.owner_of(JO) == "ana"
    assert await router.miscounts() == []


async def test_two_promises_that_one_call_kept_return_the_lead_once(router: Router) -> None:
    breach = await missed_by_ana(router)
    await report_call(router, breach.assignment_id)
    async with router.uow.transaction() as tx:
        other = kept(breach, clock_id=new_id(), policy="decide")
        await router.apply_batch(give_back, tx, kept(breach), other)
    assert [one.rep_id for one in await router.said(LeadReassigned)] == ["ben", "ana"]
    assert await router.miscounts() == []


async def test_who_did_something_after_the_promise_was_kept_by_another_gets_nothing(router: Router) -> None:
    """Ana's call kept Ben's promise before he had the lead. That he took it on later did not."""
    anas = await missed_by_ana(router)
    bens = await router.breach(JO, reassign_at_most=9)
    assert bens.assignment_id is not None
    async with router.uow.transaction() as tx:
        await accept(tx, bens.assignment_id, occurred_at=router.clock.now(), now=router.clock.now())
    await router.hear(bens)
    await report_call(router, anas.assignment_id)
    await router.hear(kept(bens, TUESDAY_MORNING + timedelta(hours=2)))
    assert await router.owner_of(JO) == "cem"
    await router.hear(kept(anas))
    assert await router.owner_of(JO) == "ana"


async def test_a_lead_that_waits_since_returns_as_well(router: Router) -> None:
    await router.hear(captured(JO))
    async with router.uow.transaction() as tx:
        for name in ("ben", "cem"):
            until = TUESDAY_MORNING + timedelta(days=1)
            await add_absence(tx, name, TUESDAY_MORNING, until, now=TUESDAY_MORNING)
    router.clock.advance(timedelta(hours=2))
    breach = await router.breach(JO)
    await router.hear(breach)
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach))
    (back,) = await router.said(LeadReassigned)
    assert (back.rep_id, back.previous_rep_id, back.hop) == ("ana", "ana", 2)
    (news,) = [one for one in await announced_messages(router.engine) if one.type == SlaMet.TYPE]
    assert await router.value("SELECT cause_id FROM assignment WHERE hop = 2") == news.id
    assert await router.rows("SELECT owner, stage, held_since, held_cause_id FROM lead") == [
        ("ana", "contacted", None, None)
    ]
    assert await router.miscounts() == []
    await router.release()
    assert len(await router.said(LeadReassigned)) == 1


async def test_it_returns_to_nobody_who_left_the_company(router: Router) -> None:
    breach = await missed_by_ana(router)
    await report_call(router, breach.assignment_id)
    await router.put_reps(replace(REPS[0], active=False))
    await router.hear(kept(breach))
    assert await router.owner_of(JO) == "ben"


async def test_a_promise_of_an_earlier_request_brings_nothing_back(router: Router) -> None:
    breach = await missed_by_ana(router)
    bens, now = await present(router), router.clock.now()
    async with router.uow.transaction() as tx:
        applied = await router.book.current(tx)
        await reject(tx, bens, reason="not_now", note=None, occurred_at=now, now=now, applied=applied)
    router.clock.advance(timedelta(hours=1))
    await router.hear(captured(JO, at=router.clock.now()))
    assert [one.rep_id for one in await router.said(LeadAssigned)] == ["ana", "cem"]
    await report_call(router, breach.assignment_id)
    await router.hear(kept(breach))
    assert await router.owner_of(JO) == "cem"
