"""Business time equals what one gets by looking at every second, on random calendars around awkward moments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from leadpact.domain.working_calendar import Interval, WorkingCalendar
from tests.support.second_stepper import SecondStepper

MODEST = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = 86_400

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


def spans(step: int, at_most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(0, at_most // step).map(lambda n: timedelta(seconds=n * step))


def pauses_after(
    start: datetime, lengths: Sequence[tuple[timedelta, timedelta]]
) -> list[tuple[datetime, datetime]]:
    return [(start + gap, start + gap + length) for gap, length in lengths]


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
    due = case.calendar.add(case.start, amount)
    assume(due - case.start < timedelta(days=9))
    assert due == case.stepper.add(case.start, amount)


@MODEST
@given(asked(step=60))
def test_open_and_next_open_are_what_the_wall_clock_says(case: Asked) -> None:
    assert case.calendar.is_open(case.start) == case.stepper.is_open(case.start)
    opens = case.calendar.next_open(case.start)
    assume(opens - case.start < timedelta(days=9))
    assert opens == case.stepper.next_open(case.start)


@MODEST
@given(
    asked(step=60),
    spans(60, DAY),
    st.lists(st.tuples(spans(60, 2 * DAY), spans(60, DAY)), min_size=1, max_size=3),
)
def test_paused_minutes_do_not_count(
    case: Asked, amount: timedelta, lengths: list[tuple[timedelta, timedelta]]
) -> None:
    calendar, stepper, start = case
    pauses = pauses_after(start - timedelta(hours=6), lengths)
    end = start + timedelta(days=1)
    assert calendar.between(start, end, pauses=pauses) == stepper.between(start, end, pauses)
    assert calendar.intervals(start, end, pauses=pauses) == stepper.intervals(start, end, pauses)
    due = calendar.add(start, amount, pauses=pauses)
    assume(due - start < timedelta(days=9))
    assert due == stepper.add(start, amount, pauses)


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
