"""What the sla-timer says of a clock: started, warned, met, breached, cancelled, moved. Keyed by lead.

A clock is the *owner's* (one assignment), the *team's* or the *customer's* (one request, whoever has the lead). The latter two
belong to nobody in particular: their events have no ``assignment_id`` and no ``rep_id``.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from leadpact.events.base import Event, Topic

Whose = Literal["owner", "team", "customer"]


class ClockEvent(Event):
    """An event about one clock."""

    TOPIC: ClassVar[Topic] = Topic.SLA

    clock_id: UUID
    lead_id: UUID
    assignment_id: UUID | None = None
    policy: str
    rep_id: str | None = None
    due_at: AwareDatetime
    whose: Whose = "owner"

    @property
    def key(self) -> str:
        return str(self.lead_id)


class SlaStarted(ClockEvent):
    """A clock runs: the pact's ``policy`` asks for something by ``due_at``. ``kind`` says what: `leadpact.pact.sla`.

    ``released_at_pace`` tells that the lead came in bulk, and its clock waited for its turn.
    """

    TYPE: ClassVar[str] = "leadpact.sla.started.v1"

    started_at: AwareDatetime
    target: str  # the pact's words: "2 business hours"
    calendar: str | None = None
    pact_version: int
    kind: str = "first_touch"
    released_at_pace: bool = False


class SlaWarned(ClockEvent):
    """``percent`` of the target's time is used and the promise is not kept yet. ``left`` says the time left, if the pact does."""

    TYPE: ClassVar[str] = "leadpact.sla.warned.v1"

    percent: int
    left: str | None = None


class SlaMet(ClockEvent):
    """What the pact asked for was done in time. ``was_breached`` tells that the news of it came late."""

    TYPE: ClassVar[str] = "leadpact.sla.met.v1"

    met_at: AwareDatetime
    recorded_at: AwareDatetime
    business_seconds_used: int
    was_breached: bool = False
    give_back: bool = (
        False  # the pact returns the lead to whoever kept the promise, if nobody has touched it since
    )


class SlaBreached(ClockEvent):
    """The time is up. Announced once for each clock, with the truthful ``due_at`` however late it is found.

    ``stops`` are the facts that would have kept the promise, as the pact under which the clock ran has them.
    ``alert_at`` is when people may be told of it: later than now in the pact's quiet hours. None: at once.
    """

    TYPE: ClassVar[str] = "leadpact.sla.breached.v1"

    reassign_at_most: int | None = None  # None: the pact asks for no reassignment
    escalate_to: str | None = None
    stops: tuple[str, ...] = ("contacted",)
    take_offline: bool = False  # whoever missed it gets no more leads until they return
    alert_at: AwareDatetime | None = None
    pact_version: int


class SlaCancelled(ClockEvent):
    """The clock no longer matters: ``reason`` says why. ``was_breached`` tells that its breach is void, as the news came late."""

    TYPE: ClassVar[str] = "leadpact.sla.cancelled.v1"

    reason: str
    was_breached: bool = False


class SlaPaused(ClockEvent):
    """No time passes for this clock, since ``occurred_at``: ``because`` names the state that the lead is in."""

    TYPE: ClassVar[str] = "leadpact.sla.paused.v1"

    because: str


class SlaMoved(ClockEvent):
    """An open clock has another ``due_at``: it goes on after a pause, its owner is away, or it was moved to another pact.

    It runs, unless ``is_paused``: then ``due_at`` is what it would be if it went on at once.
    """

    TYPE: ClassVar[str] = "leadpact.sla.moved.v1"

    due_before: AwareDatetime
    because: str
    target: str  # the words of the pact that it runs under now
    pact_version: int
    is_paused: bool = False


class SlaOwnerLeft(ClockEvent):
    """The owner's absence began while the clock ran, and the pact then gives the lead to somebody else. The clock is cancelled."""

    TYPE: ClassVar[str] = "leadpact.sla.owner_left.v1"

    away_until: AwareDatetime
    escalate_to: str | None = None
    pact_version: int
