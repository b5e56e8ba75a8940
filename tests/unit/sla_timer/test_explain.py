"""A clock explains itself to a person, in every state it can be in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from leadpact.pact.model import Pact
from leadpact_sla_timer.explain import explain, second_zone, time_left
from leadpact_sla_timer.record import Heard, Paused
from leadpact_sla_timer.schedule import OWNER_AWAY
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from tests.support.clocks import DUE, HOUR, MINUTE, TWO_HOURS, clock, promising
from tests.support.fake_clock import TUESDAY_MORNING as START


def _said(subject: SlaClock, after_start: timedelta = HOUR, pact: Pact = TWO_HOURS) -> str:
    return explain(subject, START + after_start, pact)


def test_a_running_clock_says_how_much_is_left() -> None:
    assert _said(clock(), 30 * MINUTE).endswith("1 h 30 min of business time is left.")


def test_a_clock_out_of_hours_says_when_it_goes_on() -> None:
    late = clock(
        started_at=START + 7 * HOUR, due_at=START + 25 * HOUR
    )  # from Tuesday 16:00 to Wednesday 10:00
    assert _said(late, 10 * HOUR).endswith(
        "1 h of business time is left; it is out of hours and goes on Wed 04 Mar 2026 09:00 UTC."
    )


def test_a_clock_that_is_due_and_has_not_fired_yet_does_not_pretend_to_have_time() -> None:
    assert _said(clock(), 3 * HOUR).endswith("The time is up.")
    assert time_left(clock(), START + 3 * HOUR, TWO_HOURS) == timedelta(0)


def test_a_promise_in_wall_time_says_that_every_hour_counts() -> None:
    said = _said(clock(target="24 hours", target_seconds=86_400, due_at=START + 24 * HOUR))
    assert "allows 24 hours; every hour counts, by night and on holidays too." in said
    assert said.endswith("23 h of wall time is left.")


def test_later_owners_are_counted_and_every_way_to_stop_is_named() -> None:
    pact = promising("first_touch_within: 2 business hours, stops: [contacted, accepted]")
    said = _said(clock(hop=3, rep_name="Cem"), pact=pact)
    assert said.startswith(
        "The owner's clock. Started when Cem, owner number 3, was given the lead: Tue 03 Mar 2026 09:00 UTC."
    )
    assert "It is kept once the lead is contacted or accepted, and ends when" in said


def test_a_breach_says_whether_the_lead_was_touched_in_the_end() -> None:
    breached = clock(state=ClockState.BREACHED, next_at=None, breached_at=DUE)
    assert _said(breached).endswith(
        "It was breached, which was announced Tue 03 Mar 2026 11:00 UTC. Nobody has been heard to do what was promised since."
    )
    touched = clock(
        state=ClockState.BREACHED,
        next_at=None,
        breached_at=DUE,
        met_at=DUE + HOUR,
        met_by="contacted",
        business_seconds=3 * 3600,
    )
    assert _said(touched).endswith(
        "In the end the lead was contacted Tue 03 Mar 2026 12:00 UTC, with 3 h of business time used."
    )


def test_a_cancelled_clock_says_why() -> None:
    cancelled = clock(
        state=ClockState.CANCELLED, next_at=None, ended_at=START + HOUR, ended_because="rejected: no_budget"
    )
    assert _said(cancelled).endswith("It was cancelled Tue 03 Mar 2026 10:00 UTC (rejected: no_budget).")


def test_the_due_time_is_told_in_two_zones() -> None:
    assert second_zone(clock(rep_timezone="Asia/Tokyo")) == "Asia/Tokyo"
    assert second_zone(clock(timezone="Europe/Berlin", rep_timezone="Europe/Berlin")) == "UTC"
    assert second_zone(clock()) is None
    assert "It is due Tue 03 Mar 2026 11:00 UTC. " in _said(clock())
    said = _said(clock(rep_timezone="Asia/Tokyo"))
    assert "It is due Tue 03 Mar 2026 11:00 UTC, which is Tue 03 Mar 2026 20:00 Asia/Tokyo." in said


PROMISES = {
    "first_touch": ("first_touch_within: {}", "allows {}"),
    "attempts": (
        "attempts: 5 within {} over 2 channels, apart: 30 business minutes",
        "asks for 5 attempts within {}",
    ),
    "decide": ("decide_within: {}", "allows {} to decide"),
}
STARTS = {"owner": "assigned", "team": "qualified", "customer": "received"}
KEPT = {
    "first_touch": "It is kept once the lead is contacted, and ends ",
    "attempts": "It is kept once there are 5 attempts over 2 channels, each at least 30 business minutes after the last, "
    "or the lead is contacted or a meeting is booked, and ends ",
    "decide": "It is kept once the lead is contacted, accepted or given back, and ends ",
}
AT_TEN, AT_ELEVEN = "Tue 03 Mar 2026 10:00 Europe/Berlin", "Tue 03 Mar 2026 11:00 Europe/Berlin"
OUTCOMES: dict[ClockState, tuple[dict[str, Any], str]] = {
    ClockState.WAITING: (
        {"released_at_pace": True},
        "It does not run yet; all of the 2 h of {} time is left.",
    ),
    ClockState.RUNNING: ({}, "1 h of {} time is left."),
    ClockState.PAUSED: (
        {"pauses": (Paused(START + HOUR, None, "waiting_for_customer"),)},
        "It stands still; 1 h of {} time is left.",
    ),
    ClockState.MET: (
        {"met_at": START + HOUR, "met_by": "contacted", "business_seconds": 3600, "elapsed_seconds": 3600},
        f"It was met: the lead was contacted {AT_ELEVEN}, with 1 h of {{}} time used.",
    ),
    ClockState.BREACHED: (
        {"breached_at": DUE},
        "It was breached, which was announced Tue 03 Mar 2026 12:00 Europe/Berlin. "
        "Nobody has been heard to do what was promised since.",
    ),
    ClockState.CANCELLED: (
        {"ended_at": START + HOUR, "ended_because": "closed: won", "elapsed_seconds": 3600},
        f"It was cancelled {AT_ELEVEN} (closed: won).",
    ),
}


@pytest.mark.parametrize(
    ("state", "kind", "whose", "time"),
    list(product(ClockState, PROMISES, STARTS, ("business", "wall"))),
)
def test_every_clock_names_its_start_its_hours_its_ends_its_due_time_and_its_outcome(
    state: ClockState, kind: str, whose: str, time: str
) -> None:
    target = "2 business hours" if time == "business" else "2 hours"
    promise, allowed = PROMISES[kind]
    pact = promising(
        f"{promise.format(target)}, starts: {STARTS[whose]}, pause_while: [waiting_for_customer]"
    )
    changes, outcome = OUTCOMES[state]
    owner = {"rep_id": "ana"} if whose == "owner" else dict.fromkeys(("rep_id", "rep_name", "assignment_id"))
    subject = clock(
        state=state,
        kind=kind,
        whose=whose,
        target=target,
        calendar="berlin",
        timezone="Europe/Berlin",
        rep_timezone="Asia/Tokyo" if whose == "owner" else None,
        lead_timezone="America/Denver",
        **owner | changes,
    )

    said = _said(subject, HOUR, pact)
    started = {
        "owner": "Ana, the first owner, was given the lead",
        "team": "the lead qualified",
        "customer": "the lead was received",
    }[whose]
    came = f"The lead came in bulk{' and went to Ana, the first owner' if whose == 'owner' else ''}"
    starts = (
        f"{came}: it starts at the lead's turn, {AT_TEN}."
        if state is ClockState.WAITING
        else f"Started when {started}: {AT_TEN}."
    )
    hours = (
        ", counted in the hours of the calendar berlin in Europe/Berlin."
        if time == "business"
        else "; every hour counts, by night and on holidays too."
    )
    ends = "when sales is done with the lead"
    if whose == "owner":
        back = "" if kind == "decide" else "is given back, "
        ends = f"when the lead {back}goes to somebody else or is closed"
    there = "Tue 03 Mar 2026 20:00 Asia/Tokyo" if whose == "owner" else "Tue 03 Mar 2026 04:00 America/Denver"
    is_due = (
        f"It {'is' if state.is_open else 'was'} due Tue 03 Mar 2026 12:00 Europe/Berlin, which is {there}."
    )
    pauses = (
        f"No time passes while paused: waiting for customer from {AT_ELEVEN} until it is resumed. "
        if state is ClockState.PAUSED
        else ""
    )
    tried = "Nobody has tried so far. " if kind == "attempts" and state.is_open else ""
    assert said == (
        f"The {whose}'s clock. {starts} "
        f"The promise first-touch (pact version 1) {allowed.format(target)}{hours} "
        f"{KEPT[kind]}{ends}. Automatic replies stop nothing. {tried}{pauses}"
        f"{'It is due at no time until it goes on.' if state is ClockState.PAUSED else is_due} "
        f"{outcome.format(time)}"
    )


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("contacted", "the lead was contacted"),
        ("accepted", "the lead was accepted"),
        ("meeting booked", "a meeting was booked"),
        ("rejected: no_budget", "the lead was given back (no_budget)"),
        ("1 attempts", "there was 1 attempt"),
        ("5 attempts", "there were 5 attempts"),
    ],
)
def test_what_kept_a_promise_is_told_in_words(deed: str, said: str) -> None:
    met = clock(state=ClockState.MET, met_by=deed, met_at=START + HOUR, business_seconds=3600)
    assert _said(met).endswith(
        f"It was met: {said} Tue 03 Mar 2026 10:00 UTC, with 1 h of business time used."
    )


def test_hours_of_two_calendars_are_named_and_so_is_that_they_never_meet() -> None:
    pact = promising("first_touch_within: 2 business hours, calendar: utc and berlin")
    both = clock(shared_calendar="berlin", shared_timezone="Europe/Berlin")
    assert "counted while the calendars utc in UTC and berlin in Europe/Berlin are both open. " in _said(
        both, pact=pact
    )
    assert "the calendar utc in UTC alone, since the two that it names never meet. " in _said(
        clock(), pact=pact
    )


def test_a_lead_that_came_in_bulk_says_that_it_had_a_turn() -> None:
    assert _said(clock(released_at_pace=True)).startswith(
        "The owner's clock. Started when Ana, the first owner, was given the lead and its turn had come, "
        "since it came in bulk: Tue 03 Mar 2026 09:00 UTC."
    )
    over = clock(
        released_at_pace=True,
        state=ClockState.MET,
        met_by="contacted",
        met_at=START,
        elapsed_seconds=0.0,
        business_seconds=0.0,
    )
    assert _said(over).startswith(
        "The owner's clock. The lead came in bulk and went to Ana, the first owner, and this was over before it could start: "
        "Tue 03 Mar 2026 09:00 UTC."
    )


def test_an_absence_that_stops_the_clock_says_when_it_goes_on() -> None:
    away = clock(pauses=(Paused(START + HOUR, START + 25 * HOUR, OWNER_AWAY),), due_at=START + 26 * HOUR)
    said = _said(away, 2 * HOUR)
    assert "owner away from Tue 03 Mar 2026 10:00 UTC to Wed 04 Mar 2026 10:00 UTC." in said
    assert said.endswith(
        "1 h of business time is left; it stands still and goes on Wed 04 Mar 2026 10:00 UTC."
    )


def test_an_absence_that_takes_the_lead_away_is_told() -> None:
    leaving = clock(leaves_at=START + HOUR, away_until=START + 72 * HOUR)
    assert (
        "Ana is away from Tue 03 Mar 2026 10:00 UTC to Fri 06 Mar 2026 09:00 UTC: with that the lead goes to somebody else. "
        in _said(leaving)
    )


def test_a_void_breach_of_a_cancelled_clock_is_told() -> None:
    cancelled = clock(
        state=ClockState.CANCELLED,
        ended_at=START + HOUR,
        ended_because="rejected: no_budget",
        recorded_at=DUE + HOUR,
        breached_at=DUE,
    )
    assert _said(cancelled).endswith(
        "(rejected: no_budget). We heard of it Tue 03 Mar 2026 12:00 UTC; "
        "the breach announced Tue 03 Mar 2026 11:00 UTC is void."
    )


_SO_OFTEN = promising("attempts: 5 within 9 business hours over 2 channels, apart: 1 business hour")


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ((), "Nobody has tried so far."),
        (((5, "call"),), "So far 1 of 5 attempts counts over 1 of 2 channels, by call."),
        (
            ((5, "call"), (20, "email"), (70, "call")),
            "So far 2 of 5 attempts count over 2 of 2 channels, by call and email.",
        ),
    ],
)
def test_a_promise_of_attempts_says_how_many_count_so_far(
    tried: Sequence[tuple[int, str]], said: str
) -> None:
    attempts = [Heard(what, START + after * MINUTE, START + HOUR) for after, what in tried]
    open_clock = clock(kind="attempts")
    assert said in explain(open_clock, START + HOUR, _SO_OFTEN, attempts)
    kept = replace(open_clock, state=ClockState.MET, met_at=START + HOUR, met_by="contacted")
    assert "far" not in explain(kept, START + HOUR, _SO_OFTEN, attempts)
