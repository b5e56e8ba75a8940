"""Whose hours count: a table of what the promise says and what is known of the owner."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from leadpact.pact.read import parse_pact
from leadpact_sla_timer.hours import hours_for
from tests.support.assignments import PACT, assigned

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
    ],
)
def test_the_hours_that_count_are_those_the_promise_means(
    choice: str, rep_calendar: str | None, pool_calendar: str | None, counts: tuple[str, str]
) -> None:
    lead = assigned(rep_calendar=rep_calendar, pool_calendar=pool_calendar, rep_timezone="Asia/Tokyo")
    hours = hours_for(choice, lead, CALENDARS)
    assert (hours.calendar, hours.timezone) == counts
    assert hours.working.timezone == counts[1]


def test_the_pools_hours_in_the_reps_zone_open_by_the_reps_wall() -> None:
    lead = assigned(rep_calendar=None, pool_calendar="berlin", rep_timezone="Asia/Tokyo")
    hours = hours_for("rep", lead, CALENDARS)
    assert hours.working.is_open(
        datetime(2026, 3, 3, 0, tzinfo=UTC)
    )  # 09:00 in Tokyo, one in the night in Berlin
    assert not hours.working.is_open(datetime(2026, 3, 3, 9, tzinfo=UTC))
