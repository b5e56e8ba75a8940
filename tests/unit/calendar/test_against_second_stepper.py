"""Business time equals what one gets by looking at every second, on random calendars around awkward moments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, cycle
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from leadpact.domain.working_calendar import Interval, WorkingCalendar
from tests.support.second_stepper import SecondStepper

MODEST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86_400

Pauses = Sequence[tuple[datetime, datetime]]

# A zone and a UTC moment near which its wall clock does something.
AWKWARD = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Europe/Dublin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(1985, 12, 31, 18, 30, tzinfo=UTC)),
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2025, 2, 23, 2, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2025, 4, 6, 2, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Asia/Gaza", datetime(2011, 7, 31, 21, tzinfo=UTC)),
    ("Pacific/Chatham", datetime(2026, 4, 4, 14, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Asia/Tehran", datetime(2022, 9, 21, 19, 30, tzinfo=UTC)),
    ("UTC", datetime(2028, 2, 29, tzinfo=UTC)),
    ("Pacific/Auckland", datetime(2026, 12, 31, 12, tzinfo=UTC)),
    ("Pacific/Pago_Pago", datetime(2027, 1, 1, 6, tzinfo=UTC)),
]


class Asked(NamedTuple):
    """One calendar, told to both, and an instant from which to ask."""

    calendar: WorkingCalendar
    stepper: SecondStepper
    start: datetime


def shifts(step: int) -> st.SearchStrategy[list[Interval]]:
    """Up to three shifts of a day that do not overlap; the last may run over midnight."""
    edge = st.integers(0, (DAY + DAY // 3) // step).map(lambda n: n * step)
    edges = st.lists(edge, min_size=2, max_size=6, unique=True).map(sorted)
    return edges.map(
        lambda at: [
            Interval(opens, closes)
            for opens, closes in zip(at[::2], at[1::2], strict=False)
            if opens < DAY and closes <= opens + DAY
        ]
    )


def days_near(moment: datetime) -> st.SearchStrategy[date]:
    return st.integers(-4, 4).map(lambda n: moment.date() + timedelta(days=n))


@st.composite
def asked(draw: st.DrawFn, step: int) -> Asked:
    zone, moment = draw(st.sampled_from(AWKWARD))
    weekly = draw(st.dictionaries(st.integers(0, 6), shifts(step), min_size=1))
    holidays = draw(st.sets(days_near(moment), max_size=5))
    exceptions = draw(st.dictionaries(days_near(moment), shifts(step), max_size=3))
    try:
        calendar = WorkingCalendar(zone, weekly, holidays=holidays, exceptions=exceptions)
    except ValueError:  # overlaps over midnight, or never open
        assume(False)
    away = draw(st.integers(-(DAY + DAY // 2) // step, DAY // step))
    start = moment + timedelta(seconds=away * step)
    return Asked(calendar, SecondStepper(zone, weekly, holidays, exceptions, step), start)


@st.composite
def asked_to_the_second(draw: st.DrawFn) -> Asked:
    """Short shifts, at the same seconds of every day, close around the moment at which the clock does something."""
    zone, moment = draw(st.sampled_from(AWKWARD))
    pattern = draw(st.lists(st.tuples(seconds(1, HOUR), seconds(10 * MINUTE, HOUR)), min_size=1, max_size=4))
    wall = moment.astimezone(ZoneInfo(zone))
    at = wall.hour * HOUR + wall.minute * MINUTE - HOUR
    until = at + 5 * HOUR
    hours = []
    for gap, length in cycle(pattern):
        if at > until:
            break
        opens = (at + gap) % DAY
        hours.append(Interval(opens, opens + length))
        at += gap + length
    weekly = dict.fromkeys(range(7), hours)
    start = moment + timedelta(seconds=draw(seconds(-HOUR, HOUR)))
    return Asked(WorkingCalendar(zone, weekly), SecondStepper(zone, weekly), start)


@st.composite
def closed_for_long(draw: st.DrawFn) -> Asked:
    """Weeks in which every day is closed, but for one or two that may be opened after all."""
    zone, moment = draw(st.sampled_from([(zone, at) for zone, at in AWKWARD if not at.timestamp() % QUARTER]))
    weekly = draw(st.dictionaries(st.integers(0, 6), shifts(QUARTER), min_size=1))
    first = draw(days_near(moment))
    closed = [first + timedelta(days=n) for n in range(draw(st.integers(9, 70)))]
    opened = draw(st.dictionaries(st.sampled_from(closed), shifts(QUARTER), max_size=2))
    exceptions = opened if (by_holidays := draw(st.booleans())) else dict.fromkeys(closed, ()) | opened
    try:
        calendar = WorkingCalendar(
            zone, weekly, holidays=closed if by_holidays else (), exceptions=exceptions
        )
    except ValueError:  # overlaps over midnight, or never open
        assume(False)
    start = moment + timedelta(seconds=draw(seconds(-3 * DAY, 20 * DAY, step=QUARTER)))
    return Asked(calendar, SecondStepper(zone, weekly, closed, exceptions, QUARTER), start)


def seconds(at_least: int, at_most: int, *, step: int = 1) -> st.SearchStrategy[int]:
    return st.integers(at_least // step, at_most // step).map(lambda n: n * step)


def spans(step: int, at_most: int) -> st.SearchStrategy[timedelta]:
    return seconds(0, at_most, step=step).map(lambda n: timedelta(seconds=n))


def pauses_after(start: datetime, lengths: Sequence[tuple[timedelta, timedelta]]) -> Pauses:
    return [(start + gap, start + gap + length) for gap, length in lengths]


def some_pauses(step: int, within: int) -> st.SearchStrategy[list[tuple[timedelta, timedelta]]]:
    """How long after something each pause begins, and how long it is."""
    return st.lists(st.tuples(spans(step, within), spans(step, within // 2)), min_size=1, max_size=3)


def in_reach(case: Asked, amount: timedelta, within: timedelta, pauses: Pauses = ()) -> timedelta:
    """As much of an amount as the time ahead has, or stepping to its end would take too long."""
    return min(amount, case.calendar.between(case.start, case.start + within, pauses=pauses))


@MODEST
@given(asked(step=60), spans(60, 3 * DAY))
def test_time_between_is_the_open_seconds_counted_one_by_one(case: Asked, span: timedelta) -> None:
    end = case.start + span
    assert case.calendar.between(case.start, end) == case.stepper.between(case.start, end)


@MODEST
@given(asked(step=1), spans(1, 2 * 3600))
def test_time_between_is_exact_to_the_second(case: Asked, span: timedelta) -> None:
    end = case.start + span
    assert case.calendar.between(case.start, end) == case.stepper.between(case.start, end)


@MODEST
@given(asked(step=60), spans(60, 3 * DAY))
def test_the_open_intervals_are_those_seen_minute_by_minute(case: Asked, span: timedelta) -> None:
    end = case.start + span
    assert case.calendar.intervals(case.start, end) == case.stepper.intervals(case.start, end)


@MODEST
@given(asked(step=60), spans(60, DAY))
def test_a_deadline_is_where_counting_open_minutes_ends(case: Asked, amount: timedelta) -> None:
    amount = in_reach(case, amount, timedelta(days=9))
    assert case.calendar.add(case.start, amount) == case.stepper.add(case.start, amount)


@MODEST
@given(asked(step=60))
def test_open_and_next_open_are_what_the_wall_clock_says(case: Asked) -> None:
    assert case.calendar.is_open(case.start) == case.stepper.is_open(case.start)
    assert case.calendar.next_open(case.start) == case.stepper.next_open(case.start)


@MODEST
@given(asked(step=60), some_pauses(60, 2 * DAY))
def test_a_pause_is_closed_and_what_opens_after_it_is_what_the_wall_clock_says(
    case: Asked, lengths: list[tuple[timedelta, timedelta]]
) -> None:
    calendar, stepper, start = case
    pauses = pauses_after(start - timedelta(hours=6), lengths)
    for at in [start, *chain(*pauses)]:
        assert calendar.is_open(at, pauses=pauses) == stepper.is_open(at, pauses)
        assert calendar.next_open(at, pauses=pauses) == stepper.next_open(at, pauses)


@MODEST
@given(asked(step=60), spans(60, DAY), some_pauses(60, 2 * DAY))
def test_paused_minutes_do_not_count(
    case: Asked, amount: timedelta, lengths: list[tuple[timedelta, timedelta]]
) -> None:
    calendar, stepper, start = case
    pauses = pauses_after(start - timedelta(hours=6), lengths)
    end = start + timedelta(days=1)
    assert calendar.between(start, end, pauses=pauses) == stepper.between(start, end, pauses)
    assert calendar.intervals(start, end, pauses=pauses) == stepper.intervals(start, end, pauses)
    amount = in_reach(case, amount, timedelta(days=9), pauses)
    assert calendar.add(start, amount, pauses=pauses) == stepper.add(start, amount, pauses)


@MODEST
@given(asked_to_the_second(), spans(1, HOUR), spans(1, HOUR), some_pauses(1, HOUR))
def test_every_answer_is_exact_to_the_second(
    case: Asked, amount: timedelta, span: timedelta, lengths: list[tuple[timedelta, timedelta]]
) -> None:
    calendar, stepper, start = case
    end = start + span
    for pauses in (), pauses_after(start - timedelta(minutes=10), lengths):
        assert calendar.is_open(start, pauses=pauses) == stepper.is_open(start, pauses)
        assert calendar.next_open(start, pauses=pauses) == stepper.next_open(start, pauses)
        assert calendar.between(start, end, pauses=pauses) == stepper.between(start, end, pauses)
        assert calendar.intervals(start, end, pauses=pauses) == stepper.intervals(start, end, pauses)
        short = in_reach(case, amount, timedelta(hours=3), pauses)
        assert calendar.add(start, short, pauses=pauses) == stepper.add(start, short, pauses)


@MODEST
@given(closed_for_long(), spans(QUARTER, DAY // 2), spans(QUARTER, 70 * DAY), some_pauses(QUARTER, 40 * DAY))
def test_weeks_without_an_open_day_are_waited_out(
    case: Asked, amount: timedelta, span: timedelta, lengths: list[tuple[timedelta, timedelta]]
) -> None:
    calendar, stepper, start = case
    end = start + span
    for pauses in (), pauses_after(start - timedelta(days=5), lengths):
        assert calendar.is_open(start, pauses=pauses) == stepper.is_open(start, pauses)
        assert calendar.next_open(start, pauses=pauses) == stepper.next_open(start, pauses)
        assert calendar.between(start, end, pauses=pauses) == stepper.between(start, end, pauses)
        assert calendar.intervals(start, end, pauses=pauses) == stepper.intervals(start, end, pauses)
        near = in_reach(case, amount, timedelta(days=120), pauses)
        assert calendar.add(start, near, pauses=pauses) == stepper.add(start, near, pauses)


@MODEST
@given(asked(step=60), asked(step=60), spans(60, 2 * DAY))
def test_shared_hours_are_the_minutes_in_which_both_are_open(
    one: Asked, other: Asked, span: timedelta
) -> None:
    try:
        both = one.calendar.intersect(other.calendar)
    except ValueError:  # they share no hours
        assume(False)
    end = one.start + span
    open_minutes = [
        at
        for n in range(span // timedelta(minutes=1))
        if one.stepper.is_open(at := one.start + timedelta(minutes=n)) and other.stepper.is_open(at)
    ]
    assert both.between(one.start, end) == timedelta(minutes=len(open_minutes))
    assert both.is_open(one.start) == (one.stepper.is_open(one.start) and other.stepper.is_open(one.start))


@MODEST
@given(asked(step=60), spans(1, DAY // 4))
@example(
    Asked(
        WorkingCalendar("UTC", {0: [Interval(0, 1)]}),
        SecondStepper("UTC", {}),
        datetime(2026, 1, 1, tzinfo=UTC),
    ),
    timedelta(seconds=300),
)
def test_exactly_the_added_time_lies_before_a_deadline(case: Asked, amount: timedelta) -> None:
    assume(amount)
    due = case.calendar.add(case.start, amount)
    assert case.calendar.between(case.start, due) == amount
    just_before = due - timedelta(microseconds=1)
    assert case.calendar.between(case.start, just_before) == amount - timedelta(microseconds=1)


@MODEST
@given(asked(step=60), spans(60, 20 * DAY), spans(60, 20 * DAY))
def test_time_between_adds_up_over_a_stop_on_the_way(case: Asked, one: timedelta, two: timedelta) -> None:
    a, b, c = case.start, case.start + one, case.start + one + two
    between = case.calendar.between
    assert between(a, c) == between(a, b) + between(b, c)


@pytest.mark.parametrize(("zone", "moment"), AWKWARD)
def test_around_the_clock_loses_and_gains_nothing(zone: str, moment: datetime) -> None:
    always = WorkingCalendar(zone, {weekday: [Interval(0, DAY)] for weekday in range(7)})
    a, b = moment - timedelta(days=3), moment + timedelta(days=3)
    assert always.between(a, b) == b - a
    assert always.intervals(a, b) == [(a, b)]
