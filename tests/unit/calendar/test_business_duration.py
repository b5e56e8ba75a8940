"""Durations say whether they are working time, and are refused when they do not."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leadpact.domain.business_duration import BusinessDuration, WallDuration, parse_duration, say
from leadpact.domain.working_calendar import ALWAYS_OPEN, Interval, WorkingCalendar

BERLIN = ZoneInfo("Europe/Berlin")
FULL, FRIDAY = [Interval(9 * 3600, 17 * 3600)], [Interval(9 * 3600, 16 * 3600)]
OFFICE = WorkingCalendar("Europe/Berlin", {0: FULL, 1: FULL, 2: FULL, 3: FULL, 4: FRIDAY})
FRIDAY_AFTERNOON = datetime(2026, 11, 20, 15, 0, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("1 business hour", datetime(2026, 11, 20, 16, 0, tzinfo=BERLIN)),
        ("2 business hours", datetime(2026, 11, 23, 10, 0, tzinfo=BERLIN)),
        ("90 business minutes", datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN)),
        ("3601 business seconds", datetime(2026, 11, 23, 9, 0, 1, tzinfo=BERLIN)),
        ("1.5 business hours", datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN)),
        ("1 business day", datetime(2026, 11, 23, 16, 0, tzinfo=BERLIN)),
        ("0.5 business days", datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN)),
        ("2 business days", datetime(2026, 11, 24, 16, 0, tzinfo=BERLIN)),
        ("1 business day and 2 business hours", datetime(2026, 11, 24, 10, 0, tzinfo=BERLIN)),
        ("  2  Business   HOURS ", datetime(2026, 11, 23, 10, 0, tzinfo=BERLIN)),
    ],
)
def test_business_time_counts_while_the_calendar_is_open(text: str, due: datetime) -> None:
    duration = parse_duration(text)
    assert isinstance(duration, BusinessDuration)
    assert duration.due(FRIDAY_AFTERNOON, OFFICE) == due


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("24 hours", timedelta(hours=24)),
        ("1 hour", timedelta(hours=1)),
        ("15 minutes", timedelta(minutes=15)),
        ("90 seconds", timedelta(seconds=90)),
        ("1 hour and 30 minutes", timedelta(minutes=90)),
    ],
)
def test_without_the_word_business_every_second_counts(text: str, time: timedelta) -> None:
    duration = parse_duration(text)
    assert isinstance(duration, WallDuration)
    assert duration.due(FRIDAY_AFTERNOON, OFFICE) == FRIDAY_AFTERNOON + time


def test_24_hours_and_1_business_day_are_never_the_same() -> None:
    day, hours = parse_duration("1 business day"), parse_duration("24 hours")
    assert day.length(OFFICE) == timedelta(hours=8)
    assert hours.length(OFFICE) == timedelta(hours=24)
    assert day.runs_on(OFFICE) is OFFICE
    assert hours.runs_on(OFFICE) is ALWAYS_OPEN


def test_wall_time_is_elapsed_time_when_the_clocks_change() -> None:
    saturday_evening = datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN)
    assert parse_duration("12 hours").due(saturday_evening, OFFICE) == datetime(
        2026, 10, 25, 7, 0, tzinfo=BERLIN
    )


@pytest.mark.parametrize(
    ("text", "one_reading", "other_reading"),
    [
        ("1 day", "24 hours", "1 business day"),
        ("2 days", "48 hours", "2 business days"),
        ("1.5 days", "36 hours", "1.5 business days"),
        ("1 week", "168 hours", "5 business days"),
        ("2h", "2 hours", "2 business hours"),
        ("15 min", "15 minutes", "15 business minutes"),
        ("3d", "72 hours", "3 business days"),
        ("1 day and 10 business hours", "24 hours", "1 business day"),
    ],
)
def test_an_ambiguous_word_is_refused_with_both_readings(
    text: str, one_reading: str, other_reading: str
) -> None:
    with pytest.raises(ValueError, match=f"could be {one_reading} or {other_reading}; say which"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("24 hours and 1 business hour", "mixes business time and wall time"),
        ("0 business hours", "no time at all"),
        ("0.0001 hours", "not a whole number of seconds"),
        ("soon", "is not a duration"),
        ("1 hour 30 minutes", "did you mean '1 hour and 30 minutes'?"),
        ("2 Working days", "did you mean '2 business days'?"),
        ("1,5 business hours", "did you mean '1.5 business hours'?"),
        ("3 working weeks", "is not a duration such as '2 business hours', '1 business day' or '24 hours'$"),
        ("", "is not a duration"),
        ("-2 business hours", "is not a duration"),
        ("2 business weeks", "is not a duration"),
        ("two business hours", "is not a duration"),
        ("99999999 hours", "is not a duration"),
        ("١ hours", "is not a duration"),
    ],
)
def test_what_is_not_a_usable_duration_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


def test_pauses_push_the_deadline_out() -> None:
    pause = (FRIDAY_AFTERNOON, datetime(2026, 11, 23, 9, 30, tzinfo=BERLIN))
    due = parse_duration("30 business minutes").due(FRIDAY_AFTERNOON, OFFICE, pauses=(pause,))
    assert due == datetime(2026, 11, 23, 10, 0, tzinfo=BERLIN)


@pytest.mark.parametrize(
    "text", ["2 business hours", "1 business day and 2 business hours", "24 hours", "1.5 business hours"]
)
def test_a_duration_prints_as_words_that_read_back_the_same(text: str) -> None:
    assert str(parse_duration(text)) == text
    assert parse_duration(str(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(minutes=40), "40 min"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=39), "39 h"),
        (timedelta(hours=1, seconds=5), "1 h 5 s"),
        (timedelta(0), "0 min"),
    ],
)
def test_lengths_are_said_for_people(time: timedelta, words: str) -> None:
    assert say(time) == words
