"""Say where a lead is after one more of the router's events: its stage, its owner, and the assignment that made them the owner.

What is announced is a fact, whether or not it moves the lead:

* a contact of somebody who has lost the lead since is news of the past: it stays with whoever has it now. Which of the two it is, the
  assignment tells, not the rep: a lead may return to one who had it before;
* who accepts a lead after having reached the person takes no step back;
* who asks again after the lead was given back or closed begins it anew, even if it does not qualify (``LeadMatched.reopened``).

Pure. One lead's events come in the order in which they were announced.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from leadpact.events import (
    LeadAccepted,
    LeadAssigned,
    LeadClosed,
    LeadContacted,
    LeadHeld,
    LeadMatched,
    LeadQualified,
    LeadReassigned,
    LeadRejected,
)
from leadpact.events.lead import LeadEvent

MOVES: tuple[type[LeadEvent], ...] = (
    LeadMatched,
    LeadQualified,
    LeadAssigned,
    LeadReassigned,
    LeadAccepted,
    LeadContacted,
    LeadHeld,
    LeadRejected,
    LeadClosed,
)
"""The events that can move a lead."""

_STAGE_AFTER = {"recycle": "recycled", "nurture": "nurtured", "disqualify": "disqualified"}


class Progress(NamedTuple):
    """How far a lead has got, and who has it."""

    lead_id: UUID
    stage: str
    owner: str | None
    assignment_id: UUID | None
    changed_at: datetime


def after(lead: Progress, event: LeadEvent) -> Progress:
    """Where ``event`` leads; the lead as it was if it moves nothing."""
    match event:
        case LeadMatched(reopened=True):
            return _with_nobody(lead, "new", event)
        case LeadQualified():
            return lead._replace(stage="mql", changed_at=event.occurred_at)
        case LeadAssigned():  # a LeadReassigned is one
            return Progress(lead.lead_id, event.stage, event.rep_id, event.assignment_id, event.occurred_at)
        case LeadAccepted() if lead.assignment_id == event.assignment_id and lead.stage == "assigned":
            return lead._replace(stage="accepted", changed_at=event.occurred_at)
        case LeadContacted() if lead.assignment_id == event.assignment_id:
            return lead._replace(stage="contacted", changed_at=event.occurred_at)
        case LeadHeld():
            return _with_nobody(lead, "held", event)
        case LeadRejected():  # what the pact's outcome leads to; only the present owner can reject
            return _with_nobody(lead, _STAGE_AFTER.get(event.outcome, event.outcome), event)
        case LeadClosed():
            return _with_nobody(lead, "closed", event)
    return lead


def _with_nobody(lead: Progress, stage: str, event: LeadEvent) -> Progress:
    return Progress(lead.lead_id, stage, None, None, event.occurred_at)
