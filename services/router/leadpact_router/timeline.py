"""Tell what happened to a lead as one list, the oldest first, from what is stored about it.

Pure: a story goes in, sentences come out. Each entry is dated by when it happened, not by when we heard of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leadpact_router.views import Activity, Assignment, ClockSeen, LeadStory, Touch

_KNOWN_BY = {"new": "a new person", "email": "known by their e-mail", "phone": "known by their phone number"}
_OUTCOMES = {"recycle": "to be tried again later", "nurture": "to be nurtured", "disqualify": "disqualified"}
# Of things that happened at one instant, causes before effects.
_ORDER = (
    *("captured", "activity", "qualified", "held", "breached", "taken_away"),
    *("assigned", "accepted", "warned", "contacted", "met", "cancelled", "rejected", "escalated"),
)


class Happened(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: str = Field(examples=list(_ORDER))
    says: str
    details: dict[str, Any] = {}


def timeline(story: LeadStory) -> list[Happened]:
    """What happened, in order."""
    return sorted(_all(story), key=lambda one: (one.at, _ORDER.index(one.kind)))


def _all(story: LeadStory) -> Iterator[Happened]:
    for touch in story.touches:
        yield _captured(touch)
    for activity in story.activities:
        yield _did(activity)
    if story.lead.qualified_at is not None:
        because = story.lead.qualified_because or ""
        yield Happened(at=story.lead.qualified_at, kind="qualified", says=because)
    for assignment in story.assignments:
        yield from _owned(assignment)
    for clock in story.clocks:
        yield from _timed(clock)
    if story.lead.held_since is not None:
        yield Happened(at=story.lead.held_since, kind="held", says=story.held_reason or "")
    if story.escalated_at is not None:
        to = story.lead.escalated_to or "whoever leads sales"
        yield Happened(at=story.escalated_at, kind="escalated", says=f"to {to}, who must decide")


def _captured(touch: Touch) -> Happened:
    wanted = touch.intent.replace("_", " ")
    return Happened(
        at=touch.received_at,
        kind="captured",
        says=f"{wanted} through {touch.source}; {_KNOWN_BY.get(touch.matched_by, touch.matched_by)}",
        details=touch.model_dump(
            mode="json", exclude_none=True, include={"receipt_id", "occurred_at", "upload_id", "row"}
        ),
    )


def _did(activity: Activity) -> Happened:
    says = activity.kind.replace("_", " ")
    return Happened(at=activity.occurred_at, kind="activity", says=says, details=activity.details)


def _owned(assignment: Assignment) -> Iterator[Happened]:
    name = assignment.rep_name
    where = f"pool {assignment.pool}, " if assignment.pool else ""
    yield Happened(
        at=assignment.assigned_at,
        kind="assigned",
        says=f"to {name}: {where}rule “{assignment.rule}”",
        details={"assignment_id": str(assignment.id), "decision": assignment.explanation.get("decision")},
    )
    if assignment.accepted_at is not None:
        yield Happened(at=assignment.accepted_at, kind="accepted", says=f"{name} took it on")
    if assignment.contacted_at is not None:
        channel = (assignment.contact_channel or "contact").replace("_", " ")
        yield Happened(
            at=assignment.contacted_at, kind="contacted", says=f"{name} reached the person: {channel}"
        )
    if assignment.ended_at is not None and assignment.ended_as == "rejected":
        yield _given_back(assignment, assignment.ended_at)
    elif assignment.ended_at is not None:
        yield Happened(at=assignment.ended_at, kind="taken_away", says=f"from {name}")


def _given_back(assignment: Assignment, at: datetime) -> Happened:
    why = assignment.rejection or {}
    outcome = _OUTCOMES.get(why.get("outcome", ""), "")
    reason = str(why.get("reason", "")).replace("_", " ")
    note = f" – “{why['note']}”" if why.get("note") else ""
    return Happened(
        at=at,
        kind="rejected",
        says=f"{assignment.rep_name} gave it back: {reason}, {outcome}{note}",
        details=why,
    )


def _timed(clock: ClockSeen) -> Iterator[Happened]:
    details = {"clock_id": str(clock.clock_id), "due_at": clock.due_at.isoformat()}
    promise = f"{clock.policy} ({clock.target})" if clock.target else clock.policy
    if clock.warned_at is not None:
        yield Happened(
            at=clock.warned_at, kind="warned", says=f"{promise}: time is running out", details=details
        )
    if clock.was_breached:
        yield Happened(at=clock.due_at, kind="breached", says=f"{promise}: the time was up", details=details)
    if clock.state == "met" and clock.ended_at is not None:
        late = (
            ", although the news came late" if clock.was_breached and clock.ended_at <= clock.due_at else ""
        )
        kept = "kept" if clock.ended_at <= clock.due_at else "done, too late"
        yield Happened(at=clock.ended_at, kind="met", says=f"{promise}: {kept}{late}", details=details)
    if clock.state == "cancelled" and clock.ended_at is not None:
        yield Happened(
            at=clock.ended_at, kind="cancelled", says=f"{promise}: no longer runs", details=details
        )
