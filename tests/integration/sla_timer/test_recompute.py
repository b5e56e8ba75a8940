"""Clocks move to another version of the pact only when told to, once each, and stand then as if they had always run under it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from leadpact.events import (
    Away,
    Event,
    LeadAssigned,
    LeadAttempted,
    LeadPaused,
    SlaBreached,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact_sla_timer.recompute import Move, MovePage, move_clocks, preview
from leadpact_sla_timer.sla_clock import ClockState
from leadpact_sla_timer.tables import sla_clock_move, sla_request
from tests.integration.sla_timer.conftest import Timer
from tests.support.announced import announced_messages
from tests.support.assignments import PACT, accepted, assigned, contacted, facts, reassigned, rejected
from tests.support.fake_clock import TUESDAY_MORNING

HOUR, MINUTE, SECOND, DAY = (
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
    timedelta(days=1),
)
DUE = TUESDAY_MORNING + 2 * HOUR
LONGER = PACT.replace("2 business hours", "4 business hours")
SHORTER = PACT.replace("2 business hours", "1 business hour")
# In bulk: one an hour has its turn.
AT_A_PACE = PACT.replace(
    "kind: form, intent: demo_request",
    "kind: syndication, cap: 500 per month, cost_per_lead: 45 EUR, release: 1 per hour",
).replace("intent: demo_request", "intent: content_download")
TEAMS = PACT.replace("    calendar: pool", "    calendar: pool\n    starts: qualified").replace(
    "    on_breach:\n      reassign: {exclude: everyone who had it, at_most: 3}\n      then: {escalate: boss}\n",
    "",
)
ATTEMPTS = PACT.replace("first_touch_within: 2 business hours", "attempts: SO MANY within 2 business hours")


async def would_move(timer: Timer, version: int, limit: int = 500) -> list[Move]:
    """All that a version would move, page by page."""
    return await _all(timer, version, limit, None)


async def move(timer: Timer, version: int, limit: int = 500, by: str = "Marta") -> list[Move]:
    """Move all clocks to a version, page by page."""
    return await _all(timer, version, limit, by)


async def _all(timer: Timer, version: int, limit: int, by: str | None) -> list[Move]:
    moves: list[Move] = []
    after: UUID | None = None
    while True:
        page = await _page(timer, version, limit, after, by)
        moves += page.moves
        after = page.next
        if after is None:
            return moves


async def _page(timer: Timer, version: int, limit: int, after: UUID | None, by: str | None) -> MovePage:
    now = timer.clock.now()
    async with timer.uow.transaction() as tx:
        to = await timer.book.at(tx, version)
        if by is None:
            return await preview(tx, timer.book, to, now=now, limit=limit, after=after)
        return await move_clocks(tx, timer.book, to, by=by, now=now, limit=limit, after=after)


async def kept(timer: Timer) -> list[Any]:
    """What was written down of moves."""
    async with timer.database.engine.connect() as connection:
        return list(await connection.execute(select(sla_clock_move).order_by(sla_clock_move.c.id)))


async def test_a_look_at_what_would_move_changes_nothing_and_says_nothing(timer: Timer) -> None:
    await timer.hear(assigned(), assigned(TUESDAY_MORNING + MINUTE))
    version = await timer.apply_pact(LONGER)
    clocks, said = await timer.clocks(), await announced_messages(timer.database.engine)

    moves = await would_move(timer, version)

    assert [one.by for one in moves] == [2 * HOUR] * 2
    assert (await timer.clocks(), await announced_messages(timer.database.engine)) == (clocks, said)
    assert await kept(timer) == []


async def test_a_longer_target_moves_the_due_time_and_the_warnings_and_keeps_what_was(timer: Timer) -> None:
    await timer.hear(assigned())
    version = await timer.apply_pact(LONGER)
    timer.clock.set(TUESDAY_MORNING + 30 * MINUTE)
    await move(timer, version)

    clock = await timer.only_clock()
    assert (clock.pact_version, clock.target, clock.due_at) == (version, "4 business hours", DUE + 2 * HOUR)
    assert [(warn.percent, warn.at - TUESDAY_MORNING) for warn in clock.warnings] == [
        (50, 2 * HOUR),
        (80, 192 * MINUTE),
    ]
    assert (clock.started_at, clock.next_at) == (TUESDAY_MORNING, TUESDAY_MORNING + 2 * HOUR)
    (row,) = await kept(timer)
    assert (row.clock_id, row.moved_at, row.moved_by) == (clock.id, timer.clock.now(), "Marta")
    assert (row.pact_version_before, row.due_before, row.target_before) == (1, DUE, "2 business hours")
    assert (row.pact_version, row.due_at, row.target) == (version, DUE + 2 * HOUR, "4 business hours")
    (moved,) = await timer.said(SlaMoved)
    assert (moved.clock_id, moved.due_before, moved.due_at) == (clock.id, DUE, DUE + 2 * HOUR)
    assert (moved.because, moved.pact_version) == ("pact version 2", version)


async def test_a_clock_that_waits_for_its_turn_moves_and_is_announced_when_it_starts(timer: Timer) -> None:
    version = await timer.apply_pact(AT_A_PACE)
    await timer.hear(
        *[assigned(pact_version=version, lead=facts(intent="content_download")) for _ in range(2)]
    )
    timer.clock.set(TUESDAY_MORNING)
    await timer.sweep()
    longer = await timer.apply_pact(AT_A_PACE.replace("2 business hours", "4 business hours"))
    await move(timer, longer)

    first, second = await timer.clocks()
    assert (first.state, first.due_at) == (ClockState.RUNNING, TUESDAY_MORNING + 4 * HOUR)
    assert (second.state, second.due_at, second.next_at) == (
        ClockState.WAITING,
        TUESDAY_MORNING + 5 * HOUR,
        TUESDAY_MORNING + HOUR,
    )
    assert [moved.clock_id for moved in await timer.said(SlaMoved)] == [first.id]
    assert len(await kept(timer)) == 2
    timer.clock.set(TUESDAY_MORNING + HOUR)
    await timer.sweep()
    assert [started.due_at for started in await timer.said(SlaStarted)] == [
        TUESDAY_MORNING + 2 * HOUR,
        TUESDAY_MORNING + 5 * HOUR,
    ]


# Two promises about a lead in bulk, the team's and the owner's, six leads an hour.
IN_BULK = AT_A_PACE.replace("release: 1 per hour", "release: 6 per hour") + (
    """
  team-touch:
    starts: qualified
    first_touch_within: 3 business hours
    calendar: pool
"""
)
SIX_AN_HOUR = 10 * MINUTE
CLOSED_TODAY = IN_BULK.replace(
    'hours: {mon-fri: "09:00-17:00"}}', 'hours: {mon-fri: "09:00-17:00"}, closed: [2026-03-03]}', 1
)
BEFORE = TUESDAY_MORNING - 2 * HOUR
WEDNESDAY_MORNING = TUESDAY_MORNING + DAY


async def in_bulk(timer: Timer, count: int, text: str = IN_BULK) -> int:
    """So many leads come in before the day begins, under ``text``; its version."""
    timer.clock.set(BEFORE)
    version = await timer.apply_pact(text)
    await scans(timer, count, version)
    return version


async def scans(timer: Timer, count: int, version: int) -> None:
    await timer.hear(*[scan(version) for _ in range(count)])


def scan(version: int) -> LeadAssigned:
    lead = facts(intent="content_download", received_at=BEFORE, qualified_at=BEFORE)
    return assigned(BEFORE, pact_version=version, lead=lead)


async def hear_while_moving(timer: Timer, version: int, *events: Event) -> None:
    """The news is there, and is read between the moving and its commit."""
    await timer.announce(*events)
    async with asyncio.timeout(10):
        async with timer.uow.transaction() as tx:
            to = await timer.book.at(tx, version)
            await move_clocks(tx, timer.book, to, by="Marta", now=timer.clock.now(), limit=500)
            reading = asyncio.create_task(timer.read())
            await timer.until_somebody_waits_for_a_lock()
        await reading


async def turns(timer: Timer) -> list[timedelta]:
    """Since Tuesday morning, in order."""
    return sorted((await turns_of_leads(timer)).values())


async def turns_of_leads(timer: Timer) -> dict[UUID, timedelta]:
    """Since Tuesday morning. Every clock that waits, waits for the turn of its lead."""
    async with timer.database.engine.connect() as connection:
        rows = list(
            await connection.execute(
                select(sla_request.c.id, sla_request.c.lead_id, sla_request.c.released_at)
            )
        )
    given: dict[UUID, Any] = {row.id: row.released_at for row in rows}
    for clock in await timer.clocks():
        assert clock.request_id
        assert clock.state is not ClockState.WAITING or clock.started_at == given[clock.request_id]
    return {row.lead_id: row.released_at - TUESDAY_MORNING for row in rows}


def every(distance: timedelta, count: int, since: timedelta = timedelta(0)) -> list[timedelta]:
    return [since + number * distance for number in range(count)]


@pytest.mark.parametrize("limit", [1, 5, 500])
async def test_a_new_holiday_moves_the_turns_one_by_one_into_the_next_day(timer: Timer, limit: int) -> None:
    await in_bulk(timer, 12)
    assert await turns(timer) == every(SIX_AN_HOUR, 12)
    closed = await timer.apply_pact(CLOSED_TODAY)
    shown = await would_move(timer, closed, limit)
    done = await move(timer, closed, limit)

    assert [(one.before, one.after) for one in shown] == [(one.before, one.after) for one in done]
    assert {one.by for one in done} == {DAY}
    assert await turns(timer) == every(SIX_AN_HOUR, 12, DAY)
    of_owners = sorted(clock.due_at for clock in await timer.clocks() if clock.whose == "owner")
    assert of_owners == [WEDNESDAY_MORNING + 2 * HOUR + at for at in every(SIX_AN_HOUR, 12)]
    timer.clock.set(WEDNESDAY_MORNING + 10 * MINUTE)
    await timer.sweep()
    started = [event.started_at for event in await timer.said(SlaStarted)]
    assert sorted(started) == [at for at in (WEDNESDAY_MORNING, timer.clock.now()) for _ in range(2)]


@pytest.mark.parametrize("per_hour", [2, 60])
@pytest.mark.parametrize("limit", [3, 500])
async def test_another_pace_gives_the_turns_that_lie_ahead_anew(
    timer: Timer, per_hour: int, limit: int
) -> None:
    await in_bulk(timer, 8)
    timer.clock.set(TUESDAY_MORNING + 25 * MINUTE)
    await timer.sweep()  # the turns of three have come
    version = await timer.apply_pact(IN_BULK.replace("6 per hour", f"{per_hour} per hour"))
    shown = await would_move(timer, version, limit)
    done = await move(timer, version, limit)

    pace = HOUR / per_hour
    assert [(one.before, one.after) for one in shown] == [(one.before, one.after) for one in done]
    ahead = every(pace, 5, max(20 * MINUTE + pace, 25 * MINUTE))
    assert await turns(timer) == every(SIX_AN_HOUR, 3) + ahead
    await scans(timer, 1, version)
    assert (await turns(timer))[-1] == ahead[-1] + pace


async def test_who_came_under_the_new_version_keeps_the_turn_and_the_others_go_round_it(timer: Timer) -> None:
    await in_bulk(timer, 3)
    closed = await timer.apply_pact(CLOSED_TODAY)
    await scans(timer, 1, closed)  # its turn comes ten minutes of open time after the last, on Wednesday
    assert (await turns(timer))[-1] == DAY + 10 * MINUTE

    moves = await move(timer, closed)
    assert len(moves) == 6
    assert await turns(timer) == every(SIX_AN_HOUR, 4, DAY)
    by_lead = {one.after.started_at - WEDNESDAY_MORNING for one in moves if one.after}
    assert by_lead == {timedelta(0), 20 * MINUTE, 30 * MINUTE}


async def test_a_promise_that_the_version_lacks_waits_for_the_new_turn_of_its_lead_under_the_old_version(
    timer: Timer,
) -> None:
    old = await in_bulk(timer, 2)
    without = await timer.apply_pact(CLOSED_TODAY.replace("  team-touch:", "  another:"))
    shown = await would_move(timer, without)
    moves = await move(timer, without)

    assert [(one.before, one.after) for one in shown] == [(one.before, one.after) for one in moves]
    assert await turns(timer) == every(SIX_AN_HOUR, 2, DAY)
    kept_under = {one.before.whose: (one.after.pact_version, one.is_promised) for one in moves if one.after}
    assert kept_under == {"owner": (without, True), "team": (old, False)}
    assert {one.by for one in moves} == {DAY}
    assert [one.after for one in await move(timer, without)] == [None, None]


async def test_a_version_without_a_pace_for_the_source_leaves_its_turns(timer: Timer) -> None:
    await in_bulk(timer, 3)
    await move(timer, await timer.apply_pact(IN_BULK.replace(", release: 6 per hour", "")))
    assert await turns(timer) == every(SIX_AN_HOUR, 3)


async def test_a_turn_that_has_come_stays_though_the_database_s_clock_was_set_back(timer: Timer) -> None:
    await in_bulk(timer, 2)
    timer.clock.set(TUESDAY_MORNING)
    await timer.sweep()
    timer.clock.set(BEFORE)
    await move(timer, await timer.apply_pact(CLOSED_TODAY))

    assert await turns(timer) == [timedelta(0), DAY + 10 * MINUTE]


async def test_a_turn_has_come_for_all_of_a_lead_once_one_of_its_clocks_has_started(timer: Timer) -> None:
    await in_bulk(timer, 1)
    timer.clock.set(TUESDAY_MORNING)
    await timer.sweeper(batch_size=1).run_once()
    assert sorted(clock.state for clock in await timer.clocks()) == ["running", "waiting"]
    timer.clock.set(BEFORE)
    await move(timer, await timer.apply_pact(CLOSED_TODAY))

    assert await turns(timer) == [timedelta(0)]


async def test_leads_keep_their_order_and_who_comes_between_two_pages_comes_last(timer: Timer) -> None:
    await in_bulk(timer, 4)
    before = await turns_of_leads(timer)
    closed = await timer.apply_pact(CLOSED_TODAY)
    page = await _page(timer, closed, 1, None, "Marta")
    await scans(timer, 1, closed)
    while page.next is not None:
        page = await _page(timer, closed, 1, page.next, "Marta")

    after = await turns_of_leads(timer)
    assert {lead: after[lead] for lead in before} == {lead: DAY + turn for lead, turn in before.items()}
    (late,) = after.keys() - before.keys()
    assert after[late] == DAY + 4 * SIX_AN_HOUR


async def test_turns_that_are_given_while_clocks_move_come_behind_them(timer: Timer) -> None:
    await in_bulk(timer, 3)
    closed = await timer.apply_pact(CLOSED_TODAY)
    await hear_while_moving(timer, closed, scan(closed), scan(closed))
    assert await turns(timer) == every(SIX_AN_HOUR, 5, DAY)


async def test_a_new_owner_s_clock_waits_for_the_turn_that_its_lead_is_given_meanwhile(timer: Timer) -> None:
    timer.clock.set(BEFORE)
    first = scan(await timer.apply_pact(IN_BULK))
    await timer.hear(first)
    closed = await timer.apply_pact(CLOSED_TODAY)
    await hear_while_moving(timer, closed, reassigned(BEFORE + MINUTE, first, pact_version=closed))
    assert await turns(timer) == [DAY]
    waiting = [clock.policy for clock in await timer.clocks() if clock.state is ClockState.WAITING]
    assert sorted(waiting) == ["first-touch", "team-touch"]


async def test_a_version_that_changes_no_due_time_moves_in_silence(timer: Timer) -> None:
    await timer.hear(assigned())
    version = await timer.apply_pact(PACT.replace("escalate: boss", "escalate: chief"))
    await move(timer, version)

    clock = await timer.only_clock()
    assert (clock.pact_version, clock.escalate_to, clock.due_at) == (version, "chief", DUE)
    assert len(await kept(timer)) == 1
    assert await timer.said(SlaMoved) == []


async def test_a_new_holiday_moves_the_clocks_that_run_over_it_and_no_others(timer: Timer) -> None:
    evening = TUESDAY_MORNING + 7 * HOUR  # one hour before closing time
    await timer.hear(assigned())
    await timer.hear(assigned(evening))
    holiday = 'hours: {mon-fri: "09:00-17:00"}, exceptions: {2026-03-04: closed}}'
    version = await timer.apply_pact(PACT.replace('hours: {mon-fri: "09:00-17:00"}}', holiday, 1))

    assert [one.by for one in await would_move(timer, version)] == [timedelta(0), DAY]
    await move(timer, version)
    assert [clock.due_at for clock in await timer.clocks()] == [DUE, TUESDAY_MORNING + 2 * DAY + HOUR]
    (moved,) = await timer.said(SlaMoved)
    assert moved.due_before == TUESDAY_MORNING + DAY + HOUR


async def test_what_has_ended_never_moves(timer: Timer) -> None:
    met, gone, missed = assigned(), assigned(), assigned()
    await timer.hear(met, gone, missed)
    await timer.hear(contacted(met, TUESDAY_MORNING + MINUTE), rejected(gone, TUESDAY_MORNING + MINUTE))
    timer.clock.set(DUE)
    await timer.sweep()
    before = await timer.clocks()
    assert {clock.state for clock in before} == {ClockState.MET, ClockState.CANCELLED, ClockState.BREACHED}

    assert await move(timer, await timer.apply_pact(LONGER)) == []
    assert await timer.clocks() == before
    assert await kept(timer) == []


async def test_a_promise_that_is_gone_or_made_to_somebody_else_leaves_its_clocks(timer: Timer) -> None:
    await timer.hear(assigned())
    before = await timer.clocks()
    for text in (PACT.replace("  first-touch:", "  another:"), TEAMS):
        version = await timer.apply_pact(text)
        (one,) = await move(timer, version)
        assert (one.after, one.by) == (None, timedelta(0))

    assert await timer.clocks() == before
    assert await kept(timer) == []
    assert await timer.said(SlaMoved) == []


async def test_pages_of_two_reach_every_clock_once_also_while_they_are_moved(timer: Timer) -> None:
    await timer.hear(*[assigned() for _ in range(5)])
    version = await timer.apply_pact(LONGER)
    ids = [clock.id for clock in await timer.clocks()]

    assert [one.before.id for one in await would_move(timer, version, limit=2)] == ids
    assert [one.before.id for one in await move(timer, version, limit=2)] == ids
    assert [moved.clock_id for moved in await timer.said(SlaMoved)] == ids


async def test_moving_again_changes_nothing(timer: Timer) -> None:
    await timer.hear(*[assigned() for _ in range(3)])
    version = await timer.apply_pact(LONGER)
    await move(timer, version)
    clocks, said = await timer.clocks(), await announced_messages(timer.database.engine)

    assert await move(timer, version) == []
    assert (await timer.clocks(), await announced_messages(timer.database.engine)) == (clocks, said)
    assert len(await kept(timer)) == 3


async def test_a_clock_that_is_overdue_once_moved_is_breached_at_the_next_sweep_and_once(
    timer: Timer,
) -> None:
    await timer.hear(assigned())
    timer.clock.set(TUESDAY_MORNING + 90 * MINUTE)
    version = await timer.apply_pact(SHORTER)
    await move(timer, version)
    assert await timer.said(SlaBreached) == []

    await timer.sweep()
    await timer.sweep()
    (breached,) = await timer.said(SlaBreached)
    assert (breached.due_at, breached.pact_version) == (TUESDAY_MORNING + HOUR, version)


async def test_a_moved_clock_is_judged_by_the_new_version(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead)
    await move(timer, await timer.apply_pact(LONGER))
    timer.clock.set(DUE + 30 * MINUTE)
    await timer.sweep()
    await timer.hear(contacted(lead, DUE + 30 * MINUTE))

    assert (await timer.only_clock()).state is ClockState.MET
    (met,) = await timer.said(SlaMet)
    assert (met.business_seconds_used, met.was_breached) == (150 * 60, False)
    assert await timer.said(SlaBreached) == []


async def test_two_who_move_at_once_move_every_clock_once(timer: Timer) -> None:
    await timer.hear(*[assigned() for _ in range(40)])
    version = await timer.apply_pact(LONGER)

    found = await asyncio.gather(*[move(timer, version, limit=7, by=by) for by in ("Marta", "Tom")])

    assert sum(map(len, found)) == 40
    ids = [clock.id for clock in await timer.clocks()]
    assert sorted(moved.clock_id for moved in await timer.said(SlaMoved)) == ids
    assert sorted(row.clock_id for row in await kept(timer)) == ids


async def test_a_warning_that_lies_ahead_again_is_given_again(timer: Timer) -> None:
    await timer.hear(assigned())
    timer.clock.set(TUESDAY_MORNING + 100 * MINUTE)
    await timer.sweep()
    await move(timer, await timer.apply_pact(LONGER))
    for minutes in (110, 120, 192):
        timer.clock.set(TUESDAY_MORNING + minutes * MINUTE)
        await timer.sweep()

    assert [warned.occurred_at - TUESDAY_MORNING for warned in await timer.said(SlaWarned)] == [
        96 * MINUTE,
        120 * MINUTE,
        192 * MINUTE,
    ]


async def test_a_warning_that_was_given_and_lies_behind_is_not_given_again(timer: Timer) -> None:
    await timer.hear(assigned())
    timer.clock.set(TUESDAY_MORNING + 100 * MINUTE)
    await timer.sweep()
    await move(timer, await timer.apply_pact(PACT.replace("2 business hours", "110 business minutes")))
    await timer.sweep()

    assert [warned.percent for warned in await timer.said(SlaWarned)] == [80]


async def test_a_warning_that_was_given_is_not_given_again_because_the_database_s_clock_was_set_back(
    timer: Timer,
) -> None:
    await timer.hear(assigned())
    timer.clock.set(TUESDAY_MORNING + 100 * MINUTE)
    await timer.sweep()
    timer.clock.set(TUESDAY_MORNING + 30 * MINUTE)
    await move(
        timer, await timer.apply_pact(PACT.replace("then: {escalate: boss}", "then: {escalate: chief}"))
    )
    timer.clock.set(TUESDAY_MORNING + 100 * MINUTE)
    await timer.sweep()

    assert [warned.percent for warned in await timer.said(SlaWarned)] == [80]


async def test_attempts_that_are_enough_under_the_new_version_meet_the_clock(timer: Timer) -> None:
    version = await timer.apply_pact(ATTEMPTS.replace("SO MANY", "2"))
    lead = assigned(pact_version=version)
    tried = LeadAttempted(
        occurred_at=TUESDAY_MORNING + MINUTE,
        lead_id=lead.lead_id,
        assignment_id=lead.assignment_id,
        rep_id="ana",
        recorded_at=TUESDAY_MORNING + MINUTE,
        channel="phone",
    )
    await timer.hear(lead, tried)
    fewer = await timer.apply_pact(ATTEMPTS.replace("SO MANY", "1"))

    (one,) = await would_move(timer, fewer)
    assert one.after is not None
    assert one.after.state is ClockState.MET
    await move(timer, fewer)
    clock = await timer.only_clock()
    assert (clock.state, clock.met_at) == (ClockState.MET, TUESDAY_MORNING + MINUTE)
    assert len(await timer.said(SlaMet)) == 1
    timer.clock.set(DUE)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []


async def test_what_came_too_late_for_the_new_version_is_a_breach_at_once(timer: Timer) -> None:
    lead = assigned()
    await timer.hear(lead, accepted(lead, TUESDAY_MORNING + 70 * MINUTE))
    timer.clock.set(TUESDAY_MORNING + 80 * MINUTE)
    text = SHORTER.replace("    calendar: pool", "    calendar: pool\n    stops: [contacted, accepted]")
    await move(timer, await timer.apply_pact(text))
    await timer.sweep()

    clock = await timer.only_clock()
    assert (clock.state, clock.met_at) == (ClockState.BREACHED, TUESDAY_MORNING + 70 * MINUTE)
    assert len(await timer.said(SlaBreached)) == 1


async def test_a_state_pauses_a_moved_clock_as_the_new_version_says(timer: Timer) -> None:
    paused = PACT.replace("    calendar: pool", "    calendar: pool\n    pause_while: [waiting_for_customer]")
    lead = assigned()
    waits = LeadPaused(
        occurred_at=TUESDAY_MORNING + HOUR,
        lead_id=lead.lead_id,
        assignment_id=lead.assignment_id,
        rep_id="ana",
        recorded_at=TUESDAY_MORNING + HOUR,
        state="waiting_for_customer",
    )
    await timer.hear(lead, waits)
    timer.clock.set(TUESDAY_MORNING + 90 * MINUTE)

    await move(timer, await timer.apply_pact(paused))
    assert (await timer.only_clock()).state is ClockState.PAUSED
    assert len(await timer.said(SlaPaused)) == 1
    await move(timer, await timer.apply_pact(PACT))
    clock = await timer.only_clock()
    assert (clock.state, clock.pauses, clock.due_at) == (ClockState.RUNNING, (), DUE)
    assert len(await timer.said(SlaMoved)) == 1


@pytest.mark.parametrize("then", ["run", "pause", "reassign"])
async def test_an_absence_means_what_the_new_version_says(timer: Timer, then: str) -> None:
    def minding(how: str) -> str:
        return PACT.replace("    calendar: pool", f"    calendar: pool\n    owner_away: {how}")

    before = "pause" if then == "reassign" else "reassign"
    away = Away(starts_at=TUESDAY_MORNING + HOUR, ends_at=TUESDAY_MORNING + 3 * HOUR)
    version = await timer.apply_pact(minding(before))
    await timer.hear(assigned(pact_version=version, rep_away=(away,)))
    await move(timer, await timer.apply_pact(minding(then)))

    clock = await timer.only_clock()
    assert clock.due_at == (DUE + 2 * HOUR if then == "pause" else DUE)
    timer.clock.set(TUESDAY_MORNING + HOUR)
    await timer.sweep()
    assert len(await timer.said(SlaOwnerLeft)) == (1 if then == "reassign" else 0)


async def test_the_clock_of_the_team_moves_with_what_any_owner_did(timer: Timer) -> None:
    version = await timer.apply_pact(TEAMS)
    lead = assigned(pact_version=version, lead=facts(qualified_at=TUESDAY_MORNING))
    await timer.hear(lead)
    longer = await timer.apply_pact(TEAMS.replace("2 business hours", "4 business hours"))
    await move(timer, longer)

    clock = await timer.only_clock()
    assert (clock.whose, clock.due_at, clock.pact_version) == ("team", DUE + 2 * HOUR, longer)
    await timer.hear(contacted(lead, DUE + HOUR))
    assert (await timer.only_clock()).state is ClockState.MET
