"""Assignments and feedback as the router announces them, with a pact that promises something about them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from leadpact.events import (
    Away,
    LeadAccepted,
    LeadAssigned,
    LeadAttempted,
    LeadClosed,
    LeadContacted,
    LeadFacts,
    LeadHeld,
    LeadMeetingBooked,
    LeadPaused,
    LeadReassigned,
    LeadRejected,
    LeadResumed,
    RepAbsencesChanged,
)
from leadpact.ids import new_id
from tests.support.fake_clock import TUESDAY_MORNING

PACT = """
pact: A pact about two hours
calendars:
  utc: {timezone: UTC, hours: {mon-fri: "09:00-17:00"}}
  berlin: {timezone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}}
  new-york: {timezone: America/New_York, hours: {mon-fri: "09:00-17:00"}}
  round: {timezone: UTC, hours: always}
sources: {website-demo: {kind: form, intent: demo_request}}
routing:
  pools: {everybody: {members: [ana, ben, cem], calendar: utc}}
  fallback: everybody
sla:
  first-touch:
    applies: {intent: demo_request}
    first_touch_within: 2 business hours
    calendar: pool
    warn_at: [50%, 80%]
    on_breach:
      reassign: {exclude: everyone who had it, at_most: 3}
      then: {escalate: boss}
"""

TWO_PROMISES = (
    PACT
    + """
  acceptance:
    applies: {intent: demo_request}
    stops: [accepted, contacted]
    first_touch_within: 1 business hour
    calendar: pool
"""
)


def facts(lead_id: UUID | None = None, **changes: Any) -> LeadFacts:
    """A demo request from Germany."""
    known: dict[str, Any] = {
        "lead_id": lead_id or new_id(),
        "person_id": new_id(),
        "source": "website-demo",
        "source_kind": "form",
        "intent": "demo_request",
        "received_at": TUESDAY_MORNING,
        "email": "kaethe@groesse.example",
        "country": "DE",
        "stage": "mql",
    }
    return LeadFacts(**known | changes)


def assigned(
    at: datetime = TUESDAY_MORNING,
    *,
    lead_id: UUID | None = None,
    lead: LeadFacts | None = None,
    **changes: Any,
) -> LeadAssigned:
    """The lead goes to Ana."""
    lead = lead or facts(lead_id)
    return LeadAssigned(**_assignment(at, lead) | changes)


def reassigned(at: datetime, before: LeadAssigned, **changes: Any) -> LeadReassigned:
    """The lead goes from its owner to Ben."""
    fields = _assignment(at, before.lead) | {
        "rep_id": "ben",
        "rep_name": "Ben",
        "hop": before.hop + 1,
        "previous_assignment_id": before.assignment_id,
        "previous_rep_id": before.rep_id,
        "reason": "first-touch was breached",
    }
    return LeadReassigned(**fields | changes)


def contacted(of: LeadAssigned, at: datetime, *, recorded_at: datetime | None = None) -> LeadContacted:
    """The owner called."""
    return LeadContacted(**_worked(of, at, recorded_at), channel="phone")


def accepted(of: LeadAssigned, at: datetime, *, recorded_at: datetime | None = None) -> LeadAccepted:
    """The owner took it on."""
    return LeadAccepted(**_worked(of, at, recorded_at))


def rejected(of: LeadAssigned, at: datetime, *, recorded_at: datetime | None = None) -> LeadRejected:
    """The owner gave it back."""
    return LeadRejected(**_worked(of, at, recorded_at), reason="no_budget", outcome="nurture")


def attempted(
    of: LeadAssigned, at: datetime, channel: str = "call", *, automatic: bool = False
) -> LeadAttempted:
    """The owner tried to reach the person."""
    return LeadAttempted(**_worked(of, at, None), channel=channel, automatic=automatic)


def meeting_booked(of: LeadAssigned, at: datetime) -> LeadMeetingBooked:
    """A meeting is agreed."""
    return LeadMeetingBooked(**_worked(of, at, None))


def paused(of: LeadAssigned, at: datetime, *, until: datetime | None = None) -> LeadPaused:
    """The ball is with the customer."""
    return LeadPaused(**_worked(of, at, at), state="waiting_for_customer", until=until)


def resumed(of: LeadAssigned, at: datetime) -> LeadResumed:
    """The ball is with us again."""
    return LeadResumed(**_worked(of, at, at))


def closed(of: LeadAssigned, at: datetime) -> LeadClosed:
    """The lead is won."""
    return LeadClosed(
        occurred_at=at,
        lead_id=of.lead_id,
        received_at=of.lead.received_at,
        assignment_id=of.assignment_id,
        rep_id=of.rep_id,
        recorded_at=at,
        reason="won",
    )


def absences(
    rep_id: str, as_of: datetime, *away: tuple[datetime, datetime], revision: int = 0
) -> RepAbsencesChanged:
    """The absences that lie ahead of a rep are now these."""
    ahead = tuple(Away(starts_at=starts_at, ends_at=ends_at) for starts_at, ends_at in away)
    return RepAbsencesChanged(occurred_at=as_of, rep_id=rep_id, away=ahead, revision=revision)


def held(at: datetime, before: LeadAssigned) -> LeadHeld:
    """The lead was taken from its owner, and nobody is free."""
    return LeadHeld(
        occurred_at=at,
        lead_id=before.lead_id,
        reason="nobody in everybody can take it now: 2 away",
        pool="everybody",
        previous_assignment_id=before.assignment_id,
        lead=before.lead,
        explanation={},
        pact_version=before.pact_version,
    )


def _assignment(at: datetime, lead: LeadFacts) -> dict[str, Any]:
    return {
        "occurred_at": at,
        "lead_id": lead.lead_id,
        "assignment_id": new_id(),
        "rep_id": "ana",
        "rep_name": "Ana",
        "rep_timezone": "UTC",
        "pool": "everybody",
        "pool_calendar": "utc",
        "rule": "fallback",
        "hop": 1,
        "lead": lead,
        "explanation": {},
        "pact_version": 1,
    }


def _worked(of: LeadAssigned, at: datetime, recorded_at: datetime | None) -> dict[str, Any]:
    return {
        "occurred_at": at,
        "lead_id": of.lead_id,
        "assignment_id": of.assignment_id,
        "rep_id": of.rep_id,
        "recorded_at": recorded_at or at + timedelta(seconds=1),
    }
