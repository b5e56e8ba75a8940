"""Say whose working hours count for a clock: the owner's, the pool's, the lead's own, those of a calendar of the pact, or two of these.

* a calendar's name: that calendar, in its own zone;
* ``pool``: the pool's calendar, in its own zone; a lead that came from no pool counts as ``rep``;
* ``rep``: the owner's own calendar. Who has none keeps the pool's hours in their own zone, or, without a pool, those of
  the first calendar of the pact;
* ``lead``: the pool's hours as they fall in the lead's own zone, or in the calendar's if nobody knows the lead's;
* ``rep and lead``: what the two have in common. If they never meet, the first of them counts alone: a lead in another part of the
  world is no reason for a clock that never ends.

A rep's calendar is data and may name one that this version of the pact does not have; such a rep counts as having none, so
that a typing slip in a rep's record never leaves a lead without a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.calendar_section import CalendarSection
from leadpact.pact.sla import OWN_CALENDARS


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The calendars and zones that a clock can be kept in; None where there is none, or nobody knows it."""

    pool_calendar: str | None = None
    rep_calendar: str | None = None
    rep_timezone: str | None = None
    lead_timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """A calendar of the pact and the zone in which it is kept; of two that must both be open, also the second."""

    calendar: str
    timezone: str
    working: WorkingCalendar
    shared_calendar: str | None = None
    shared_timezone: str | None = None


def hours_for(choice: tuple[str, ...], where: Whereabouts, calendars: Mapping[str, CalendarSection]) -> Hours:
    """The hours that a promise's ``calendar`` means for a clock."""
    first = _hours_of(choice[0], where, calendars)
    if len(choice) == 1:
        return first
    second = _hours_of(choice[1], where, calendars)
    both = hours_in_common(first.working, second.working)
    if both is None:
        return first
    return Hours(first.calendar, first.timezone, both, second.calendar, second.timezone)


@lru_cache(maxsize=4096)
def hours_in_common(one: WorkingCalendar, other: WorkingCalendar) -> WorkingCalendar | None:
    """The hours at which both are open; None if they never are. Worked out once for each two."""
    try:
        return one.intersect(other)
    except ValueError:
        return None


def _hours_of(choice: str, where: Whereabouts, calendars: Mapping[str, CalendarSection]) -> Hours:
    if choice not in OWN_CALENDARS:
        return _kept_in(choice, calendars)
    pool, rep = _known(where.pool_calendar, calendars), _known(where.rep_calendar, calendars)
    shared = pool or next(iter(calendars))
    match choice:
        case "lead":
            return _kept_in(shared, calendars, where.lead_timezone)
        case "pool" if pool or not where.rep_timezone:
            return _kept_in(shared, calendars)
        case _:
            return _kept_in(rep, calendars) if rep else _kept_in(shared, calendars, where.rep_timezone)


def _known(name: str | None, calendars: Mapping[str, CalendarSection]) -> str | None:
    return name if name is not None and name in calendars else None


def _kept_in(name: str, calendars: Mapping[str, CalendarSection], timezone: str | None = None) -> Hours:
    zone = timezone or calendars[name].timezone
    return Hours(name, zone, calendars[name].in_timezone(zone))
