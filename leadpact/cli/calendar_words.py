"""Say in a sentence when something is due, and on which days the working time until then was used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from leadpact.domain.business_duration import say
from leadpact.domain.open_time import END
from leadpact.domain.wall_time import clock_time
from leadpact.domain.working_calendar import Pause
from leadpact.domain.zone_offsets import EPOCH
from leadpact.pact.calendar_section import CalendarSection

_NO_TIME, _AN_INSTANT, _DAY = timedelta(0), timedelta(microseconds=1), timedelta(days=1)
# More days than this are summed up: a sentence is not a table.
_MOST_DAYS = 7


@dataclass(frozen=True)
class DayUse:
    """One local day: the working time that was used of it on the way, and why it is closed if all of it is."""

    day: date
    used: timedelta
    closed: bool
    holiday: str | None


def days_between(
    section: CalendarSection, a: datetime, b: datetime, pauses: Sequence[Pause] = ()
) -> list[DayUse]:
    """The local days that [a, b) touches, in order; a day that the date line left out is none of them."""
    a, b, zone = a.astimezone(UTC), b.astimezone(UTC), ZoneInfo(section.timezone)
    if b <= a:
        return []
    first, last = a.astimezone(zone).date(), (b - _AN_INSTANT).astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [
        _day_use(section, day, a, b, pauses)
        for day in days
        if _midnight(day, zone) < _midnight(day + _DAY, zone)
    ]


def _day_use(
    section: CalendarSection, day: date, a: datetime, b: datetime, pauses: Sequence[Pause]
) -> DayUse:
    calendar, zone = section.build(), ZoneInfo(section.timezone)
    # A calendar may know but a part of the first and of the last day of its years.
    begins, ends = max(_midnight(day, zone), EPOCH), min(_midnight(day + _DAY, zone), END)
    closed = calendar.between(begins, ends) == _NO_TIME
    return DayUse(
        day,
        calendar.between(max(a, begins), min(b, ends), pauses=pauses),
        closed,
        section.holidays_in(day.year).get(day) if closed else None,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def how_used(days: Sequence[DayUse]) -> str:
    """`40 min used on Friday, 1 h 20 min on Monday; Saturday and Sunday closed`."""
    used, closed = [day for day in days if day.used], [day for day in days if day.closed]
    if len(used) > _MOST_DAYS:
        return f"over {len(used)} days, {len(closed)} closed"
    name = _weekday if len(days) <= 7 else _short_date
    said_used = ", ".join(
        f"{say(day.used)}{' used' if day is used[0] else ''} on {name(day)}" for day in used
    )
    said_closed = f"{_list([_run(run, name) for run in _runs(closed)])} closed" if closed else ""
    return "; ".join(filter(None, [said_used, said_closed]))


def at_in_zones(at: datetime, zone: str, others: Sequence[str] = ()) -> str:
    """`Mon 2026-11-23 10:00 in Berlin, 09:00 in London`; the day again where it is another one."""
    here = at.astimezone(ZoneInfo(zone))
    parts = [f"{here:%a %Y-%m-%d} {clock_time(here)} in {_city(zone)}"]
    for other in others:
        there = at.astimezone(ZoneInfo(other))
        day = "" if there.date() == here.date() else f"{there:%a %Y-%m-%d} "
        parts.append(f"{day}{clock_time(there)} in {_city(other)}")
    return ", ".join(parts)


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
