"""What the sla-timer says of a clock: started, warned, met, breached, cancelled. Keyed by lead."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from leadpact.events.base import Event, Topic


class ClockEvent(Event):
    """An event about one clock of one assignment."""

    TOPIC: ClassVar[Topic] = Topic.SLA

    clock_id: UUID
    lead_id: UUID
    assignment_id: UUID
    policy: str
    rep_id: str
    due_at: AwareDatetime

    @property
    def key(self) -> str:
        return str(self.lead_id)


class SlaStarted(ClockEvent):
    """A clock runs: the pact's ``policy`` asks for a first touch by ``due_at``."""

    TYPE: ClassVar[str] = "leadpact.sla.started.v1"

    started_at: AwareDatetime
    target: str  # the pact's words: "2 business hours"
    calendar: str | None = None
    pact_version: int


class SlaWarned(ClockEvent):
    """``percent`` of the target's business time is used and nobody has touched the lead."""

    TYPE: ClassVar[str] = "leadpact.sla.warned.v1"

    percent: int


class SlaMet(ClockEvent):
    """What the pact asked for was done in time. ``was_breached`` tells that the news of it came late."""

    TYPE: ClassVar[str] = "leadpact.sla.met.v1"

    met_at: AwareDatetime
    recorded_at: AwareDatetime
    business_seconds_used: int
    was_breached: bool = False


class SlaBreached(ClockEvent):
    """The time is up. Announced once for each clock, with the truthful ``due_at`` however late it is found."""

    TYPE: ClassVar[str] = "leadpact.sla.breached.v1"

    reassign_at_most: int | None = None  # None: the pact asks for no reassignment
    escalate_to: str | None = None
    pact_version: int


class SlaCancelled(ClockEvent):
    """The clock no longer matters: ``reason`` says why. ``was_breached`` tells that its breach is void, as the news came late."""

    TYPE: ClassVar[str] = "leadpact.sla.cancelled.v1"

    reason: str
    was_breached: bool = False
