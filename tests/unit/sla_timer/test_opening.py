"""Which clocks a lead opens, whose they are, and when they warn and are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from leadpact.events import Away
from leadpact.ids import new_id
from leadpact.pact.read import parse_pact
from leadpact_sla_timer.opening import Given, Owner, openings, under
from leadpact_sla_timer.record import Request, request_of
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from tests.support.assignments import PACT, TWO_PROMISES, facts
from tests.support.clocks import HOUR, MINUTE, promising
from tests.support.fake_clock import TUESDAY_MORNING

BASE = PACT[: PACT.index("sla:")]


def given(
    at: datetime = TUESDAY_MORNING, *, owner: bool = True, away: tuple[Away, ...] = (), **changes: Any
) -> Given:
    """Ana is given the lead ``at``, five minutes after it qualified, which was ten minutes after it was received."""
    lead = facts(**{"score": 20, **changes})
    request = Request(
        id=request_of(lead.lead_id, lead.received_at),
        lead_id=lead.lead_id,
        source=lead.source,
        received_at=at - 15 * MINUTE,
        qualified_at=at - 5 * MINUTE,
        pact_version=1,
        pool_calendar="utc",
    )
    ana = Owner(new_id(), "ana", "Ana", "UTC", None, "utc", 1, at, away)
    return Given(lead, request, 1, ana if owner else None)


def opened(promise: str, lead: Given | None = None, *, alerts: str = "") -> SlaClock:
    (clock,) = openings(lead or given(), promising(promise, alerts=alerts))
    return clock


@pytest.mark.parametrize("text", [PACT, TWO_PROMISES])
def test_moments_are_in_order_and_the_target_fits_between_start_and_due(text: str) -> None:
    pact, lead = parse_pact(text), given()
    clocks = openings(lead, pact)
    again = openings(lead, pact)
    assert clocks == [replace(one, id=clock.id) for one, clock in zip(again, clocks, strict=True)]
    for clock in clocks:
        moments = [clock.started_at, *(warning.at for warning in clock.warnings), clock.due_at]
        assert all(earlier < later for earlier, later in pairwise(moments))
        assert clock.used(clock.due_at, pact).total_seconds() == clock.target_seconds
        assert clock.next_at == moments[1]


def test_every_promise_that_applies_opens_a_clock_of_its_own() -> None:
    promises = {
        "everybody": "first_touch_within: 1 business day",
        "demo": "applies: {intent: demo_request}, first_touch_within: 1 business hour",
        "german": "applies: {country: DE}, first_touch_within: 3 hours",
        "american": "applies: {country: US}, first_touch_within: 4 hours",
    }
    text = BASE + "sla:\n" + "".join(f"  {name}: {{{promise}}}\n" for name, promise in promises.items())
    clocks = {one.policy: one for one in openings(given(), parse_pact(text))}
    assert list(clocks) == ["everybody", "demo", "german"]
    assert clocks["demo"].due_at == TUESDAY_MORNING + HOUR
    assert clocks["german"].due_at == TUESDAY_MORNING + 3 * HOUR
    assert clocks["everybody"].target_seconds == 8 * 3600


def test_what_is_there_already_is_not_opened_again() -> None:
    lead, pact = given(), parse_pact(TWO_PROMISES)
    first, second = openings(lead, pact)
    assert [one.policy for one in openings(lead, pact, {(first.subject_id, first.policy)})] == [second.policy]


@pytest.mark.parametrize(
    ("starts", "whose", "before"),
    [("assigned", "owner", 0), ("qualified", "team", 5), ("received", "customer", 15)],
)
def test_three_clocks_run_from_where_each_side_began_to_wait(starts: str, whose: str, before: int) -> None:
    lead = given(TUESDAY_MORNING + HOUR)
    clock = opened(f"starts: {starts}, first_touch_within: 2 business hours", lead)
    assert clock.whose == whose
    assert clock.started_at == TUESDAY_MORNING + HOUR - before * MINUTE
    assert clock.due_at == clock.started_at + 2 * HOUR
    belongs_to_ana = starts == "assigned"
    assert (clock.assignment_id is not None, clock.rep_id is not None) == (belongs_to_ana, belongs_to_ana)
    assert clock.subject_id == (clock.assignment_id or lead.request.id)


def test_a_lead_that_is_held_has_no_owners_clock_but_the_team_and_the_customer_wait() -> None:
    lead = given(owner=False)
    assert openings(lead, promising("first_touch_within: 2 business hours")) == []
    assert opened("starts: qualified, first_touch_within: 2 business hours", lead).whose == "team"


def test_wall_time_runs_through_the_night_whatever_the_calendar() -> None:
    clock = opened("first_touch_within: 24 hours, warn_at: [50%]")
    assert clock.due_at == TUESDAY_MORNING + 24 * HOUR
    assert clock.warnings[0].at == TUESDAY_MORNING + 12 * HOUR


def test_a_warning_comes_after_its_share_of_business_time_not_of_wall_time() -> None:
    afternoon = given(TUESDAY_MORNING + 6 * HOUR)  # Tuesday 15:00
    clock = opened("first_touch_within: 1 business day, warn_at: [50%], calendar: utc", afternoon)
    assert clock.warnings[0].at == TUESDAY_MORNING + 26 * HOUR  # Wednesday 11:00: two hours and two hours


def test_a_warning_may_count_from_the_end() -> None:
    clock = opened("first_touch_within: 2 business hours, warn_at: [50%, 15 business minutes left]")
    assert [(one.percent, one.at - TUESDAY_MORNING, one.left) for one in clock.warnings] == [
        (50, HOUR, None),
        (87.5, 105 * MINUTE, "15 business minutes left"),
    ]


def test_of_a_long_target_each_of_the_last_warnings_counts() -> None:
    """They lie within one percent of the time, as does the first of a target that is long beside it."""
    lefts = ("1 business hour", "30 business minutes", "15 business minutes")
    wanted = ", ".join(f"{left} left" for left in lefts)
    clock = opened(f"first_touch_within: 10 business days, warn_at: [98%, {wanted}]")
    assert [one.left for one in clock.warnings] == [None, *(f"{left} left" for left in lefts)]
    early = opened("first_touch_within: 101 business seconds, warn_at: [100 business seconds left]")
    assert early.next_at == early.warnings[0].at == early.started_at + timedelta(seconds=1)


def test_a_warning_that_would_come_at_the_start_is_none() -> None:
    # How long a business day is depends on the calendar: eight hours here.
    assert opened("first_touch_within: 1 business day, warn_at: [9 business hours left]").warnings == ()


def test_a_promise_that_only_announces_its_breach_asks_for_nothing_else() -> None:
    clock = opened("first_touch_within: 1 business hour")
    asked = (clock.reassign_at_most, clock.escalate_to, clock.take_offline, clock.give_back)
    assert asked == (None, None, False, False)


def test_what_a_breach_leads_to_goes_with_the_clock() -> None:
    acts = "{reassign: {at_most: 2}, then: {escalate: boss}, take_offline: true, give_back: true}"
    clock = opened(f"first_touch_within: 1 business hour, on_breach: {acts}")
    asked = (clock.reassign_at_most, clock.escalate_to, clock.take_offline, clock.give_back)
    assert asked == (2, "boss", True, True)


def test_a_lead_that_came_in_bulk_waits_for_its_turn() -> None:
    turn = TUESDAY_MORNING + 3 * HOUR
    lead = given()
    lead = replace(lead, request=replace(lead.request, released_at=turn))
    clock = opened("first_touch_within: 2 business hours", lead)
    assert (clock.state, clock.next_at, clock.due_at) == (ClockState.WAITING, turn, turn + 2 * HOUR)
    assert clock.released_at_pace


def test_the_next_owner_of_a_lead_that_came_in_bulk_does_not_wait_again() -> None:
    lead = given(TUESDAY_MORNING + 4 * HOUR)
    lead = replace(lead, request=replace(lead.request, released_at=TUESDAY_MORNING))
    clock = opened("first_touch_within: 2 business hours", lead)
    assert (clock.state, clock.started_at) == (ClockState.RUNNING, TUESDAY_MORNING + 4 * HOUR)
    assert clock.released_at_pace


def _away(from_: timedelta, to: timedelta) -> tuple[Away, ...]:
    return (Away(starts_at=TUESDAY_MORNING + from_, ends_at=TUESDAY_MORNING + to),)


def test_while_the_owner_is_away_the_clock_may_stand_still() -> None:
    lead = given(away=_away(HOUR, 3 * HOUR))
    assert opened("first_touch_within: 2 business hours", lead).due_at == TUESDAY_MORNING + 2 * HOUR
    paused = opened("first_touch_within: 2 business hours, owner_away: pause", lead)
    assert (paused.state, paused.due_at) == (ClockState.RUNNING, TUESDAY_MORNING + 4 * HOUR)


def test_when_the_owner_leaves_the_clock_may_hand_the_lead_on() -> None:
    lead = given(away=_away(HOUR, 3 * HOUR))
    leaving = opened("first_touch_within: 2 business hours, owner_away: reassign", lead)
    assert (leaving.leaves_at, leaving.away_until) == (TUESDAY_MORNING + HOUR, TUESDAY_MORNING + 3 * HOUR)
    assert (leaving.next_at, leaving.due_at) == (TUESDAY_MORNING + HOUR, TUESDAY_MORNING + 2 * HOUR)


def test_an_open_clock_can_be_timed_under_another_version() -> None:
    clock = opened("first_touch_within: 2 business hours, warn_at: [50%]")
    longer = under(clock, promising("first_touch_within: 4 business hours, warn_at: [25%]"), 2)
    assert (longer.id, longer.started_at, longer.pact_version) == (clock.id, clock.started_at, 2)
    assert (longer.due_at, longer.target) == (TUESDAY_MORNING + 4 * HOUR, "4 business hours")
    assert longer.next_at == TUESDAY_MORNING + HOUR
