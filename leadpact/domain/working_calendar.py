"""Say how much working time lies between two instants, and when so much of it will have gone by.

A working calendar is a zone, weekly hours, holidays and exceptions. Its conventions:

* Elapsed seconds count, not wall-clock labels. An interval holds the instants whose local wall time lies in
  it: a repeated hour counts twice, a skipped hour not at all.
* Intervals are half open, [open, close): at exactly the close it is closed.
* A clock started outside hours begins at the next opening. An amount of zero ends where it begins: at once
  when open, else at the next opening.
* A deadline that exactly fills an interval lands on its close, not on the next opening, and a reply at that
  instant is in time. The one breach test is: working time used > target.
* `between(a, b)` is zero when b is not after a.
* A night shift (22:00-06:00) belongs to the day on which it starts: it runs on into a holiday, and a holiday
  removes the shifts that start on it.
* Holidays and exceptions are dates in the calendar's own zone. An exception beats a holiday on the same date,
  which is how half days are said.
* During a pause no working time passes; pauses may overlap, and may reach outside hours.
* A calendar that stays closed for more than two years is refused when it is made.
* Years are 1970 to 2199; a question that leaves them is a ValueError, not an endless search.

Results are aware datetimes in UTC, exact to the microsecond. Naive datetimes are refused. A calendar never
changes, and threads may share it; what it has worked out it keeps, so every question costs two binary
searches whatever its span.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadpact.domain.open_time import FIRST_YEAR, LAST_YEAR, OpenTimeTable, Span, merged, shared
from leadpact.domain.zone_offsets import EPOCH, stretches

DAY_SECONDS = 86_400
NO_EXCEPTIONS: Mapping[date, Sequence["Interval"]] = {}

Pause = tuple[datetime, datetime]

_MICROSECOND = timedelta(microseconds=1)
_NO_TIME = timedelta(0)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MARGIN_DAYS = 2
"""How far a shift reaches out of the UTC day of its date: 24 h past midnight, and the zone's offset."""

PROVEN_YEARS = (2025, 2028)
"""The years that every calendar works out when it is made, to show that it opens at all. It cannot ask what
year it is; dates that it is given widen them."""


class Interval(NamedTuple):
    """Open hours in seconds since local midnight of the day they belong to, half open.

    `closes` may exceed 86 400 for a shift that ends on the next day: 22:00-06:00 is (79200, 108000).
    """

    opens: int
    closes: int


class WorkingCalendar:
    """Weekly hours in one time zone, less holidays, with exceptions; see the module for its conventions.

    `weekly` maps weekdays (0 is Monday) to intervals; a weekday left out is closed. `holidays` are dates, or
    a function that gives the dates of a year, asked once per year. `exceptions` gives single dates hours of
    their own; none means closed.

    Raises ValueError for an unknown zone, an interval that is not one, intervals that overlap, and a calendar
    that stays closed for more than two years.
    """

    timezone: str

    def __init__(
        self,
        timezone: str,
        weekly: Mapping[int, Sequence[Interval]],
        *,
        holidays: Iterable[date] | Callable[[int], Iterable[date]] = (),
        exceptions: Mapping[date, Sequence[Interval]] = NO_EXCEPTIONS,
    ) -> None:
        check_weekly_hours(weekly)
        for intervals in exceptions.values():
            check_day(intervals)
        self.timezone = timezone
        self._zone = _zone(timezone)
        self._weekly = tuple(tuple(weekly.get(weekday, ())) for weekday in range(7))
        self._exceptions = {day: tuple(intervals) for day, intervals in exceptions.items()}
        named_days = set(self._exceptions)
        if callable(holidays):
            self._holidays_in = holidays
        else:
            all_holidays = frozenset(holidays)
            named_days |= all_holidays
            self._holidays_in = lambda year: all_holidays
        self._holidays: dict[int, frozenset[date]] = {}
        self._day_length = _usual_length(self._weekly, self._exceptions)
        self._prove({day.year for day in named_days})

    def add(self, start: datetime, duration: timedelta, *, pauses: Sequence[Pause] = ()) -> datetime:
        """When `duration` of working time will have passed since `start`.

        Raises ValueError for a negative duration.
        """
        if duration < _NO_TIME:
            raise ValueError(f"a deadline lies ahead: {duration} is negative")
        cursor, amount = _micros(start), duration // _MICROSECOND
        due = self._table.add(cursor, amount)
        for paused, resumed in _in_order(pauses):
            if paused > due or (paused == due and amount > 0):
                break
            if resumed > cursor:
                amount -= self._table.between(cursor, paused)
                cursor = resumed
                due = self._table.add(cursor, amount)
        return _instant(due)

    def between(self, a: datetime, b: datetime, *, pauses: Sequence[Pause] = ()) -> timedelta:
        """The working time in [a, b), less what was paused; zero when b is not after a."""
        start, end = _micros(a), _micros(b)
        used = self._table.between(start, end)
        for paused, resumed in _in_order(pauses):
            used -= self._table.between(max(start, paused), min(end, resumed))
        return timedelta(microseconds=used)

    def is_open(self, at: datetime, *, pauses: Sequence[Pause] = ()) -> bool:
        """Whether working time passes at `at`."""
        instant = _micros(at)
        paused = any(start <= instant < end for start, end in _in_order(pauses))
        return not paused and self._table.is_open(instant)

    def next_open(self, at: datetime, *, pauses: Sequence[Pause] = ()) -> datetime:
        """The first open instant that is not before `at`; `at` itself when it is open."""
        return self.add(at, _NO_TIME, pauses=pauses)

    def intervals(
        self, from_: datetime, to: datetime, *, pauses: Sequence[Pause] = ()
    ) -> list[tuple[datetime, datetime]]:
        """The open time in [from_, to) as UTC instants, in order; what touches is joined."""
        spans = _without(self._table.spans(_micros(from_), _micros(to)), _in_order(pauses))
        return [(_instant(opens), _instant(closes)) for opens, closes in spans]

    def intersect(self, other: "WorkingCalendar") -> "WorkingCalendar":
        """The calendar that is open when both are: a lead's day and a rep's hours.

        Its zone is this calendar's. Raises ValueError when the two share no hours for more than two years.
        """
        return _SharedHours(self, other)

    def business_day_length(self) -> timedelta:
        """What one business day is worth: the open time of the usual weekday.

        The length that most open weekdays have, the longer one of equally frequent lengths; so hours of 8, 8,
        8, 8 and 7 make a business day of 8, wherever the clock starts. Hours shared by two calendars take the
        shorter of the two lengths.
        """
        return self._day_length

    def _prove(self, named_years: set[int]) -> None:
        """Work out the years around every date that was given, and two more: it must open again."""
        for year in named_years:
            if not FIRST_YEAR <= year <= LAST_YEAR:
                raise ValueError(
                    f"a working calendar knows the years {FIRST_YEAR} to {LAST_YEAR}, not {year}"
                )
        first, last = PROVEN_YEARS
        last_named = max(named_years, default=first)
        self._proven_years = min({first, *named_years}), min(max(last, last_named + 3), LAST_YEAR)
        self._table = OpenTimeTable(self._spans_in, *self._proven_years)

    def _spans_in(self, year: int) -> list[Span]:
        """The open spans of one UTC year: local hours, cut where the zone's offset changes."""
        spans = []
        for stretch in stretches(self._zone, year):
            first = (stretch.start + stretch.offset) // DAY_SECONDS - _MARGIN_DAYS
            last = (stretch.end + stretch.offset) // DAY_SECONDS + 1
            for day in range(first, last):
                for opens, closes in self._hours_on(date.fromordinal(_EPOCH_ORDINAL + day)):
                    midnight = day * DAY_SECONDS - stretch.offset
                    start, end = max(midnight + opens, stretch.start), min(midnight + closes, stretch.end)
                    if start < end:
                        spans.append((start * 1_000_000, end * 1_000_000))
        return merged(spans)

    def _hours_on(self, day: date) -> Sequence[Interval]:
        """The shifts that start on a local date."""
        exception = self._exceptions.get(day)
        if exception is not None:
            return exception
        return () if self._is_holiday(day) else self._weekly[day.weekday()]

    def _is_holiday(self, day: date) -> bool:
        holidays = self._holidays.get(day.year)
        if holidays is None:
            holidays = self._holidays[day.year] = frozenset(self._holidays_in(day.year))
        return day in holidays


class _SharedHours(WorkingCalendar):
    """What two calendars have in common. It has no local days of its own, only their spans."""

    def __init__(self, one: WorkingCalendar, other: WorkingCalendar) -> None:
        self.timezone = one.timezone
        self._day_length = min(one.business_day_length(), other.business_day_length())
        first, last = zip(one._proven_years, other._proven_years, strict=True)
        self._proven_years = min(first), max(last)
        self._table = OpenTimeTable(
            lambda year: shared(one._table.year(year), other._table.year(year)), *self._proven_years
        )


def check_weekly_hours(weekly: Mapping[int, Sequence[Interval]]) -> None:
    """Raise ValueError if any hours of a week overlap; Sunday's night shift runs into Monday."""
    for weekday, intervals in weekly.items():
        if not 0 <= weekday <= 6:
            raise ValueError(f"weekdays are 0 for Monday to 6 for Sunday, not {weekday}")
        check_day(intervals)
    shifts = sorted(
        (weekday * DAY_SECONDS + opens, weekday * DAY_SECONDS + closes)
        for weekday, intervals in weekly.items()
        for opens, closes in intervals
    )
    if shifts:
        first_opens, first_closes = shifts[0]
        shifts.append((first_opens + 7 * DAY_SECONDS, first_closes + 7 * DAY_SECONDS))
    for (_, closes), (opens, _) in pairwise(shifts):
        if opens < closes:
            raise ValueError(
                f"hours overlap: one shift ends {_week_time(closes)}, the next starts {_week_time(opens)}"
            )


def check_day(intervals: Sequence[Interval]) -> None:
    """Raise ValueError unless intervals start on their day, last up to 24 hours, and do not overlap."""
    for opens, closes in intervals:
        if not 0 <= opens < DAY_SECONDS:
            raise ValueError(
                f"an interval starts on its own day, from 00:00 to before 24:00, not at {_clock_time(opens)}"
            )
        if not opens < closes <= opens + DAY_SECONDS:
            raise ValueError(
                f"an interval lasts more than nothing and at most 24 hours, not {closes - opens} seconds"
            )
    in_order = sorted(intervals)
    for (_, closes), (opens, _) in pairwise(in_order):
        if opens < closes:
            raise ValueError(
                f"hours overlap: one shift ends {_day_time(closes)}, the next starts {_day_time(opens)}"
            )


def _usual_length(
    weekly: Sequence[Sequence[Interval]], exceptions: Mapping[date, Sequence[Interval]]
) -> timedelta:
    days = [*filter(None, weekly)] or [*filter(None, exceptions.values())]
    lengths = Counter(sum(closes - opens for opens, closes in day) for day in days)
    usual = max(lengths, key=lambda length: (lengths[length], length), default=0)
    return timedelta(seconds=usual)


def _in_order(pauses: Sequence[Pause]) -> list[Span]:
    """Pauses as spans in order that do not overlap."""
    if not pauses:
        return []
    spans = [(_micros(paused), _micros(resumed)) for paused, resumed in pauses]
    for (paused, resumed), pause in zip(spans, pauses, strict=True):
        if resumed < paused:
            raise ValueError(f"a pause ends after it starts, not {pause[1]} after {pause[0]}")
    return merged(span for span in spans if span[0] < span[1])


def _without(spans: Sequence[Span], gaps: Sequence[Span]) -> Sequence[Span]:
    if not gaps or not spans:
        return spans
    edges = [spans[0][0], *(edge for gap in gaps for edge in gap), spans[-1][1]]
    kept = [(opens, closes) for opens, closes in zip(edges[::2], edges[1::2], strict=True) if opens < closes]
    return shared(spans, kept)


def _micros(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone: business time needs aware datetimes")
    return (at - EPOCH) // _MICROSECOND


def _instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{timezone!r} is not a time zone of the IANA database, such as Europe/Berlin"
        ) from error


def _day_time(second: int) -> str:
    return _clock_time(second % DAY_SECONDS)


def _clock_time(second: int) -> str:
    hours, minutes = divmod(second // 60, 60)
    return f"{hours:02}:{minutes:02}"


def _week_time(second: int) -> str:
    weekday = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[
        second // DAY_SECONDS % 7
    ]
    return f"{weekday} {_day_time(second)}"


ALWAYS_OPEN = WorkingCalendar("UTC", {weekday: [Interval(0, DAY_SECONDS)] for weekday in range(7)})
"""Wall time: every second counts."""
