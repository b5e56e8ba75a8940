"""The list of everything that is ever announced. A new event is a class in this package and a line here."""

from __future__ import annotations

from leadpact.events.base import Event, Fact, Message, Topic, decode
from leadpact.events.dead_letter import MessageDeadLettered
from leadpact.events.inbound import ActivityRecorded, LeadCaptured, UploadCompleted
from leadpact.events.lead import (
    Contribution,
    LeadAccepted,
    LeadAssigned,
    LeadContacted,
    LeadEscalated,
    LeadFacts,
    LeadHeld,
    LeadMatched,
    LeadQualified,
    LeadReassigned,
    LeadRejected,
    LeadScored,
)
from leadpact.events.sla import SlaBreached, SlaCancelled, SlaMet, SlaStarted, SlaWarned

EVENTS: tuple[type[Event], ...] = (
    LeadCaptured,
    ActivityRecorded,
    UploadCompleted,
    LeadMatched,
    LeadScored,
    LeadQualified,
    LeadAssigned,
    LeadReassigned,
    LeadHeld,
    LeadEscalated,
    LeadAccepted,
    LeadContacted,
    LeadRejected,
    SlaStarted,
    SlaWarned,
    SlaMet,
    SlaBreached,
    SlaCancelled,
    MessageDeadLettered,
)

__all__ = [
    "EVENTS",
    "ActivityRecorded",
    "Contribution",
    "Event",
    "Fact",
    "LeadAccepted",
    "LeadAssigned",
    "LeadCaptured",
    "LeadContacted",
    "LeadEscalated",
    "LeadFacts",
    "LeadHeld",
    "LeadMatched",
    "LeadQualified",
    "LeadReassigned",
    "LeadRejected",
    "LeadScored",
    "Message",
    "MessageDeadLettered",
    "SlaBreached",
    "SlaCancelled",
    "SlaMet",
    "SlaStarted",
    "SlaWarned",
    "Topic",
    "UploadCompleted",
    "decode",
]
