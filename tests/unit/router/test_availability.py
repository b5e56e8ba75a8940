"""Who can be given a lead, and the one reason why somebody cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leadpact.pact.read import parse_pact
from leadpact_router.availability import Absence, Limits, Load, PassedOver, Rep, away, opens_at, over_limit
from leadpact_router.calendars import RepCalendars
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.leads import floor, rep
from tests.support.pacts import SMALL_PACT

PACT = parse_pact(SMALL_PACT)
HOUR = timedelta(hours=1)


def absent(start: int, end: int) -> Absence:
    """Away from ``start`` to ``end`` hours from now."""
    return Absence(TUESDAY_MORNING + start * HOUR, TUESDAY_MORNING + end * HOUR)


@pytest.mark.parametrize(
    ("absences", "until"),
    [
        ((), None),
        ((absent(-2, 0),), None),
        ((absent(1, 2),), None),
        ((absent(-1, 2),), "away until Tue 2026-03-03 11:00 (UTC)"),
        ((absent(-1, 2), absent(2, 5)), "away until Tue 2026-03-03 14:00 (UTC)"),
        ((absent(2, 5), absent(-1, 3)), "away until Tue 2026-03-03 14:00 (UTC)"),
        ((absent(-1, 2), absent(3, 5)), "away until Tue 2026-03-03 11:00 (UTC)"),
    ],
)
def test_an_absence_covers_its_start_and_not_its_end(
    absences: tuple[Absence, ...], until: str | None
) -> None:
    found = away(rep("ana", absences=absences), TUESDAY_MORNING)
    assert (found.because if found else None) == until


@pytest.mark.parametrize(
    ("load", "limits", "reason"),
    [
        (Load(100, 100), Limits(), None),
        (Load(3, 9), Limits(open=4), None),
        (Load(4, 9), Limits(open=4), "at the open limit: 4 of 4 untouched"),
        (Load(0, 12), Limits(open=4, daily=12), "at the daily limit: 12 of 12 today"),
        (Load(4, 12), Limits(open=4, daily=12), "at the daily limit: 12 of 12 today"),
    ],
)
def test_who_has_reached_a_limit_is_passed_over(load: Load, limits: Limits, reason: str | None) -> None:
    found = over_limit(load, limits)
    assert (found.because if found else None) == reason


def test_of_two_limits_the_lower_holds() -> None:
    assert Limits(4, None).narrowed(Limits(9, 2)) == Limits(4, 2)
    assert Limits(4, 3).narrowed(Limits(None, 5)) == Limits(4, 3)


@pytest.mark.parametrize(
    ("who", "excluded", "kind"),
    [
        (None, (), "not on the roster"),
        (rep("ana", active=False, absences=(absent(-1, 1),)), ("ana",), "inactive"),
        (rep("ana", absences=(absent(-1, 1),)), ("ana",), "had it before"),
        (rep("ana", absences=(absent(-1, 1),), daily_limit=1), (), "away"),
        (rep("ana", daily_limit=1, open_limit=1), (), "at the daily limit"),
        (rep("ana", open_limit=1), (), "at the open limit"),
        (rep("ana"), (), None),
    ],
)
def test_the_first_reason_that_holds_is_the_one_shown(
    who: Rep | None, excluded: tuple[str, ...], kind: str | None
) -> None:
    known = floor(PACT, *([who] if who else []), loads={"ana": Load(1, 1)})
    found = known.why_not(who, Limits(), excluded)
    assert (found.kind if found else None) == kind
    assert found is None or isinstance(found, PassedOver)


def test_a_rep_without_a_calendar_keeps_the_pools_hours_in_their_own_zone() -> None:
    calendars = RepCalendars(PACT)
    night = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    berlin, lisbon = rep("ana", "Europe/Berlin"), rep("ben", "Europe/Lisbon")
    assert opens_at(berlin, calendars.of(berlin, "dach"), night) == datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    assert opens_at(lisbon, calendars.of(lisbon, "dach"), night) == datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


def test_a_rep_with_a_calendar_of_the_pact_keeps_it_and_one_that_is_gone_does_not_matter() -> None:
    calendars = RepCalendars(PACT)
    own = rep("ana", "America/New_York", calendar="dach")
    assert calendars.of(own, "dach") is PACT.calendars["dach"].build()
    assert calendars.of(replace(own, calendar="gone"), "dach").timezone == "America/New_York"


def test_somebody_whose_leave_begins_before_they_open_opens_after_it() -> None:
    calendars = RepCalendars(PACT)
    night = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
    ana = rep(
        "ana", "Europe/Berlin", absences=(Absence(night + 2 * HOUR, datetime(2026, 3, 4, 10, 0, tzinfo=UTC)),)
    )
    assert opens_at(ana, calendars.of(ana, "dach"), night) == datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
