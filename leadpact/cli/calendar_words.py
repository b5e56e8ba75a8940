"""Say in a sentence when something is due, and on which days the working time until then was used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from leadpact.domain.business_duration import say
from leadpact.domain.working_calendar import Pause, WorkingCalendar
from leadpact.pact.calendar_section import CalendarSection

_NO_TIME = timedelta(0)
# More days than this are summed up: a sentence is not a table.
_MOST_DAYS = 7


@dataclass(frozen=True)
class DayUse:
    """One local day, as far as it is on the way: the working time used on it, and why it is closed if it is."""

    day: date
    used: timedelta
    closed: bool
    holiday: str | None


def days_between(
    section: CalendarSection, a: datetime, b: datetime, pauses: Sequence[Pause] = ()
) -> list[DayUse]:
    """The local days from `a` to `b`, in order; none when b is before a."""
    calendar, zone = section.build(), ZoneInfo(section.timezone)
    first, last = a.astimezone(zone).date(), b.astimezone(zone).date()
    return [
        _day_use(section, calendar, first + timedelta(days=n), a, b, pauses)
        for n in range((last - first).days + 1)
    ]


def _day_use(
    section: CalendarSection,
    calendar: WorkingCalendar,
    day: date,
    a: datetime,
    b: datetime,
    pauses: Sequence[Pause],
) -> DayUse:
    zone = ZoneInfo(section.timezone)
    midnights = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    # Cut at both ends, also because the calendar may know no more of the last day than that.
    begins, ends = max(a, next(midnights)), min(b, next(midnights))
    closed = calendar.between(begins, ends) == _NO_TIME
    return DayUse(
        day,
        calendar.between(begins, ends, pauses=pauses),
        closed,
        section.holidays_in(day.year).get(day) if closed else None,
    )


def how_used(days: Sequence[DayUse]) -> str:
    """`40 min used on Friday, 1 h 20 min on Monday; Saturday and Sunday closed`."""
    used, closed = [day for day in days if day.used], [day for day in days[1:-1] if day.closed]
    if len(used) > _MOST_DAYS:
        return f"over {len(used)} days, {len(closed)} closed in between"
    name = _weekday if len(days) <= 7 else _short_date
    said_used = ", ".join(
        f"{say(day.used)}{' used' if day is used[0] else ''} on {name(day)}" for day in used
    )
    said_closed = f"{_list([_run(run, name) for run in _runs(closed)])} closed" if closed else ""
    return "; ".join(filter(None, [said_used, said_closed]))


def at_in_zones(at: datetime, zone: str, others: Sequence[str] = ()) -> str:
    """`Mon 2026-11-23 10:00 in Berlin, 09:00 in London`; the day again where it is another one."""
    here = at.astimezone(ZoneInfo(zone))
    parts = [f"{here:%a %Y-%m-%d} {_clock(here)} in {_city(zone)}"]
    for other in others:
        there = at.astimezone(ZoneInfo(other))
        day = "" if there.date() == here.date() else f"{there:%a %Y-%m-%d} "
        parts.append(f"{day}{_clock(there)} in {_city(other)}")
    return ", ".join(parts)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}" if not (at.second or at.microsecond) else at.time().isoformat()


def _city(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")


def _weekday(day: DayUse) -> str:
    return f"{day.day:%A}"


def _short_date(day: DayUse) -> str:
    return f"{day.day:%a} {day.day.day} {day.day:%b}"


def _runs(days: Sequence[DayUse]) -> list[list[DayUse]]:
    """Days that follow each other, together; a pair stays two single days."""
    runs: list[list[DayUse]] = []
    for day in days:
        if runs and runs[-1][-1].day + timedelta(days=1) == day.day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [part for run in runs for part in ([run] if len(run) > 2 else [[day] for day in run])]


def _run(days: Sequence[DayUse], name: Callable[[DayUse], str]) -> str:
    """`Friday`, or `Thu 24 Dec to Sun 3 Jan`, with the holidays in it."""
    said = name(days[0]) if len(days) == 1 else f"{name(days[0])} to {name(days[-1])}"
    holidays = [day.holiday for day in days if day.holiday]
    return f"{said} ({', '.join(holidays)})" if holidays else said


def _list(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
