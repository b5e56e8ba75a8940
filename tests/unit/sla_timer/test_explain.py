"""A clock explains itself to a person, in every state it can be in."""

from __future__ import annotations

from datetime import timedelta

from leadpact.pact.model import Pact
from leadpact_sla_timer.explain import explain, second_zone, time_left
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
    assert "It is kept once the lead is contacted or the lead is accepted, and ends when" in said


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
        "In the end: contacted Tue 03 Mar 2026 12:00 UTC, with 3 h of business time used."
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
