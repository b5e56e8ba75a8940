"""Hold one clock: the promise it measures, since when and until when, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from leadpact.domain.business_duration import parse_duration
from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.ids import ClockId
from leadpact.pact.model import Pact


class ClockState(StrEnum):
    """Where a clock stands. Only a running clock fires; late news may still turn a breach into what is true."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"


class Warn(NamedTuple):
    """The moment at which ``percent`` of the time is used."""

    percent: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SlaClock:
    """One promise on one assignment; the fields are those of the table `sla_clock`, which explains them."""

    id: ClockId
    lead_id: UUID
    assignment_id: UUID
    policy: str
    pact_version: int
    rep_id: str
    rep_name: str
    rep_timezone: str
    hop: int
    target: str
    target_seconds: int
    calendar: str
    timezone: str
    stops: tuple[str, ...]
    warnings: tuple[Warn, ...]
    reassign_at_most: int | None
    escalate_to: str | None
    started_at: datetime
    due_at: datetime
    state: ClockState
    next_at: datetime | None
    warned_percent: int | None = None
    breached_at: datetime | None = None
    met_at: datetime | None = None
    met_by: str | None = None
    ended_at: datetime | None = None
    ended_because: str | None = None
    recorded_at: datetime | None = None
    elapsed_seconds: float | None = None
    business_seconds: float | None = None

    @property
    def was_breached(self) -> bool:
        """Whether its breach was announced, be it void by now."""
        return self.breached_at is not None

    def counting(self, pact: Pact) -> WorkingCalendar:
        """The calendar whose open time counts for this clock; ``pact`` is the version it started under."""
        hours = pact.calendars[self.calendar].in_timezone(self.timezone)
        return parse_duration(self.target).runs_on(hours)

    def used(self, until: datetime, pact: Pact) -> timedelta:
        """How much of the target is used at ``until``; more than the target after a breach."""
        return self.counting(pact).between(self.started_at, until)

    def to_row(self) -> dict[str, Any]:
        """The clock as `leadpact.storage.bulk` writes it."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["warnings"] = [[percent, at.isoformat()] for percent, at in self.warnings]
        return columns

    @classmethod
    def from_row(cls, row: Any) -> SlaClock:
        """A row of `sla_clock` with all of its columns."""
        columns = dict(row._mapping)
        columns["state"] = ClockState(columns["state"])
        columns["stops"] = tuple(columns["stops"])
        columns["warnings"] = warnings_of(columns["warnings"])
        return cls(**columns)


def warnings_of(stored: list[list[Any]]) -> tuple[Warn, ...]:
    """The warnings as they stand in the table."""
    return tuple(Warn(percent, datetime.fromisoformat(at)) for percent, at in stored)


def next_moment(warnings: tuple[Warn, ...], due_at: datetime, after: datetime | None = None) -> datetime:
    """When a running clock fires next: at the first warning later than ``after`` if there is one, else when it is due."""
    later = (at for _, at in warnings if after is None or at > after)
    return min(next(later, due_at), due_at)
