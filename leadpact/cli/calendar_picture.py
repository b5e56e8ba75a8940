"""Draw a working calendar for the terminal: its week by the hour, and a year by the day with its holidays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from leadpact.domain.business_duration import say
from leadpact.domain.working_calendar import DAY_SECONDS, Interval
from leadpact.pact.calendar_section import WEEKDAYS, CalendarSection

OPEN, PARTLY, SHUT = "█", "▌", "·"
WORKED, HOLIDAY, CLOSED, OWN_HOURS = "■", "H", "x", "±"
_CELL_SECONDS = 1800


def heading(name: str, section: CalendarSection) -> str:
    """Name, zone, hours of a week, and what a business day is worth."""
    week = sum(closes - opens for hours in section.weekly().values() for opens, closes in hours)
    return (
        f"{name}: {section.timezone}, {say(timedelta(seconds=week))} a week, "
        f"a business day is {say(section.build().business_day_length())}"
    )


def week(section: CalendarSection) -> list[str]:
    """One line per weekday, half an hour per character; a night shift also shows on the day it runs into."""
    weekly = section.weekly()
    ruler = "".join(f"{hour:<6}" for hour in range(0, 24, 3))
    lines = [f"     {ruler}24"]
    for weekday, word in enumerate(WEEKDAYS):
        own, before = weekly.get(weekday, ()), weekly.get((weekday - 1) % 7, ())
        shown = [*own, *(Interval(opens - DAY_SECONDS, closes - DAY_SECONDS) for opens, closes in before)]
        cells = "".join(_cell(shown, start) for start in range(0, DAY_SECONDS, _CELL_SECONDS))
        lines.append(f"{word.title()}  {cells}  {_said(own)}")
    lines.append(f"     {OPEN} open  {PARTLY} open for a part of the half hour  {SHUT} closed")
    return lines


def year(section: CalendarSection, year: int) -> list[str]:
    """One line per month, a character per day; then the holidays and the days with hours of their own."""
    holidays, exceptions = section.holidays_in(year), section.exceptional_days()
    open_weekdays = {weekday for weekday, hours in section.weekly().items() if hours}
    lines = [f"{year}  1   5    10   15   20   25   30"]
    for month in range(1, 13):
        days = _days_of_month(year, month)
        cells = "".join(_mark(day, holidays, exceptions, open_weekdays) for day in days)
        lines.append(f"{days[0]:%b}   {cells}")
    lines.append(
        f"{WORKED} open  {SHUT} closed weekday  {HOLIDAY} holiday  {CLOSED} closed  {OWN_HOURS} own hours"
    )
    named = {day: name for day, name in holidays.items() if day not in exceptions}
    own = {day: _said(hours) for day, hours in exceptions.items() if day.year == year}
    lines += [f"{day:%a %Y-%m-%d}  {text}" for day, text in sorted((named | own).items())]
    return lines


def _cell(intervals: Sequence[Interval], start: int) -> str:
    end = start + _CELL_SECONDS
    covered = sum(max(0, min(closes, end) - max(opens, start)) for opens, closes in intervals)
    return SHUT if covered == 0 else OPEN if covered == _CELL_SECONDS else PARTLY


def _mark(
    day: date,
    holidays: dict[date, str],
    exceptions: dict[date, tuple[Interval, ...]],
    open_weekdays: set[int],
) -> str:
    if day in exceptions:
        return OWN_HOURS if exceptions[day] else CLOSED
    if day in holidays:
        return HOLIDAY
    return WORKED if day.weekday() in open_weekdays else SHUT


def _days_of_month(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    days = [first + timedelta(days=n) for n in range(31)]
    return [day for day in days if day.month == month]


def _said(hours: Sequence[Interval]) -> str:
    return " ".join(f"{_clock(opens)}-{_clock(closes)}" for opens, closes in hours) or "closed"


def _clock(second: int) -> str:
    """24:00 for a day's end, 06:00 for six in the next morning."""
    second = second if second <= DAY_SECONDS else second - DAY_SECONDS
    return f"{second // 3600:02}:{second // 60 % 60:02}"
