"""Say whose working hours count for a clock: the owner's, the pool's, or those of a calendar that the pact names.

* a calendar's name: that calendar, in its own zone;
* ``pool``: the pool's calendar, in its own zone; a lead that came from no pool counts as ``rep``;
* ``rep``: the owner's own calendar. Who has none keeps the pool's hours in their own zone, or, without a pool, those of
  the first calendar of the pact.

A rep's calendar is data and may name one that this version of the pact does not have; such a rep counts as having none, so
that a typing slip in a rep's record never leaves a lead without a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.events import LeadAssigned
from leadpact.pact.calendar_section import CalendarSection
from leadpact.pact.sla import OWN_CALENDARS


@dataclass(frozen=True, slots=True)
class Hours:
    """A calendar of the pact, and the zone in which it is kept."""

    calendar: str
    timezone: str
    working: WorkingCalendar


def hours_for(choice: str, assigned: LeadAssigned, calendars: Mapping[str, CalendarSection]) -> Hours:
    """The hours that ``choice`` (``rep``, ``pool`` or a calendar's name) means for this assignment."""
    if choice not in OWN_CALENDARS:
        return _in_its_zone(choice, calendars)
    pool, rep = _known(assigned.pool_calendar, calendars), _known(assigned.rep_calendar, calendars)
    own = (pool or rep) if choice == "pool" else rep
    if own:
        return _in_its_zone(own, calendars)
    shared = pool or next(iter(calendars))
    return Hours(shared, assigned.rep_timezone, calendars[shared].in_timezone(assigned.rep_timezone))


def _known(name: str | None, calendars: Mapping[str, CalendarSection]) -> str | None:
    return name if name is not None and name in calendars else None


def _in_its_zone(name: str, calendars: Mapping[str, CalendarSection]) -> Hours:
    section = calendars[name]
    return Hours(name, section.timezone, section.build())
