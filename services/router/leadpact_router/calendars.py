"""Find the hours a rep keeps in a pool; each calendar is worked out once per pact version."""

from __future__ import annotations

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact_router.availability import Rep


class RepCalendars:
    """The calendars of one pact, by who uses them."""

    def __init__(self, pact: Pact) -> None:
        self._sections = pact.calendars

    def of(self, rep: Rep, pool_calendar: str) -> WorkingCalendar:
        """The rep's own calendar if the pact has it, else the pool's hours and holidays in the rep's time
        zone.
        """
        if rep.calendar is not None and rep.calendar in self._sections:
            return self._sections[rep.calendar].build()
        return self._sections[pool_calendar].in_timezone(rep.timezone)


class CalendarShelf:
    """Keeps the calendars of the pact version that was asked for last."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._calendars: RepCalendars | None = None

    def of(self, applied: AppliedPact) -> RepCalendars:
        """The calendars of this version, built once."""
        if self._calendars is None or self._version != applied.version:
            self._version, self._calendars = applied.version, RepCalendars(applied.pact)
        return self._calendars
