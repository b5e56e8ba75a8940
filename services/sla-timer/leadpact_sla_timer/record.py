"""Hold what became known of a lead's assignments and requests: facts, each with when it happened and when it was heard.

Every fact is kept at its earliest, so hearing it again, or hearing of a later one, changes nothing; pauses and resumptions are all kept,
each at its own moment, so that one that is heard of late undoes nothing that came after it. An *assignment* is one owner's
time with the lead. A *request* is one time that the person asked: it lasts from then until sales is done with it, over all of
its owners. They may ask for more before it is answered; the answer to the later request answers both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid5

from leadpact.pact.sla import Stop

NO_FACTS: Mapping[Stop, Heard] = {}


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that happened ``at``, of which we heard at ``recorded_at``; ``what`` names it or says why."""

    what: str
    at: datetime
    recorded_at: datetime

    def to_json(self) -> list[str]:
        """As the tables keep it."""
        return [self.what, self.at.isoformat(), self.recorded_at.isoformat()]

    @classmethod
    def from_json(cls, stored: list[str]) -> Self:
        """Read ``to_json`` back."""
        what, at, recorded_at = stored
        return cls(what, datetime.fromisoformat(at), datetime.fromisoformat(recorded_at))


class Paused(NamedTuple):
    """No time passes in [at, until): ``because`` names the lead's state, or says that the owner is away. None: until it is resumed."""

    at: datetime
    until: datetime | None
    because: str

    def to_json(self) -> list[str | None]:
        """As the tables keep it."""
        return [self.at.isoformat(), self.until.isoformat() if self.until else None, self.because]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Paused:
        """Read ``to_json`` back."""
        at, until, because = stored
        return cls(datetime.fromisoformat(at), datetime.fromisoformat(until) if until else None, because)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is known of one assignment. ``cycle_id``, ``request_id`` and ``assigned_at`` are None while only feedback has come."""

    id: UUID
    lead_id: UUID
    request_id: UUID | None = None
    cycle_id: UUID | None = None
    """The first assignment of the chain in which the lead was handed on."""
    rep_id: str | None = None
    rep_timezone: str | None = None
    rep_calendar: str | None = None
    assigned_at: datetime | None = None
    owner_number: int | None = None
    done: Mapping[Stop, Heard] = field(default_factory=lambda: NO_FACTS)
    attempts: tuple[Heard, ...] = ()
    """In the order in which they happened; ``what`` is the channel. A contact is an attempt too."""
    pausing: tuple[Paused, ...] = ()
    """Each pause as it was announced, and each resumption as a pause of no length, in the order of their moments."""
    ended: Heard | None = None
    """Rejected, closed, or given to somebody else."""

    def is_before(self, other: Assignment) -> bool:
        """Whether the lead had this owner first. Of two that are not both counted, the clock tells."""
        if self.owner_number is not None and other.owner_number is not None:
            return self.owner_number < other.owner_number
        assert self.assigned_at is not None
        assert other.assigned_at is not None
        return self.assigned_at <= other.assigned_at

    @property
    def pauses(self) -> tuple[Paused, ...]:
        """When no time passed: each pause until the next one or a resumption came, and none beyond the end. Only the last may be open."""
        pauses: tuple[Paused, ...] = ()
        for news in self.pausing:
            pauses = (*cut(pauses, news.at), news)
        if self.ended is not None:
            pauses = cut(pauses, self.ended.at)
        return tuple(pause for pause in pauses if pause.until != pause.at)

    @property
    def contacted(self) -> Heard | None:
        """The first contact."""
        return self.done.get("contacted")

    def did(self, what: Stop, news: Heard) -> Assignment:
        """With one more fact, if it is earlier than what is known."""
        return replace(self, done={**self.done, what: earliest(self.done.get(what), news)})

    def tried(self, attempt: Heard) -> Assignment:
        """With one more attempt. The same one heard twice is one."""
        if any((one.what, one.at) == (attempt.what, attempt.at) for one in self.attempts):
            return self
        return replace(self, attempts=tuple(sorted((*self.attempts, attempt), key=_when)))

    def paused(self, pause: Paused) -> Assignment:
        """With one more pause; one that was open when it began ended by it. The same one heard twice is one."""
        if pause in self.pausing:
            return self
        return replace(self, pausing=tuple(sorted((*self.pausing, pause), key=lambda one: one.at)))

    def resumed(self, at: datetime) -> Assignment:
        """With the pause that was open at ``at``, if there was one, ended."""
        return self.paused(Paused(at, at, "resumed"))

    def ends(self, because: str, at: datetime, recorded_at: datetime) -> Assignment:
        """Over at ``at``, if it was not before. What was paused is paused no longer."""
        return replace(self, ended=earliest(self.ended, Heard(because, at, recorded_at)))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a request waited for its first touch, in wall time and in business time; `measure.py` says whose."""

    touched_at: datetime
    touched_by: str
    customer_seconds: float
    customer_business_seconds: float
    team_seconds: float
    team_business_seconds: float
    owner_seconds: float
    owner_business_seconds: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of one request; the fields are those of the table `sla_request`, which explains them."""

    id: UUID
    lead_id: UUID
    source: str
    received_at: datetime
    qualified_at: datetime
    pact_version: int
    pool_calendar: str
    assigned_at: datetime | None = None
    released_at: datetime | None = None
    closed: Heard | None = None
    """Sales is done with the lead. That it was given back is known from the assignment that was rejected."""
    waits: Waits | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What one clock is judged by."""

    done: Mapping[Stop, Heard]
    attempts: tuple[Heard, ...] = ()
    pauses: tuple[Paused, ...] = ()
    ended: Heard | None = None


def request_of(lead_id: UUID, received_at: datetime) -> UUID:
    """The id of a request: the same whichever event tells of it first."""
    return uuid5(lead_id, received_at.astimezone(UTC).isoformat())


def known_to_owner(own: Assignment, others: Iterable[Assignment], started_at: datetime) -> Known:
    """What counts for the owner's clock that started at ``started_at``. ``others`` are the lead's other assignments.

    An owner before this one may have reached the lead already. What they do afterwards is not this owner's doing, and a contact
    before the lead was recycled belongs to another cycle.
    """
    done = dict(own.done)
    for other in others:
        reached = other.contacted
        if reached and other.cycle_id == own.cycle_id and reached.at <= started_at:
            done["contacted"] = earliest(done.get("contacted"), reached)
    return Known(done, own.attempts, own.pauses, own.ended)


class Answering(NamedTuple):
    """Who may answer a request, and when that was given up."""

    owners: Sequence[Assignment]
    closings: Sequence[Heard]


def answering(
    request: Request, requests: Iterable[Request], assignments: Collection[Assignment]
) -> Answering:
    """Those of a lead's ``assignments`` and ``requests`` that are about ``request``: its own and, until sales gave the lead back or was
    done with it, those of what the person asked next. Who is reached about a demo waits no longer for the answer to what they asked before.
    """
    owners: list[Assignment] = []
    later = (one for one in requests if one.received_at >= request.received_at)
    for one in sorted(later, key=lambda one: one.received_at):
        own = [assignment for assignment in assignments if assignment.request_id == one.id]
        owners += own
        if one.closed or any("rejected" in assignment.done for assignment in own):
            return Answering(owners, [one.closed] if one.closed else [])
    return Answering(owners, [])


def known_to_all(request: Request, requests: Iterable[Request], assignments: Collection[Assignment]) -> Known:
    """What counts for the clocks of the team and of the customer: whatever any owner did. ``requests`` are all of the lead's."""
    own, closings = answering(request, requests, assignments)
    done: dict[Stop, Heard] = {}
    for assignment in own:
        for what, fact in assignment.done.items():
            done[what] = earliest(done.get(what), fact)
    attempts = sorted((attempt for one in own for attempt in one.attempts), key=_when)
    pauses = sorted((pause for one in own for pause in one.pauses), key=lambda pause: pause.at)
    ends = [*closings, *([done["rejected"]] if "rejected" in done else [])]
    return Known(done, tuple(attempts), tuple(pauses), min(ends, key=_when, default=None))


def reported(what: str, happened_at: datetime, recorded_at: datetime) -> Heard:
    """News from outside. Nothing is heard of before it happened, whatever the sender's clock says."""
    return Heard(what, min(happened_at, recorded_at), recorded_at)


def earliest(known: Heard | None, news: Heard) -> Heard:
    """What happened first; of two reports of one instant, the one already known."""
    return news if known is None or news.at < known.at else known


def cut(pauses: Iterable[Paused], at: datetime) -> tuple[Paused, ...]:
    """What of ``pauses`` lies before ``at``."""
    return tuple(
        pause if pause.until and pause.until <= at else pause._replace(until=at)
        for pause in pauses
        if pause.at < at
    )


def _when(fact: Heard) -> datetime:
    return fact.at
