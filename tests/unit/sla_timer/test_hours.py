"""Whose hours count: a table of what the promise says and what is known of the owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadpact.pact.read import parse_pact
from leadpact_sla_timer.hours import Whereabouts, hours_for
from tests.support.assignments import PACT

CALENDARS = parse_pact(PACT).calendars


@pytest.mark.parametrize(
    ("choice", "rep_calendar", "pool_calendar", "counts"),
    [
        ("new-york", "berlin", "utc", ("new-york", "America/New_York")),
        ("pool", "new-york", "berlin", ("berlin", "Europe/Berlin")),
        ("rep", "new-york", "berlin", ("new-york", "America/New_York")),
        # Without a calendar of their own: the pool's hours, in the rep's zone.
        ("rep", None, "berlin", ("berlin", "Asia/Tokyo")),
        # Without a pool: the owner's calendar, else the first of the pact in the owner's zone.
        ("pool", "new-york", None, ("new-york", "America/New_York")),
        ("pool", None, None, ("utc", "Asia/Tokyo")),
        ("rep", None, None, ("utc", "Asia/Tokyo")),
        # A calendar that this version of the pact does not have counts as none.
        ("rep", "mars", "berlin", ("berlin", "Asia/Tokyo")),
        ("pool", None, "mars", ("utc", "Asia/Tokyo")),
        # The lead's day: the pool's hours, where the lead is.
        ("lead", "new-york", "berlin", ("berlin", "America/Denver")),
        ("lead", None, None, ("utc", "America/Denver")),
    ],
)
def test_the_hours_that_count_are_those_the_promise_means(
    choice: str, rep_calendar: str | None, pool_calendar: str | None, counts: tuple[str, str]
) -> None:
    where = Whereabouts(pool_calendar, rep_calendar, "Asia/Tokyo", "America/Denver")
    hours = hours_for((choice,), where, CALENDARS)
    assert (hours.calendar, hours.timezone) == counts
    assert hours.working.timezone == counts[1]


def test_the_pools_hours_in_the_reps_zone_open_by_the_reps_wall() -> None:
    hours = hours_for(("rep",), Whereabouts("berlin", None, "Asia/Tokyo"), CALENDARS)
    assert hours.working.is_open(
        datetime(2026, 3, 3, 0, tzinfo=UTC)
    )  # 09:00 in Tokyo, one in the night in Berlin
    assert not hours.working.is_open(datetime(2026, 3, 3, 9, tzinfo=UTC))


def test_the_day_of_a_lead_that_nobody_can_place_is_the_pools_own() -> None:
    hours = hours_for(("lead",), Whereabouts("berlin"), CALENDARS)
    assert (hours.calendar, hours.timezone) == ("berlin", "Europe/Berlin")


def test_a_team_without_owner_keeps_the_first_calendar_if_it_has_none() -> None:
    hours = hours_for(("pool",), Whereabouts("mars"), CALENDARS)
    assert (hours.calendar, hours.timezone) == ("utc", "UTC")


def test_of_two_calendars_only_the_hours_count_in_which_both_are_open() -> None:
    hours = hours_for(("rep", "lead"), Whereabouts("berlin", "berlin", "UTC", "America/New_York"), CALENDARS)
    assert (hours.calendar, hours.timezone) == ("berlin", "Europe/Berlin")
    assert (hours.shared_calendar, hours.shared_timezone) == ("berlin", "America/New_York")
    winter = datetime(2026, 2, 3, 12, tzinfo=UTC)  # 13:00 in Berlin, 07:00 in New York
    assert hours.working.next_open(winter) == datetime(2026, 2, 3, 14, tzinfo=UTC)
    assert hours.working.between(winter, winter.replace(hour=20)) == timedelta(hours=2)


def test_of_two_calendars_that_never_meet_the_first_counts_alone() -> None:
    hours = hours_for(("rep", "lead"), Whereabouts("berlin", "berlin", "UTC", "Pacific/Auckland"), CALENDARS)
    assert (hours.calendar, hours.timezone, hours.shared_calendar) == ("berlin", "Europe/Berlin", None)
