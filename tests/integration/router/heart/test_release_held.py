"""A lead that nobody can take waits with a reason and is picked up by itself, the longest waiting first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from leadpact.events import LeadAssigned, LeadHeld, LeadReassigned, Topic
from leadpact_router import release_held
from leadpact_router.release_held import FLOOR_CHANGED, PERIOD, ReleaseHeld
from leadpact_router.roster import AccountEntry, add_absence, put_accounts, remove_absence
from leadpact_router.work import contact, reject
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import PACT, REPS, Router, captured

BACK_AT = TUESDAY_MORNING + timedelta(hours=4)
DACH = ("ana", "ben", "cem")


async def test_a_lead_that_nobody_can_take_is_held_with_the_reason(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    (held,) = await router.said(LeadHeld)
    assert (held.pool, held.reason) == ("dach", "nobody in dach can take it now: 3 away")
    assert {one["because"] for one in held.explanation["pools"][0]["candidates"]} == {
        "away until Tue 2026-03-03 13:00 (UTC)"
    }
    assert await router.rows("SELECT stage, held_reason, owner FROM lead") == [("held", held.reason, None)]


async def test_held_leads_go_out_oldest_first_when_somebody_is_back(router: Router) -> None:
    await _send_away(router, *DACH)
    for number in range(4):
        await router.hear(captured(f"jo{number}@globex.example"))
        router.clock.advance(timedelta(minutes=1))
    router.clock.set(BACK_AT)
    await router.release()
    assigned = await router.said(LeadAssigned)
    assert [one.lead.email for one in assigned] == [f"jo{number}@globex.example" for number in range(4)]
    assert [one.rep_id for one in assigned] == ["ana", "ben", "cem", "ana"]
    assert all(one.hop == 1 for one in assigned)


async def test_the_event_that_asked_for_an_owner_is_the_cause_also_when_it_had_to_wait(
    router: Router,
) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    router.clock.set(BACK_AT)
    await router.release()
    cause = "SELECT event_id FROM outbox WHERE type = 'leadpact.lead.captured.v1'"
    assert await router.value("SELECT cause_id FROM assignment") == await router.value(cause)


async def test_a_new_lead_stands_behind_those_who_wait_even_if_somebody_has_just_become_free(
    router: Router,
) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("old@globex.example"))
    router.clock.set(BACK_AT)
    await router.hear(captured("new@globex.example"))
    assert [one.reason for one in await router.said(LeadHeld)][1] == "older leads wait for dach"
    await router.release()
    assert [one.lead.email for one in await router.said(LeadAssigned)] == [
        "old@globex.example",
        "new@globex.example",
    ]


async def test_a_line_for_one_pool_holds_up_nobody_who_goes_to_another(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("old@globex.example"))
    await router.hear(captured("new@globex.example", draft={"country": "US"}))
    assert await router.owner_of("new@globex.example") == "dora"


async def test_a_lead_that_still_nobody_can_take_is_not_announced_again(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    await router.release()
    await router.release()
    assert len(await router.said(LeadHeld)) == 1


async def test_who_asks_again_and_has_to_wait_begins_a_new_round_all_the_same(router: Router) -> None:
    """Their owners of the round before may have it again, and are not taken for the ones it comes from."""
    await router.hear(captured("jo@globex.example"))
    (first,) = await router.said(LeadAssigned)
    await _reject(router, first.assignment_id)
    asked_at = router.clock.advance(timedelta(days=30))
    await _send_away(router, *DACH, since=asked_at)
    await router.hear(captured("jo@globex.example", at=asked_at))
    (held,) = await router.said(LeadHeld)
    assert held.previous_assignment_id is None
    await router.put_reps(*(replace(rep, active=rep.id == first.rep_id) for rep in REPS))
    router.clock.advance(timedelta(days=1))
    await router.release()
    assert await router.said(LeadReassigned) == []
    assert [(one.rep_id, one.hop) for one in await router.said(LeadAssigned)] == [(first.rep_id, 1)] * 2


async def test_a_held_lead_follows_a_new_pact(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    await router.apply_pact(PACT.replace("members: [ana, ben, cem]", "members: [ana, ben, cem, dora]"))
    await router.release()
    (assigned,) = await router.said(LeadAssigned)
    assert (assigned.rep_id, assigned.pact_version) == ("dora", 2)


async def test_a_held_lead_goes_out_when_a_new_rep_is_hired(router: Router) -> None:
    await router.put_reps(*(replace(rep, active=False) for rep in REPS if rep.id in DACH))
    await router.hear(captured("jo@globex.example"))
    assert [one.reason for one in await router.said(LeadHeld)] == [
        "nobody in dach can take it now: 3 inactive"
    ]
    await router.put_reps(REPS[0])
    await router.release()
    assert await router.owner_of("jo@globex.example") == "ana"


async def test_a_daily_limit_ends_with_the_reps_own_day(router: Router) -> None:
    people = [f"jo{number}@globex.example" for number in range(4)]
    await router.hear(*(captured(one, draft={"country": "US"}) for one in people))
    assert len(await router.said(LeadAssigned)) == 2
    assert {one.reason for one in await router.said(LeadHeld)} == {
        "nobody in rest can take it now: 1 at the daily limit"
    }
    await router.release()
    assert len(await router.said(LeadAssigned)) == 2
    router.clock.set(TUESDAY_MORNING + timedelta(hours=15))
    await router.release()
    assert len(await router.said(LeadAssigned)) == 4
    assert await router.rows("SELECT day, today FROM rep_load WHERE rep_id = 'dora'") == [
        ((TUESDAY_MORNING + timedelta(days=1)).date(), 2)
    ]


async def test_an_open_limit_counts_leads_that_wait_for_their_first_touch(router: Router) -> None:
    await router.put_reps(replace(REPS[3], open_limit=1))
    await router.hear(captured("jo@globex.example", draft={"country": "US"}))
    await router.hear(captured("kit@globex.example", draft={"country": "US"}))
    (first,) = await router.said(LeadAssigned)
    (held,) = await router.said(LeadHeld)
    assert held.reason == "nobody in rest can take it now: 1 at the open limit"
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        await contact(tx, first.assignment_id, channel="call", occurred_at=now, now=now)
    await router.release()
    assert await router.owner_of("kit@globex.example") == "dora"


async def test_the_loop_picks_a_lead_up_when_it_is_told_that_the_floor_changed(router: Router) -> None:
    absences = await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    stop = asyncio.Event()
    held = ReleaseHeld(router.uow, router.book, router.shelf, router.clock, router.wake)
    loop = asyncio.create_task(held.run(stop))
    announced = router.wake.sleeper([Topic.LEADS])
    async with router.uow.transaction() as tx:
        await remove_absence(tx, absences["cem"], now=router.clock.now())
    router.wake.poke([FLOOR_CHANGED])
    assert await announced.wait(stop, PERIOD.total_seconds() - 1)
    stop.set()
    await loop
    assert await router.owner_of("jo@globex.example") == "cem"


async def test_whoever_waits_far_behind_is_looked_at_too(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heads of the lines wait for whoever they wait for; the account's owner of one far behind is back."""
    monkeypatch.setattr(release_held, "PER_LINE", 2)
    await _send_away(router, *DACH)
    async with router.uow.transaction() as tx:
        await put_accounts(tx, [AccountEntry("Initech", "initech.example", owner="dora")], router.clock.now())
    dora_is_away = await _send_away(router, "dora")
    people = [*(f"jo{number}@globex.example" for number in range(7)), "kit@initech.example"]
    for email in people:
        await router.hear(captured(email, draft={"domain": email.partition("@")[2]}))
    assert await router.value("SELECT count(*) FROM lead WHERE held_since IS NOT NULL") == 8
    async with router.uow.transaction() as tx:
        await remove_absence(tx, dora_is_away["dora"], now=router.clock.now())
    held = ReleaseHeld(router.uow, router.book, router.shelf, router.clock, router.wake)
    for _ in range(4):
        await held.run_once()
    assert await router.owner_of("kit@initech.example") == "dora"
    assert await router.value("SELECT count(*) FROM lead WHERE held_since IS NOT NULL") == 7
    await router.release()
    router.clock.set(BACK_AT)
    await router.release()
    assert await router.value("SELECT count(*) FROM lead WHERE held_since IS NOT NULL") == 0


async def test_who_waits_on_as_before_is_not_written_again(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"), captured("kit@globex.example"))
    versions = [
        f"SELECT array_agg(CAST(xmin AS text) ORDER BY id) FROM {table}" for table in ("lead", "hold")
    ]
    before = [await router.value(one) for one in versions]
    await router.release()
    # To lock a row changes its header's xmax, not the version.
    assert [await router.value(one) for one in versions] == before


async def test_the_explanation_is_kept_with_the_lead_that_waits(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    (held,) = await router.said(LeadHeld)
    assert await router.rows(
        "SELECT lead_id, held_at, pool, explanation, pact_version, latest_explanation, latest_at FROM hold"
    ) == [(held.lead_id, TUESDAY_MORNING, "dach", held.explanation, 1, None, None)]


async def test_why_a_lead_waits_is_told_as_it_began_and_as_of_the_latest_look(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    router.clock.advance(timedelta(minutes=3))
    await router.hear(captured("kit@globex.example"))
    looked_at = router.clock.advance(timedelta(seconds=5))
    await router.release()
    began, latest, latest_at = await _hold_of(router, "kit@globex.example")
    assert began["decision"] == "older leads wait for dach"
    assert began["pools"][0]["line_since"] == TUESDAY_MORNING.isoformat()
    assert latest["decision"] == "nobody in dach can take it now: 3 away"
    assert [one["rep"] for one in latest["pools"][0]["candidates"]] == list(DACH)
    assert latest_at == looked_at
    assert (await _hold_of(router, "jo@globex.example"))[1:] == (None, None)


async def test_a_look_that_finds_other_reasons_behind_the_same_words_notes_them(router: Router) -> None:
    absences = await _send_away(router, *DACH)
    await router.hear(captured("jo@globex.example"))
    later = BACK_AT + timedelta(days=1)
    async with router.uow.transaction() as tx:
        now = router.clock.now()
        await remove_absence(tx, absences["ana"], now=now)
        await add_absence(tx, "ana", TUESDAY_MORNING, later, now=now)
    leads = "SELECT array_agg(CAST(xmin AS text)) FROM lead"
    before = await router.value(leads)
    await router.release()
    began, latest, _ = await _hold_of(router, "jo@globex.example")
    assert began["decision"] == latest["decision"]
    assert [one["because"] for one in latest["pools"][0]["candidates"]] == [
        "away until Wed 2026-03-04 13:00 (UTC)",
        *["away until Tue 2026-03-03 13:00 (UTC)"] * 2,
    ]
    assert await router.value(leads) == before


async def test_a_lead_that_changes_lines_waits_anew(router: Router) -> None:
    await _send_away(router, *DACH, "dora")
    await router.hear(captured("jo@globex.example"))
    changed_at = router.clock.advance(timedelta(minutes=1))
    await router.apply_pact(PACT.replace("{country: [DE, AT, CH]}, to: dach", "{country: [CH]}, to: dach"))
    await router.release()
    assert await router.rows("SELECT held_at, pool, pact_version FROM hold ORDER BY id") == [
        (TUESDAY_MORNING, "dach", 1),
        (changed_at, "rest", 2),
    ]
    assert await router.value("SELECT held_since FROM lead") == TUESDAY_MORNING


async def test_of_two_waits_the_one_begun_last_goes_on_also_if_the_clock_was_set_back_between(
    router: Router,
) -> None:
    await _send_away(router, *DACH, "dora", since=TUESDAY_MORNING - timedelta(hours=2))
    await router.hear(captured("jo@globex.example"))
    router.clock.set(TUESDAY_MORNING - timedelta(hours=1))
    await router.apply_pact(PACT.replace("{country: [DE, AT, CH]}, to: dach", "{country: [CH]}, to: dach"))
    await router.release()
    async with router.uow.transaction() as tx:
        await add_absence(
            tx, "dora", TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=9), now=TUESDAY_MORNING
        )
    await router.release()
    assert await router.rows("SELECT pool, latest_at IS NOT NULL FROM hold ORDER BY id") == [
        ("dach", False),
        ("rest", True),
    ]


async def test_a_lead_that_was_taken_from_its_owner_and_waits_says_why(router: Router) -> None:
    await router.hear(captured("jo@globex.example"))
    owner = await router.owner_of("jo@globex.example")
    await _send_away(router, *(name for name in DACH if name != owner))
    await router.hear(await router.breach("jo@globex.example"))
    began, latest, _ = await _hold_of(router, "jo@globex.example")
    assert latest is None
    assert {one["rep"]: one["because"] for one in began["pools"][0]["candidates"]}[
        owner
    ] == "had this lead before"


async def test_two_instances_release_each_lead_once(router: Router) -> None:
    await _send_away(router, *DACH)
    await router.hear(*(captured(f"jo{number}@globex.example") for number in range(60)))
    router.clock.set(BACK_AT)
    await asyncio.gather(router.release(), router.release(), router.release())
    await router.release()
    assigned = await router.said(LeadAssigned)
    assert len(assigned) == len({one.lead_id for one in assigned}) == 60


async def _hold_of(router: Router, email: str) -> tuple[Any, ...]:
    """The last wait of this lead: why it began, why it went on, and since which look."""
    rows = await router.rows(
        """
        SELECT h.explanation, h.latest_explanation, h.latest_at FROM hold h JOIN lead l ON l.id = h.lead_id
        WHERE l.email = :email ORDER BY h.id DESC LIMIT 1
        """,
        email=email,
    )
    return tuple(rows[0])


async def _send_away(router: Router, *names: str, since: datetime = TUESDAY_MORNING) -> dict[str, UUID]:
    back_at = since + (BACK_AT - TUESDAY_MORNING)
    async with router.uow.transaction() as tx:
        return {name: await add_absence(tx, name, since, back_at, now=since) for name in names}


async def _reject(router: Router, assignment_id: UUID) -> None:
    async with router.uow.transaction() as tx:
        now, applied = router.clock.now(), await router.book.current(tx)
        await reject(
            tx, assignment_id, reason="not_now", note=None, occurred_at=now, now=now, applied=applied
        )
