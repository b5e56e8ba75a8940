"""Hold one clock: the promise it measures, whose it is, since when and until when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from leadpact.domain.business_duration import parse_duration
from leadpact.domain.working_calendar import Pause, WorkingCalendar
from leadpact.events.sla import Whose
from leadpact.ids import ClockId
from leadpact.pact.model import Pact
from leadpact.pact.sla import Promise
from leadpact_sla_timer.hours import Whereabouts, hours_in_common
from leadpact_sla_timer.record import Paused


class ClockState(StrEnum):
    """Where a clock stands. Only a waiting or a running clock fires; late news may still turn a breach into what is true."""

    WAITING = "waiting"
    """For its turn: the lead came in bulk, and its clock starts later."""
    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the clock may still be met, breached or cancelled for the first time."""
        return self in OPEN_STATES


OPEN_STATES = frozenset({ClockState.WAITING, ClockState.RUNNING, ClockState.PAUSED})


class Warn(NamedTuple):
    """The moment at which ``percent`` of the time is used; ``left`` is how the pact says it, if it counts from the end.

    The share is exact, not a whole number: of a long target's last minutes each has its own.
    """

    percent: float
    at: datetime
    left: str | None = None


@dataclass(frozen=True, slots=True)
class SlaClock:
    """One promise to one owner, team or customer; the fields are those of the table `sla_clock`, which explains them."""

    id: ClockId
    lead_id: UUID
    subject_id: UUID
    request_id: UUID | None
    assignment_id: UUID | None
    whose: Whose
    kind: str
    policy: str
    pact_version: int
    rep_id: str | None
    rep_name: str | None
    rep_timezone: str | None
    rep_calendar: str | None
    pool_calendar: str | None
    lead_timezone: str | None
    hop: int
    target: str
    target_seconds: int
    calendar: str
    timezone: str
    shared_calendar: str | None
    shared_timezone: str | None
    warnings: tuple[Warn, ...]
    reassign_at_most: int | None
    escalate_to: str | None
    take_offline: bool
    give_back: bool
    released_at_pace: bool
    started_at: datetime
    due_at: datetime
    state: ClockState
    next_at: datetime | None
    pauses: tuple[Paused, ...] = ()
    leaves_at: datetime | None = None
    away_until: datetime | None = None
    warned_percent: float | None = None
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

    @property
    def where(self) -> Whereabouts:
        """What its hours can be chosen from."""
        return Whereabouts(self.pool_calendar, self.rep_calendar, self.rep_timezone, self.lead_timezone)

    def promise(self, pact: Pact) -> Promise:
        """What it measures; ``pact`` is the version it runs under."""
        return pact.sla[self.policy]

    def hours(self, pact: Pact) -> WorkingCalendar:
        """Whose hours it is kept in; ``pact`` is the version it runs under."""
        hours = pact.calendars[self.calendar].in_timezone(self.timezone)
        if self.shared_calendar is None or self.shared_timezone is None:
            return hours
        other = pact.calendars[self.shared_calendar].in_timezone(self.shared_timezone)
        return hours_in_common(hours, other) or hours

    def counting(self, pact: Pact) -> WorkingCalendar:
        """The calendar whose open time counts for the target: its hours, or, for wall time, every second."""
        return parse_duration(self.target).runs_on(self.hours(pact))

    def used(self, until: datetime, pact: Pact) -> timedelta:
        """How much of the target is used at ``until``; more than the target after a breach."""
        return self.counting(pact).between(self.started_at, until, pauses=spans(self.pauses, until))

    def to_row(self) -> dict[str, Any]:
        """The clock as `leadpact.storage.bulk` writes it."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns["warnings"] = [[percent, at.isoformat(), left] for percent, at, left in self.warnings]
        columns["pauses"] = [pause.to_json() for pause in self.pauses]
        return columns

    @classmethod
    def from_row(cls, row: Any) -> SlaClock:
        """A row of `sla_clock` with all of its columns."""
        columns = dict(row._mapping)
        columns["state"] = ClockState(columns["state"])
        columns["warnings"] = tuple(
            Warn(percent, datetime.fromisoformat(at), left) for percent, at, left in columns["warnings"]
        )
        columns["pauses"] = tuple(Paused.from_json(stored) for stored in columns["pauses"])
        return cls(**columns)


def spans(pauses: Iterable[Paused], until: datetime) -> list[Pause]:
    """Pauses as a calendar takes them, up to ``until``, which is as far as one reaches that nobody has ended."""
    return [(pause.at, pause.until or until) for pause in pauses if pause.at < until]


def stands_still(clock: SlaClock) -> bool:
    """Whether a pause that nobody has ended began before the clock was due."""
    return any(pause.until is None and pause.at < clock.due_at for pause in clock.pauses)


def next_moment(clock: SlaClock) -> datetime | None:
    """When a clock fires next: at its start if it waits, or if it was paused while it did; else at the first warning not given yet, when
    its owner leaves, or when it is due, whichever is first; never while it is paused or after it has ended.
    """
    if clock.state is ClockState.WAITING or (clock.state is ClockState.RUNNING and stands_still(clock)):
        return clock.started_at
    if clock.state is not ClockState.RUNNING:
        return None
    ahead = (warn.at for warn in clock.warnings if warn.percent > (clock.warned_percent or 0))
    return min(moment for moment in (next(ahead, None), clock.leaves_at, clock.due_at) if moment)
