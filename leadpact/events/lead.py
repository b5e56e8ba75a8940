"""What the router says of a lead: recognised, scored, qualified, assigned, held, worked, closed. Keyed by lead."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from leadpact.events.base import Event, Fact, Topic


class LeadFacts(Fact):
    """Who the lead is and what is known: enough for a clock's policy or a CRM to act without asking back."""

    lead_id: UUID
    person_id: UUID
    source: str
    source_kind: str
    intent: str
    received_at: AwareDatetime
    email: str | None = None
    phone: str | None = None
    full_name: str | None = None
    company: str | None = None
    country: str | None = None
    job_title: str | None = None
    account_id: UUID | None = None
    account_name: str | None = None
    account_tier: str | None = None
    score: float = 0
    fit: float = 0
    engagement: float = 0
    band: str | None = None
    stage: str = "new"
    qualified_at: AwareDatetime | None = None
    timezone: str | None = None  # the lead's own zone, where it can be told


class LeadEvent(Event):
    """An event about one lead, keyed by it."""

    TOPIC: ClassVar[Topic] = Topic.LEADS

    lead_id: UUID

    @property
    def key(self) -> str:
        return str(self.lead_id)


class LeadMatched(LeadEvent):
    """A captured lead was recognised: as a new person or a known one, with or without an account.

    ``reopened``: the lead had been given back or closed, and this person asking again begins it anew, without an owner. What it
    comes to follows; if it does not qualify, nothing follows.
    """

    TYPE: ClassVar[str] = "leadpact.lead.matched.v1"

    person_id: UUID
    receipt_id: UUID
    source: str
    matched_by: str  # "new", "email" or "phone"
    account_id: UUID | None = None
    account_name: str | None = None
    reopened: bool = False


class Contribution(Fact):
    """One visible part of a score; the score is the sum of its contributions."""

    name: str
    points: float
    because: str


class LeadScored(LeadEvent):
    """The lead's score changed. ``score`` = ``fit`` + ``engagement`` = the sum of ``contributions``."""

    TYPE: ClassVar[str] = "leadpact.lead.scored.v1"

    score: float
    fit: float
    engagement: float
    band: str | None = None
    contributions: tuple[Contribution, ...] = ()
    pact_version: int


class LeadQualified(LeadEvent):
    """The lead became an MQL, or while sales has it the person asks sales for more; ``because`` names the criterion that is met."""

    TYPE: ClassVar[str] = "leadpact.lead.qualified.v1"

    because: str
    pact_version: int


class Away(Fact):
    """An absence: the rep does not work in [starts_at, ends_at)."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime


class LeadAssigned(LeadEvent):
    """The lead has an owner. ``explanation`` holds each rule tried and each candidate passed over.

    If the person asked for more while somebody had the lead, ``previous_assignment_id`` names the ownership that this ended: the same rep's, with
    the rule `asked again`, or that of somebody who is not there. With each new request ``hop`` is 1 again.
    ``owner_number`` counts the assignments of the lead over all of its requests: it tells which of two came first, whatever clocks say; events of
    before it was told have none. ``rep_away`` are the absences that lie ahead of the owner at that time, ``rep_away_revision`` how often they had been changed. ``stage`` is `accepted` or `contacted` if the lead
    returns to somebody who did that before it was taken from them.
    """

    TYPE: ClassVar[str] = "leadpact.lead.assigned.v1"

    assignment_id: UUID
    rep_id: str
    rep_name: str
    rep_timezone: str
    rep_calendar: str | None = None
    rep_away: tuple[Away, ...] = ()
    rep_away_revision: int = 0
    pool: str | None = None
    pool_calendar: str | None = None
    rule: str
    hop: int  # 1 for the first owner, 2 after one reassignment
    owner_number: int | None = None
    stage: str = "assigned"
    lead: LeadFacts
    explanation: dict[str, Any]
    pact_version: int
    previous_assignment_id: UUID | None = None


class LeadReassigned(LeadAssigned):
    """The lead was taken from one owner and given to the next."""

    TYPE: ClassVar[str] = "leadpact.lead.reassigned.v1"

    previous_assignment_id: UUID
    previous_rep_id: str
    reason: str


class LeadHeld(LeadEvent):
    """Nobody could be given the lead now. It is picked up again by itself when somebody can.

    ``previous_assignment_id`` names the ownership that this ended, if there was one.
    """

    TYPE: ClassVar[str] = "leadpact.lead.held.v1"

    reason: str
    pool: str | None = None
    previous_assignment_id: UUID | None = None
    lead: LeadFacts
    explanation: dict[str, Any]
    pact_version: int


class LeadEscalated(LeadEvent):
    """A named human must decide. ``assignment_id`` and ``rep_id`` name the owner, who keeps the lead; None if there is none."""

    TYPE: ClassVar[str] = "leadpact.lead.escalated.v1"

    assignment_id: UUID | None = None
    rep_id: str | None = None
    escalated_to: str | None = None
    hops: int
    reason: str
    lead: LeadFacts


class Worked(LeadEvent):
    """Feedback from sales on an assignment. ``recorded_at`` is when we heard; both times are kept."""

    assignment_id: UUID
    rep_id: str
    recorded_at: AwareDatetime


class LeadAccepted(Worked):
    """The owner took the lead on."""

    TYPE: ClassVar[str] = "leadpact.lead.accepted.v1"


class LeadContacted(Worked):
    """The first human touch happened. An automatic reply is none."""

    TYPE: ClassVar[str] = "leadpact.lead.contacted.v1"

    channel: str


class LeadRejected(Worked):
    """Sales gave the lead back with one of the pact's reasons."""

    TYPE: ClassVar[str] = "leadpact.lead.rejected.v1"

    reason: str
    outcome: str  # "recycle", "nurture" or "disqualify"
    note: str | None = None


class LeadAttempted(Worked):
    """The owner tried to reach the person. An ``automatic`` message is on record, and keeps no promise."""

    TYPE: ClassVar[str] = "leadpact.lead.attempted.v1"

    channel: str
    automatic: bool = False


class LeadMeetingBooked(Worked):
    """A meeting with the person is agreed, for ``meeting_at`` if that is known."""

    TYPE: ClassVar[str] = "leadpact.lead.meeting_booked.v1"

    meeting_at: AwareDatetime | None = None


class LeadPaused(Worked):
    """The lead is in one of the pact's pause states, such as `waiting_for_customer`, until ``until`` or until it is resumed.

    A pause counts from when we hear of it (``occurred_at`` = ``recorded_at``): no clock is stopped in hindsight.
    """

    TYPE: ClassVar[str] = "leadpact.lead.paused.v1"

    state: str
    until: AwareDatetime | None = None


class LeadResumed(Worked):
    """The lead is no longer in a pause state."""

    TYPE: ClassVar[str] = "leadpact.lead.resumed.v1"


class LeadClosed(LeadEvent):
    """The lead is done with, won or lost: nobody owes it anything any more."""

    TYPE: ClassVar[str] = "leadpact.lead.closed.v1"

    received_at: AwareDatetime | None = None
    """When the request came in that was open then; events of before this was told have none."""
    assignment_id: UUID | None = None
    rep_id: str | None = None
    recorded_at: AwareDatetime
    reason: str
