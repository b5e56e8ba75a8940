"""Promises of every kind, on all three clocks, from what the router announces to what the timer says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from leadpact.events import (
    LeadAssigned,
    LeadHeld,
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact_sla_timer.record import Request, request_of
from leadpact_sla_timer.request_rows import request_of_row
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.tables import sla_request
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import (
    PACT,
    absences,
    accepted,
    assigned,
    attempted,
    closed,
    contacted,
    facts,
    held,
    meeting_booked,
    paused,
    reassigned,
    rejected,
    resumed,
)
from tests.support.fake_clock import TUESDAY_MORNING as START

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
BASE = PACT[: PACT.index("sla:")]


async def promise(timer: Timer, alerts: str = "", source: str = "", **promises: str) -> int:
    """Put a pact with these promises in force, each in YAML's flow style; its version."""
    text = BASE.replace("intent: demo_request}}", f"intent: demo_request}}{source}}}")
    text += "sla:\n" + "".join(f"  {name}: {{{said}}}\n" for name, said in promises.items())
    return await timer.apply_pact(text + (f"alerts: {{{alerts}}}\n" if alerts else ""))


def given(version: int, at: datetime = START, **changes: Any) -> LeadAssigned:
    """Ana is given the lead under a version of the pact; it was received an hour before, and qualified half an hour before."""
    lead = facts(**{"received_at": at - HOUR, "qualified_at": at - 30 * MINUTE, **changes.pop("facts", {})})
    return assigned(at, lead=lead, pact_version=version, **changes)


async def by_promise(timer: Timer) -> dict[str, SlaClock]:
    clocks = await timer.clocks()
    assert len({clock.policy for clock in clocks}) == len(clocks)
    return {clock.policy: clock for clock in clocks}


async def states(timer: Timer) -> dict[str, str]:
    return {name: clock.state.value for name, clock in (await by_promise(timer)).items()}


async def request(timer: Timer) -> Request:
    async with timer.database.engine.connect() as connection:
        return request_of_row((await connection.execute(select(sla_request))).one())


THREE = {
    "owner": "first_touch_within: 2 business hours, calendar: utc",
    "team": "starts: qualified, first_touch_within: 4 business hours, calendar: utc",
    "customer": "starts: received, first_touch_within: 24 hours",
}


async def test_owner_team_and_customer_each_have_a_clock_and_only_the_owners_starts_anew(
    timer: Timer,
) -> None:
    first = given(await promise(timer, **THREE))
    second = reassigned(START + 2 * HOUR, first, pact_version=first.pact_version)
    await timer.hear(first, second)

    clocks = await timer.clocks()
    assert Counter(clock.whose for clock in clocks) == {"owner": 2, "team": 1, "customer": 1}
    started = {clock.policy: clock.started_at for clock in clocks if clock.state is ClockState.RUNNING}
    assert started == {"owner": START + 2 * HOUR, "team": START - 30 * MINUTE, "customer": START - HOUR}
    assert len(await timer.said(SlaStarted)) == 4

    # The second owner calls: all that still runs is met, each measured from its own start.
    await timer.hear(contacted(second, START + 3 * HOUR))
    met = {event.policy: event.business_seconds_used for event in await timer.said(SlaMet)}
    assert met == {"owner": 3600, "team": 3 * 3600, "customer": 4 * 3600}


async def test_clocks_of_team_and_customer_belong_to_nobody_in_particular(timer: Timer) -> None:
    await timer.hear(given(await promise(timer, **THREE)))
    timer.clock.set(START + DAY)
    await timer.sweep()
    breaches = {event.policy: event for event in await timer.said(SlaBreached)}
    assert {name: (one.assignment_id is None, one.rep_id, one.whose) for name, one in breaches.items()} == {
        "owner": (False, "ana", "owner"),
        "team": (True, None, "team"),
        "customer": (True, None, "customer"),
    }


async def test_a_lead_that_is_held_keeps_team_and_customer_waiting(timer: Timer) -> None:
    version = await promise(timer, **THREE)
    lead = given(version).lead
    waits = LeadHeld(
        occurred_at=START, lead_id=lead.lead_id, reason="nobody is free", pool="everybody",
        lead=lead, explanation={}, pact_version=version,
    )  # fmt: skip
    await timer.hear(waits)
    assert await states(timer) == {"team": "running", "customer": "running"}

    later = assigned(START + 3 * HOUR, lead=lead, pact_version=version)
    await timer.hear(later)
    clocks = await by_promise(timer)
    assert clocks["owner"].started_at == START + 3 * HOUR
    assert clocks["team"].started_at == START - 30 * MINUTE
    assert (await request(timer)).assigned_at == START + 3 * HOUR


async def test_an_attempt_of_enough_keeps_a_promise_and_an_automatic_one_keeps_none(timer: Timer) -> None:
    version = await promise(
        timer,
        try_hard="attempts: 3 within 2 business days over 2 channels, apart: 1 hour, calendar: utc",
        touch="first_touch_within: 8 business hours, calendar: utc",
    )
    lead = given(version)
    await timer.hear(lead, attempted(lead, START + HOUR), attempted(lead, START + 90 * MINUTE))
    await timer.hear(attempted(lead, START + 2 * HOUR, "email", automatic=True))
    await timer.hear(attempted(lead, START + 3 * HOUR), attempted(lead, START + 3 * HOUR))
    assert await states(timer) == {"try_hard": "running", "touch": "running"}

    await timer.hear(attempted(lead, START + 5 * HOUR, "email"))
    assert await states(timer) == {"try_hard": "met", "touch": "running"}
    (met,) = await timer.said(SlaMet)
    assert (met.met_at, met.business_seconds_used) == (START + 5 * HOUR, 5 * 3600)


async def test_attempts_that_come_too_late_leave_a_breach_that_says_how_long_it_took(timer: Timer) -> None:
    lead = given(await promise(timer, try_hard="attempts: 2 within 4 business hours, calendar: utc"))
    await timer.hear(lead, attempted(lead, START + HOUR))
    timer.clock.set(START + 4 * HOUR)
    await timer.sweep()
    await timer.hear(attempted(lead, START + 6 * HOUR))
    clock = await timer.only_clock()
    assert (clock.state, clock.met_by, clock.business_seconds) == (
        ClockState.BREACHED,
        "2 attempts",
        6 * 3600,
    )
    assert len(await timer.said(SlaBreached)) == 1
    assert await timer.said(SlaMet) == []


@pytest.mark.parametrize("decision", [accepted, rejected, contacted])
async def test_a_decision_is_to_take_the_lead_on_or_to_give_it_back(timer: Timer, decision: Any) -> None:
    lead = given(await promise(timer, decide="decide_within: 1 business day, calendar: utc"))
    await timer.hear(lead, decision(lead, START + HOUR))
    assert await states(timer) == {"decide": "met"}
    (met,) = await timer.said(SlaMet)
    assert met.met_at == START + HOUR


async def test_giving_the_lead_back_decides_and_ends_whatever_else_was_owed(timer: Timer) -> None:
    lead = given(await promise(timer, decide="decide_within: 1 business day, calendar: utc", **THREE))
    await timer.hear(lead, rejected(lead, START + HOUR))
    assert await states(timer) == {
        "decide": "met",
        "owner": "cancelled",
        "team": "cancelled",
        "customer": "cancelled",
    }
    assert {event.reason for event in await timer.said(SlaCancelled)} == {"rejected: no_budget"}


async def test_closing_a_lead_stops_every_clock(timer: Timer) -> None:
    lead = given(await promise(timer, decide="decide_within: 1 business day, calendar: utc", **THREE))
    await timer.hear(lead, closed(lead, START + HOUR))
    assert set((await states(timer)).values()) == {"cancelled"}
    timer.clock.set(START + 10 * DAY)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []
    assert {event.reason for event in await timer.said(SlaCancelled)} == {"closed: won"}


async def test_a_booked_meeting_keeps_only_what_says_so(timer: Timer) -> None:
    lead = given(
        await promise(
            timer,
            meet="first_touch_within: 1 business day, stops: [meeting_booked]",
            touch="first_touch_within: 1 business day",
        )
    )
    await timer.hear(lead, meeting_booked(lead, START + HOUR))
    assert await states(timer) == {"meet": "met", "touch": "running"}


async def test_what_was_done_before_the_clock_opened_meets_it_at_once(timer: Timer) -> None:
    lead = given(await promise(timer, **THREE))
    await timer.hear(contacted(lead, START - 10 * MINUTE))
    await timer.hear(lead)
    clocks = await by_promise(timer)
    assert {name: clock.elapsed_seconds for name, clock in clocks.items()} == {
        "owner": 0,
        "team": 20 * 60,
        "customer": 50 * 60,
    }
    assert {clock.state for clock in clocks.values()} == {ClockState.MET}


async def test_a_clock_whose_lead_was_paused_before_its_turn_starts_and_stands_still(timer: Timer) -> None:
    touch = "first_touch_within: 2 business hours, calendar: utc, pause_while: [waiting_for_customer]"
    lead = given(
        await promise(timer, source=SCANS, touch=touch), facts={"source": "fair", "source_kind": "event_scan"}
    )
    await timer.hear(lead, paused(lead, START))
    await timer.sweep()
    assert await states(timer) == {"touch": "paused"}
    timer.clock.set(START + 5 * HOUR)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []
    assert (len(await timer.said(SlaStarted)), len(await timer.said(SlaPaused))) == (1, 1)
    await timer.hear(resumed(lead, START + 5 * HOUR))
    assert (await timer.only_clock()).due_at == START + 7 * HOUR


async def test_no_time_passes_while_the_ball_is_with_the_customer(timer: Timer) -> None:
    lead = given(
        await promise(
            timer,
            waits="first_touch_within: 2 business hours, calendar: utc, pause_while: [waiting_for_customer]",
            runs="first_touch_within: 2 business hours, calendar: utc",
        )
    )
    await timer.hear(lead, paused(lead, START + HOUR))
    assert await states(timer) == {"waits": "paused", "runs": "running"}
    timer.clock.set(START + 5 * HOUR)
    await timer.sweep()
    assert [event.policy for event in await timer.said(SlaBreached)] == ["runs"]

    await timer.hear(resumed(lead, START + 5 * HOUR))
    assert (await by_promise(timer))["waits"].due_at == START + 6 * HOUR
    timer.clock.set(START + 6 * HOUR)
    await timer.sweep()
    assert [event.policy for event in await timer.said(SlaBreached)] == ["runs", "waits"]
    assert [event.because for event in await timer.said(SlaPaused)] == ["waiting_for_customer"]
    assert [(event.because, event.due_at) for event in await timer.said(SlaMoved)] == [
        ("resumed", START + 6 * HOUR)
    ]


async def test_news_of_a_pause_that_comes_late_undoes_no_later_one(timer: Timer) -> None:
    lead = given(
        await promise(
            timer,
            touch="first_touch_within: 8 business hours, calendar: utc, pause_while: [waiting_for_customer]",
        )
    )
    await timer.hear(lead, paused(lead, START + 2 * HOUR), resumed(lead, START + 3 * HOUR))
    await timer.hear(resumed(lead, START + HOUR))  # it had been set aside, as had what it ended
    assert (await timer.only_clock()).due_at == START + DAY + HOUR
    await timer.hear(paused(lead, START + 30 * MINUTE))
    clock = await timer.only_clock()
    assert (clock.state, clock.due_at) == (ClockState.RUNNING, START + DAY + HOUR + 30 * MINUTE)


async def test_a_pause_ends_with_the_assignment(timer: Timer) -> None:
    version = await promise(
        timer,
        team="starts: qualified, first_touch_within: 4 business hours, calendar: utc, pause_while: [waiting_for_customer]",
    )
    first = given(version)
    await timer.hear(first, paused(first, START + HOUR))
    assert await states(timer) == {"team": "paused"}
    await timer.hear(reassigned(START + 3 * HOUR, first, pact_version=version))
    clock = await timer.only_clock()
    assert (clock.state, clock.due_at) == (ClockState.RUNNING, START - 30 * MINUTE + 7 * HOUR - 30 * MINUTE)


async def test_an_absence_announced_later_moves_the_clocks_that_mind_it(timer: Timer) -> None:
    version = await promise(
        timer,
        minds="first_touch_within: 2 business hours, calendar: utc, owner_away: pause",
        not_this="first_touch_within: 2 business hours, calendar: utc",
    )
    lead = given(version)
    await timer.hear(lead, given(version, rep_id="ben", rep_name="Ben"))
    timer.clock.set(START + MINUTE)
    await timer.hear(absences("ana", START + MINUTE, (START + HOUR, START + 4 * HOUR)))

    due = {(clock.policy, clock.rep_id): clock.due_at - START for clock in await timer.clocks()}
    assert due == {
        ("minds", "ana"): 5 * HOUR,
        ("minds", "ben"): 2 * HOUR,
        ("not_this", "ana"): 2 * HOUR,
        ("not_this", "ben"): 2 * HOUR,
    }
    (moved,) = await timer.said(SlaMoved)
    assert (moved.rep_id, moved.because) == ("ana", "owner away")

    timer.clock.set(START + 2 * HOUR)
    await timer.hear(absences("ana", START + 2 * HOUR))  # back after an hour
    assert {clock.due_at - START for clock in await timer.clocks() if clock.policy == "minds"} == {
        3 * HOUR,
        2 * HOUR,
    }


async def test_news_of_an_absence_that_is_older_than_what_is_known_changes_nothing(timer: Timer) -> None:
    version = await promise(
        timer, minds="first_touch_within: 2 business hours, calendar: utc, owner_away: pause"
    )
    await timer.hear(absences("ana", START + MINUTE, (START + HOUR, START + 4 * HOUR)))
    await timer.hear(absences("ana", START - DAY))
    await timer.hear(given(version, rep_away=()))  # decided a minute before the absence was entered
    assert (await timer.only_clock()).due_at == START + 5 * HOUR


async def test_of_two_changes_of_absences_the_later_is_kept_whatever_their_times_say(timer: Timer) -> None:
    version = await promise(
        timer, minds="first_touch_within: 2 business hours, calendar: utc, owner_away: pause"
    )
    until_noon, until_one = (START + HOUR, START + 3 * HOUR), (START + HOUR, START + 4 * HOUR)
    await timer.hear(
        absences("ana", START + MINUTE, until_noon, revision=1),
        absences("ana", START, until_one, revision=2),  # its time was read first, and its turn came second
    )
    lead = given(
        version, START + 2 * MINUTE, rep_away=(), rep_away_revision=1
    )  # of a batch that began before
    await timer.hear(lead)
    assert (await timer.only_clock()).due_at == START + 5 * HOUR + 2 * MINUTE


async def test_the_lead_of_an_owner_who_leaves_is_announced_to_be_free(timer: Timer) -> None:
    acts = "{reassign: {at_most: 3}, then: {escalate: boss}}"
    version = await promise(
        timer,
        hands_on=f"first_touch_within: 4 business hours, calendar: utc, owner_away: reassign, on_breach: {acts}",
    )
    lead = given(version)
    await timer.hear(lead, absences("ana", START + MINUTE, (START + HOUR, START + DAY)))
    timer.clock.set(START + HOUR)
    await timer.sweep()
    (left,) = await timer.said(SlaOwnerLeft)
    assert (left.assignment_id, left.away_until, left.escalate_to) == (
        lead.assignment_id,
        START + DAY,
        "boss",
    )
    assert await states(timer) == {"hands_on": "cancelled"}
    timer.clock.set(START + DAY)
    await timer.sweep()
    assert await timer.said(SlaBreached) == []


async def test_a_late_truth_asks_to_give_the_lead_back_only_if_the_pact_says_so(timer: Timer) -> None:
    acts = "{{reassign: {{at_most: 3}}, then: {{escalate: boss}}, give_back: {}}}"
    version = await promise(
        timer,
        returns="first_touch_within: 2 business hours, calendar: utc, on_breach: " + acts.format("true"),
        keeps="first_touch_within: 2 business hours, calendar: utc, on_breach: " + acts.format("false"),
    )
    lead = given(version)
    await timer.hear(lead)
    timer.clock.set(START + 3 * HOUR)
    await timer.sweep()
    await timer.hear(contacted(lead, START + HOUR, recorded_at=START + 3 * HOUR))
    asked = {event.policy: (event.was_breached, event.give_back) for event in await timer.said(SlaMet)}
    assert asked == {"returns": (True, True), "keeps": (True, False)}
    assert {clock.breached_at for clock in await timer.clocks()} == {START + 3 * HOUR}


SCANS = ", fair: {kind: event_scan, ends: '2026-03-02T18:00 UTC', release: 60 per hour}"


async def test_600_badge_scans_at_nine_do_not_breach_600_clocks(timer: Timer) -> None:
    """One a minute from nine to five: 481 turns on Tuesday, of which the last is at its close and so waits for Wednesday."""
    version = await promise(timer, source=SCANS, touch="first_touch_within: 2 business hours, calendar: utc")
    scans = [given(version, facts={"source": "fair", "source_kind": "event_scan"}) for _ in range(600)]
    await timer.hear(*scans)
    assert {clock.state for clock in await timer.clocks()} == {ClockState.WAITING}
    assert await timer.said(SlaStarted) == []

    timer.clock.set(START + 8 * HOUR)  # the end of the day
    await timer.sweep()
    started = [event.started_at - START for event in await timer.said(SlaStarted)]
    assert sorted(started) == [number * MINUTE for number in range(480)]
    assert all(event.released_at_pace for event in await timer.said(SlaStarted))
    breached = await timer.said(SlaBreached)
    assert len(breached) == 361  # those that started until 15:00, and nobody called any
    by_state = Counter(clock.state.value for clock in await timer.clocks())
    assert by_state == {"breached": 361, "running": 119, "waiting": 120}

    timer.clock.set(START + DAY)
    await timer.sweep()
    assert min(event.started_at for event in (await timer.said(SlaStarted))[480:]) == START + DAY


async def test_a_lead_that_is_called_before_its_turn_is_met_and_never_starts(timer: Timer) -> None:
    version = await promise(timer, source=SCANS, touch="first_touch_within: 2 business hours, calendar: utc")
    scan = {"source": "fair", "source_kind": "event_scan"}
    await timer.hear(given(version, facts=scan))
    second = given(version, facts=scan)
    await timer.hear(second, contacted(second, START + timedelta(seconds=20)))
    timer.clock.set(START + HOUR)
    await timer.sweep()
    (met,) = await timer.said(SlaMet)
    assert (met.lead_id, met.business_seconds_used) == (second.lead_id, 0)
    assert len(await timer.said(SlaStarted)) == 1


async def test_an_absence_before_its_turn_takes_no_lead_away(timer: Timer) -> None:
    acts = "{reassign: {at_most: 3}, then: {escalate: boss}}"
    version = await promise(
        timer,
        source=SCANS.replace("60 per hour", "1 per hour"),
        touch=f"first_touch_within: 2 business hours, calendar: utc, owner_away: reassign, on_breach: {acts}",
    )
    scan = {"source": "fair", "source_kind": "event_scan"}
    await timer.hear(given(version, facts=scan), given(version, facts=scan), given(version, facts=scan))
    await timer.hear(absences("ana", START + MINUTE, (START + 10 * MINUTE, START + 20 * MINUTE)))
    timer.clock.set(START + 2 * HOUR + MINUTE)
    await timer.sweep()
    # The first was running when she left; the others began at ten and eleven, when she was back.
    assert [event.occurred_at for event in await timer.said(SlaOwnerLeft)] == [START + 10 * MINUTE]
    assert Counter(clock.state.value for clock in await timer.clocks()) == {"cancelled": 1, "running": 2}


async def test_whoever_comes_when_the_queue_is_empty_has_the_next_turn_at_once(timer: Timer) -> None:
    version = await promise(timer, source=SCANS, touch="first_touch_within: 2 business hours, calendar: utc")
    scan = {"source": "fair", "source_kind": "event_scan"}
    await timer.hear(given(version, facts=scan))
    await timer.hear(given(version, START + 5 * HOUR, facts=scan))
    await timer.hear(given(version, START + 9 * HOUR, facts=scan))  # after hours
    turns = sorted(clock.started_at - START for clock in await timer.clocks())
    # A turn is asked for when the lead qualifies, half an hour before it is given to Ana; nothing starts before she has it.
    assert turns == [timedelta(0), 5 * HOUR, DAY]


async def test_a_warning_in_the_night_comes_in_the_morning_and_the_breach_says_when_to_ring(
    timer: Timer,
) -> None:
    version = await promise(
        timer, alerts='quiet: "20:00-07:00"', day="first_touch_within: 20 hours, warn_at: [60%]"
    )
    await timer.hear(given(version))
    timer.clock.set(START + 12 * HOUR)  # 21:00
    await timer.sweep()
    assert await timer.said(SlaWarned) == []
    timer.clock.set(START + 20 * HOUR)  # 05:00
    await timer.sweep()
    (breach,) = await timer.said(SlaBreached)
    assert (breach.occurred_at, breach.alert_at) == (START + 20 * HOUR, START + 22 * HOUR)
    assert await timer.said(SlaWarned) == []


async def test_every_request_is_measured_from_all_three_sides(timer: Timer) -> None:
    """Received Friday 16:00, qualified 16:30, given to Ana at 17:30 after hours, called Monday 10:00."""
    friday = START + timedelta(days=3)
    version = await promise(timer, none="applies: {country: US}, first_touch_within: 1 hour")
    lead = facts(received_at=friday + 7 * HOUR, qualified_at=friday + 7.5 * HOUR)
    owned = assigned(friday + 8.5 * HOUR, lead=lead, pact_version=version, rep_calendar="new-york")
    await timer.hear(owned, contacted(owned, friday + 3 * DAY + HOUR))

    known = await request(timer)
    assert known.id == request_of(lead.lead_id, lead.received_at)
    waits = known.waits
    assert waits is not None
    assert (waits.touched_at, waits.touched_by) == (friday + 3 * DAY + HOUR, "ana")
    assert (waits.customer_seconds, waits.customer_business_seconds) == (66 * 3600, 2 * 3600)
    assert (waits.team_seconds, waits.team_business_seconds) == (65.5 * 3600, 1.5 * 3600)
    # In New York it is 12:30 when she is given it, and Monday's hours have not begun when she calls.
    assert (waits.owner_seconds, waits.owner_business_seconds) == (64.5 * 3600, 4.5 * 3600)
    assert await timer.clocks() == []


async def test_who_asks_again_after_the_lead_was_closed_makes_a_new_request(timer: Timer) -> None:
    version = await promise(timer, **THREE)
    first = given(version)
    await timer.hear(first, closed(first, START + HOUR))
    again = assigned(
        START + DAY,
        lead=first.lead.model_copy(update={"received_at": START + DAY, "qualified_at": START + DAY}),
        pact_version=version,
    )
    await timer.hear(again)
    running = {
        clock.policy: clock.started_at for clock in await timer.clocks() if clock.state is ClockState.RUNNING
    }
    assert running == dict.fromkeys(THREE, START + DAY)


def asked_again(first: LeadAssigned, at: datetime, **changes: Any) -> LeadAssigned:
    """The person asked sales for something new at ``at``; Ana, who has the lead, keeps it."""
    lead = first.lead.model_copy(update={"received_at": at, "qualified_at": at})
    return assigned(at, lead=lead, pact_version=first.pact_version, owner_number=2, **changes)


async def test_who_asks_for_more_before_an_answer_has_clocks_of_their_own_and_one_call_answers_both(
    timer: Timer,
) -> None:
    first = given(await promise(timer, **THREE), owner_number=1)
    second = asked_again(first, START + HOUR)
    await timer.hear(first, second)
    states = Counter((clock.policy, clock.state.value) for clock in await timer.clocks())
    assert states == {
        ("owner", "cancelled"): 1,  # it is the same owner's, under the new request
        ("owner", "running"): 1,
        ("team", "running"): 2,
        ("customer", "running"): 2,
    }
    await timer.hear(contacted(second, START + 2 * HOUR))
    met = sorted((event.policy, event.business_seconds_used) for event in await timer.said(SlaMet))
    assert met == [
        ("customer", 3600),
        ("customer", 3 * 3600),
        ("owner", 3600),
        ("team", 3600),
        ("team", 2 * 3600),
    ]


async def test_an_answer_of_before_does_not_answer_what_was_asked_later(timer: Timer) -> None:
    first = given(await promise(timer, **THREE), owner_number=1)
    await timer.hear(first, contacted(first, START + HOUR), asked_again(first, START + 2 * HOUR))
    assert Counter((clock.policy, clock.state.value) for clock in await timer.clocks()) == Counter(
        (policy, state) for policy in THREE for state in ("met", "running")
    )


async def test_what_comes_of_a_later_request_says_nothing_of_one_that_was_given_up(timer: Timer) -> None:
    """The first was rejected untouched; the call that answers the second is not the first one's answer, however late."""
    first = given(await promise(timer, **THREE), owner_number=1)
    second = asked_again(first, START + DAY)
    await timer.hear(first, rejected(first, START + HOUR), second, contacted(second, START + DAY + HOUR))
    async with timer.database.engine.connect() as connection:
        rows = await connection.execute(select(sla_request).order_by(sla_request.c.received_at))
        waited = [request_of_row(row).waits for row in rows]
    assert waited[0] is None
    assert waited[1] is not None
    assert waited[1].customer_seconds == 3600
    assert Counter(clock.state.value for clock in await timer.clocks()) == {"cancelled": 3, "met": 3}


@pytest.mark.parametrize("end", [rejected, closed])
async def test_what_ends_the_later_request_ends_the_one_before(timer: Timer, end: Any) -> None:
    first = given(await promise(timer, **THREE), owner_number=1)
    second = asked_again(first, START + HOUR)
    await timer.hear(first, second, end(second, START + 2 * HOUR))
    assert {clock.state.value for clock in await timer.clocks()} == {"cancelled"}
    ended = {clock.ended_at for clock in await timer.clocks() if clock.whose != "owner"}
    assert ended == {START + 2 * HOUR}


async def test_the_first_answer_ends_the_wait_of_every_request_before_it(timer: Timer) -> None:
    first = given(await promise(timer, **THREE), owner_number=1)
    second = asked_again(first, START + HOUR)
    await timer.hear(first, second, contacted(second, START + 2 * HOUR))
    async with timer.database.engine.connect() as connection:
        rows = await connection.execute(select(sla_request).order_by(sla_request.c.received_at))
        waited = [waits.customer_seconds for row in rows if (waits := request_of_row(row).waits)]
    assert waited == [3 * 3600, 3600]


@pytest.mark.parametrize(
    "untold",
    [(), ("assignment_id",), ("assignment_id", "received_at")],
    ids=["its assignment is known", "it had no owner", "and it does not say what it is about"],
)
async def test_a_closing_that_is_replayed_after_they_asked_again_ends_what_it_was_about(
    timer: Timer, untold: Sequence[str]
) -> None:
    version = await promise(timer, **THREE)
    first = given(version)
    asked_at = START + HOUR
    again = assigned(
        START + 2 * HOUR,
        lead=first.lead.model_copy(update={"received_at": asked_at, "qualified_at": asked_at}),
        pact_version=version,
    )
    done = closed(first, asked_at - MINUTE if "received_at" in untold else asked_at + MINUTE)
    done = done.model_copy(update=dict.fromkeys(untold))
    await timer.hear(first, again)
    await timer.hear(done)
    still = {
        (clock.policy, clock.started_at)
        for clock in await timer.clocks()
        if clock.state is ClockState.RUNNING
    }
    assert still == {("owner", START + 2 * HOUR), ("team", asked_at), ("customer", asked_at)}


async def test_a_lead_that_is_closed_while_it_waits_is_owed_nothing_even_if_the_clock_was_set_back_since_it_came(
    timer: Timer,
) -> None:
    lead = given(await promise(timer, **THREE))
    await timer.hear(held(START, lead))
    before = lead.lead.received_at - 2 * HOUR
    await timer.hear(closed(lead, before).model_copy(update={"assignment_id": None}))
    assert set((await states(timer)).values()) == {"cancelled"}


async def test_a_redelivered_assignment_opens_nothing_twice_on_any_clock(timer: Timer) -> None:
    lead = given(await promise(timer, **THREE))
    await timer.hear(lead)
    await timer.hear(lead)  # under another event id, as a replayed dead letter would come
    assert len(await timer.clocks()) == 3
    assert len(await timer.said(SlaStarted)) == 3


async def test_a_lead_that_nobody_may_take_ends_the_owners_clock_and_not_the_teams(timer: Timer) -> None:
    lead = given(await promise(timer, **THREE))
    await timer.hear(lead, held(START + HOUR, lead))
    assert await states(timer) == {"owner": "cancelled", "team": "running", "customer": "running"}
