"""What a working calendar refuses, keeps and promises beside its arithmetic."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Barrier, Event
from zoneinfo import ZoneInfo

import pytest

from leadpact.domain.working_calendar import ALWAYS_OPEN, Interval, WorkingCalendar

HOUR = 3600
OFFICE_DAY = [Interval(9 * HOUR, 17 * HOUR)]
OFFICE_WEEK = dict.fromkeys(range(5), OFFICE_DAY)
BERLIN = ZoneInfo("Europe/Berlin")


def office(timezone: str = "Europe/Berlin") -> WorkingCalendar:
    return WorkingCalendar(timezone, OFFICE_WEEK)


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[arg-type, misc]  # year, month, day and so on


def every_day(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=n) for n in range(365 + (year % 4 == 0))]


# Refusals


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "../etc/passwd", "America", "+01:00"])
def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone of the IANA database"):
        WorkingCalendar(zone, OFFICE_WEEK)


@pytest.mark.parametrize(
    "day",
    [
        [Interval(9 * HOUR, 9 * HOUR)],
        [Interval(17 * HOUR, 9 * HOUR)],
        [Interval(-1, HOUR)],
        [Interval(24 * HOUR, 25 * HOUR)],
        [Interval(12 * HOUR, 36 * HOUR + 1)],
    ],
)
def test_an_interval_starts_on_its_day_and_lasts_up_to_24_hours(day: list[Interval]) -> None:
    with pytest.raises(ValueError, match="an interval"):
        WorkingCalendar("UTC", {0: day})
    with pytest.raises(ValueError, match="an interval"):
        WorkingCalendar("UTC", OFFICE_WEEK, exceptions={date(2026, 12, 24): day})


def test_an_interval_may_end_at_24_00_and_not_begin_there() -> None:
    with pytest.raises(ValueError, match="not at 24:00"):
        WorkingCalendar("UTC", {0: [Interval(24 * HOUR, 30 * HOUR)]})


def test_overlapping_intervals_of_a_day_are_refused_with_both_times() -> None:
    with pytest.raises(ValueError, match="ends 17:00, the next starts 12:00"):
        WorkingCalendar("UTC", {0: [*OFFICE_DAY, Interval(12 * HOUR, 18 * HOUR)]})


def test_a_night_shift_that_runs_into_the_next_days_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="ends Tuesday 06:00, the next starts Tuesday 05:00"):
        WorkingCalendar("UTC", {0: [Interval(22 * HOUR, 30 * HOUR)], 1: [Interval(5 * HOUR, 9 * HOUR)]})


def test_sundays_night_shift_may_not_run_into_mondays_hours_either() -> None:
    with pytest.raises(ValueError, match="ends Monday 06:00, the next starts Monday 05:00"):
        WorkingCalendar("UTC", {6: [Interval(22 * HOUR, 30 * HOUR)], 0: [Interval(5 * HOUR, 9 * HOUR)]})


def test_shifts_that_only_touch_are_one_open_span() -> None:
    calendar = WorkingCalendar(
        "UTC", {0: [Interval(22 * HOUR, 30 * HOUR)], 1: [Interval(6 * HOUR, 9 * HOUR)]}
    )
    monday, wednesday = datetime(2026, 11, 16, tzinfo=UTC), datetime(2026, 11, 18, tzinfo=UTC)
    assert calendar.intervals(monday, wednesday) == [
        (datetime(2026, 11, 16, 22, tzinfo=UTC), datetime(2026, 11, 17, 9, tzinfo=UTC))
    ]


@pytest.mark.parametrize("weekday", [-1, 7])
def test_weekdays_are_0_to_6(weekday: int) -> None:
    with pytest.raises(ValueError, match="0 for Monday to 6 for Sunday"):
        WorkingCalendar("UTC", {weekday: OFFICE_DAY})


@pytest.mark.parametrize(
    "never_open",
    [
        lambda: WorkingCalendar("UTC", {}),
        lambda: WorkingCalendar("UTC", {0: []}),
        lambda: WorkingCalendar("UTC", OFFICE_WEEK, holidays=every_day),
        lambda: WorkingCalendar(
            "UTC", OFFICE_WEEK, holidays=[day for year in (2031, 2032, 2033) for day in every_day(year)]
        ),
        lambda: WorkingCalendar("UTC", {}, exceptions={date(2026, 12, 24): OFFICE_DAY}),
        lambda: WorkingCalendar("UTC", {0: OFFICE_DAY}).intersect(WorkingCalendar("UTC", {1: OFFICE_DAY})),
    ],
)
def test_a_calendar_that_stays_closed_for_two_years_is_refused_when_made(
    never_open: Callable[[], WorkingCalendar],
) -> None:
    with pytest.raises(ValueError, match="closed for more than two years"):
        never_open()


def test_a_year_without_a_single_opening_is_allowed() -> None:
    sabbatical = WorkingCalendar("Europe/Berlin", OFFICE_WEEK, holidays=every_day(2031))
    assert sabbatical.add(berlin(2030, 12, 31, 16), timedelta(hours=2)) == berlin(2032, 1, 1, 10)


@pytest.mark.parametrize("year", [1969, 2200, 9999])
def test_dates_outside_1970_to_2199_are_refused(year: int) -> None:
    with pytest.raises(ValueError, match="1970 to 2199"):
        WorkingCalendar("UTC", OFFICE_WEEK, holidays=[date(year, 12, 24)])
    with pytest.raises(ValueError, match="1970 to 2199"):
        office().is_open(datetime(year, 12, 24, tzinfo=UTC))


def test_a_deadline_beyond_2199_is_refused_rather_than_searched_for() -> None:
    with pytest.raises(ValueError, match="1970 to 2199"):
        office().add(berlin(2026, 1, 1), timedelta(days=365 * 60))


def test_naive_times_are_refused_everywhere() -> None:
    naive, aware = datetime(2026, 11, 16, 9), berlin(2026, 11, 16, 9)  # noqa: DTZ001 - refusing it is the test
    calendar = office()
    questions: list[Callable[[], object]] = [
        lambda: calendar.add(naive, timedelta(hours=1)),
        lambda: calendar.between(naive, aware),
        lambda: calendar.between(aware, naive),
        lambda: calendar.is_open(naive),
        lambda: calendar.next_open(naive),
        lambda: calendar.intervals(aware, naive),
        lambda: calendar.add(aware, timedelta(hours=1), pauses=[(naive, aware)]),
    ]
    for question in questions:
        with pytest.raises(ValueError, match="has no time zone"):
            question()


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="a deadline lies ahead"):
        office().add(berlin(2026, 11, 16, 9), timedelta(seconds=-1))


def test_a_pause_that_ends_before_it_starts_is_refused() -> None:
    early, late = berlin(2026, 11, 16, 9), berlin(2026, 11, 16, 10)
    with pytest.raises(ValueError, match="a pause ends after it starts"):
        office().between(early, late, pauses=[(late, early)])


# Promises


def test_results_are_in_utc_whatever_zone_the_question_is_in() -> None:
    start = datetime(2026, 11, 20, 16, 30, tzinfo=timezone(timedelta(hours=1)))
    due = office().add(start, timedelta(hours=1))
    assert due == berlin(2026, 11, 23, 9, 30)
    assert due.tzinfo is UTC


def test_microseconds_are_kept() -> None:
    start = berlin(2026, 11, 20, 16, 59, 59, 999_999)
    assert office().add(start, timedelta(microseconds=2)) == berlin(2026, 11, 23, 9, 0, 0, 1)
    assert office().between(start, berlin(2026, 11, 23, 9, 0, 0, 1)) == timedelta(microseconds=2)


def test_the_calendars_own_zone_decides_not_that_of_the_caller() -> None:
    at = datetime(2026, 11, 16, 8, 30, tzinfo=UTC)
    assert office("Europe/Berlin").is_open(at)
    assert not office("America/New_York").is_open(at)


def test_holidays_by_rule_are_asked_once_per_year_and_only_for_years_in_question() -> None:
    asked: list[int] = []

    def new_year(year: int) -> list[date]:
        asked.append(year)
        return [date(year, 1, 1)]

    calendar = WorkingCalendar("Europe/Berlin", OFFICE_WEEK, holidays=new_year)
    assert not calendar.is_open(berlin(2026, 1, 1, 10))
    assert not calendar.is_open(berlin(2027, 1, 1, 10))
    assert len(asked) == len(set(asked))
    assert 2035 not in asked
    assert calendar.next_open(berlin(2035, 1, 1)) == berlin(2035, 1, 2, 9)
    assert asked.count(2035) == 1


def test_a_calendar_does_not_change_with_what_it_was_made_from() -> None:
    weekly, holidays = {0: list(OFFICE_DAY)}, [date(2026, 11, 23)]
    calendar = WorkingCalendar("Europe/Berlin", weekly, holidays=holidays)
    weekly[0].clear()
    holidays.clear()
    assert calendar.next_open(berlin(2026, 11, 17)) == berlin(2026, 11, 30, 9)


@pytest.mark.parametrize("years", [range(2150, 2025, -5), range(1975, 2150, 5)])
def test_answers_do_not_depend_on_the_order_in_which_years_are_asked(years: range) -> None:
    calendar = office("UTC")
    for year in years:
        first = datetime(year, 1, 1, tzinfo=UTC)
        assert calendar.between(first, first + timedelta(days=28)) == timedelta(hours=160)


def test_threads_that_grow_one_calendar_all_get_right_answers() -> None:
    calendar, ready = office("UTC"), Barrier(8)

    def weeks_worked(worker: int) -> list[timedelta]:
        ready.wait()
        starts = [datetime(1990 + (worker * 7 + n * 13) % 150, 6, 1, tzinfo=UTC) for n in range(60)]
        return [calendar.between(start, start + timedelta(days=7)) for start in starts]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answers in pool.map(weeks_worked, range(8)) for answer in answers]
    assert set(answers) == {timedelta(hours=40)}


def test_a_year_is_worked_out_by_one_thread_for_all() -> None:
    asked: list[int] = []
    ready, never = Barrier(4), Event()

    def slow_rule(year: int) -> list[date]:
        asked.append(year)
        never.wait(0.01)  # long enough for the other threads to arrive
        return [date(year, 1, 1)]

    calendar = WorkingCalendar("UTC", OFFICE_WEEK, holidays=slow_rule)

    def new_year_of_2031(_: int) -> datetime:
        ready.wait()
        return calendar.next_open(datetime(2031, 1, 1, tzinfo=UTC))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(new_year_of_2031, range(4))) == {datetime(2031, 1, 2, 9, tzinfo=UTC)}
    assert asked.count(2031) == 1


def test_always_open_is_wall_time() -> None:
    start = berlin(2026, 10, 24, 23)
    assert ALWAYS_OPEN.add(start, timedelta(hours=24)) == start.astimezone(UTC) + timedelta(hours=24)


# A business day


@pytest.mark.parametrize(
    ("hours_of_weekdays", "expected_hours"),
    [
        ([8, 8, 8, 8, 7], 8),  # what most days have
        ([8, 8, 6, 6], 8),  # the longer one when equally frequent
        ([8, 8, 8, 8, 8, 4], 8),  # half Saturdays do not count
        ([24] * 7, 24),
        ([4], 4),
    ],
)
def test_a_business_day_is_the_usual_weekday(hours_of_weekdays: list[int], expected_hours: int) -> None:
    weekly = {day: [Interval(0, hours * HOUR)] for day, hours in enumerate(hours_of_weekdays)}
    assert WorkingCalendar("UTC", weekly).business_day_length() == timedelta(hours=expected_hours)


def test_a_business_day_leaves_lunch_out_and_ignores_half_days() -> None:
    with_lunch = [Interval(9 * HOUR, 12 * HOUR), Interval(13 * HOUR, 18 * HOUR)]
    calendar = WorkingCalendar(
        "UTC",
        {0: with_lunch},
        exceptions={date(2026, 12, 24): [Interval(0, HOUR)], date(2026, 12, 31): [Interval(0, HOUR)]},
    )
    assert calendar.business_day_length() == timedelta(hours=8)


# Shared hours


def test_shared_hours_keep_the_first_zone_and_take_the_shorter_day() -> None:
    short = WorkingCalendar("America/New_York", {day: [Interval(9 * HOUR, 15 * HOUR)] for day in range(5)})
    both = office().intersect(short)
    assert both.timezone == "Europe/Berlin"
    assert both.business_day_length() == timedelta(hours=6)


def test_shared_hours_are_a_calendar_that_can_be_shared_again() -> None:
    berlin_and_new_york = office().intersect(office("America/New_York"))
    with_london = berlin_and_new_york.intersect(office("Europe/London"))
    monday, tuesday = berlin(2026, 11, 16), berlin(2026, 11, 17)
    assert with_london.intervals(monday, tuesday) == [(berlin(2026, 11, 16, 15), berlin(2026, 11, 16, 17))]
    pause = [(berlin(2026, 11, 16, 15, 30), berlin(2026, 11, 16, 16))]
    assert with_london.add(monday, timedelta(hours=1), pauses=pause) == berlin(2026, 11, 16, 16, 30)


def test_sharing_with_an_always_open_calendar_changes_nothing() -> None:
    monday, next_monday = berlin(2026, 11, 16), berlin(2026, 11, 23)
    assert office().intersect(ALWAYS_OPEN).intervals(monday, next_monday) == office().intervals(
        monday, next_monday
    )
