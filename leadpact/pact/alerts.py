"""Say when people are left in peace: clocks run on and leads move, but nobody is to be rung up for it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from leadpact.domain.open_time import merged
from leadpact.domain.working_calendar import DAY_SECONDS, Interval, WorkingCalendar
from leadpact.pact.base import PactSection, mistake
from leadpact.pact.calendar_section import Hours, Weekdays, hours_of_day, weekdays


def _leaves_time(text: str) -> str:
    if not _loud_hours(text):
        raise mistake("quiet hours that leave some of the day")
    return text


class Alerts(PactSection):
    """Quiet hours, in the zone of whoever would be told. Left out, people may be told at any time."""

    quiet: Annotated[Hours, AfterValidator(_leaves_time)] | None = None
    """Every day's quiet hours: `20:00-07:00`."""
    quiet_days: Annotated[tuple[Weekdays, ...], Field(max_length=7)] = ()
    """Weekdays that are quiet all day: `[sat, sun]`."""

    def not_before(self, at: datetime, timezone: str) -> datetime:
        """The first moment from ``at`` on at which somebody in ``timezone`` may be told; UTC unless it is ``at`` itself."""
        return self._loud(timezone).next_open(at) if self._are_set else at

    @model_validator(mode="after")
    def _leaves_a_day(self) -> Self:
        if len(self._quiet_weekdays) == 7:
            raise mistake("quiet days that leave at least one day of the week")
        return self

    @property
    def _quiet_weekdays(self) -> frozenset[int]:
        return frozenset(day for words in self.quiet_days for day in weekdays(words))

    @property
    def _are_set(self) -> bool:
        return self.quiet is not None or bool(self.quiet_days)

    def _loud(self, timezone: str) -> WorkingCalendar:
        if timezone not in self._calendars:
            hours = _loud_hours(self.quiet or "closed")
            loud_days = set(range(7)) - self._quiet_weekdays
            self._calendars[timezone] = WorkingCalendar(timezone, dict.fromkeys(loud_days, hours))
        return self._calendars[timezone]

    @cached_property
    def _calendars(self) -> dict[str, WorkingCalendar]:
        return {}


def _loud_hours(quiet: str) -> list[Interval]:
    """What ``quiet`` leaves of a day; what runs over midnight is quiet in the next morning."""
    spans = merged(
        part
        for opens, closes in hours_of_day(quiet)
        for part in ((opens, min(closes, DAY_SECONDS)), (0, closes - DAY_SECONDS))
        if part[0] < part[1]
    )
    edges = [0, *(edge for span in spans for edge in span), DAY_SECONDS]
    return [Interval(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
