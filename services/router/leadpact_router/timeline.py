"""Tell what happened to a lead as one list, the oldest first, from what is stored about it.

Pure: a story goes in, sentences come out. Each entry is dated by when it happened, not by when we heard of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leadpact_router.assign import ASKED_AGAIN
from leadpact_router.give_back import GIVEN_BACK
from leadpact_router.views import Activity, Assignment, ClockSeen, Hold, LeadStory, Touch, Warned, WorkReport

_KNOWN_BY = {"new": "a new person", "email": "known by their e-mail", "phone": "known by their phone number"}
_OUTCOMES = {"recycle": "to be tried again later", "nurture": "to be nurtured", "disqualify": "disqualified"}
# Of things that happened at one instant, causes before effects.
_ORDER = (
    *("captured", "activity", "qualified", "breached", "taken_away", "held"),
    *(
        "assigned",
        "accepted",
        "attempted",
        "warned",
        "contacted",
        "meeting_booked",
        "met",
        "paused",
        "resumed",
    ),
    *("cancelled", "rejected", "closed", "escalated"),
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
    for report in story.reports:
        yield _reported(report)
    for clock in story.clocks:
        yield from _timed(clock)
    for hold in story.holds:
        yield _waited(hold, story.held_reason if hold is story.holds[0] else None)
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
    keeps = assignment.rule == ASKED_AGAIN
    yield Happened(
        at=assignment.assigned_at,
        kind="assigned",
        says=f"{name} keeps it: they ask again" if keeps else f"to {name}: {where}rule “{assignment.rule}”",
        details={"assignment_id": str(assignment.id), "decision": assignment.explanation.get("decision")},
    )
    carried_over = assignment.rule == GIVEN_BACK  # what they had done stands at their earlier assignment
    if assignment.accepted_at is not None and not (
        carried_over and assignment.accepted_at < assignment.assigned_at
    ):
        yield Happened(at=assignment.accepted_at, kind="accepted", says=f"{name} took it on")
    if assignment.contacted_at is not None and not (
        carried_over and assignment.contacted_at < assignment.assigned_at
    ):
        channel = (assignment.contact_channel or "contact").replace("_", " ")
        yield Happened(
            at=assignment.contacted_at, kind="contacted", says=f"{name} reached the person: {channel}"
        )
    if assignment.ended_at is not None and assignment.ended_as == "rejected":
        yield _given_back(assignment, assignment.ended_at)
    elif assignment.ended_at is not None and assignment.ended_as not in ("closed", "renewed"):
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


def _waited(hold: Hold, by_now: str | None) -> Happened:
    """A wait tells why it began; if it is the one that goes on, also why it does by now."""
    details = {"pool": hold.pool}
    if by_now in (None, hold.reason):
        return Happened(at=hold.held_at, kind="held", says=hold.reason, details=details)
    return Happened(
        at=hold.held_at,
        kind="held",
        says=f"{hold.reason}; by now: {by_now}",
        details={**details, "reason": hold.reason, "by_now": by_now},
    )


def _reported(report: WorkReport) -> Happened:
    return Happened(
        at=report.occurred_at, kind=report.kind, says=_REPORTS[report.kind](report), details=report.details
    )


def _tried(report: WorkReport) -> str:
    channel = (report.channel or "").replace("_", " ")
    if report.details.get("automatic"):
        return f"{channel}, sent by a machine: it stops nothing"
    return f"{report.rep_name} tried: {channel}"


def _met(report: WorkReport) -> str:
    at = report.details.get("meeting_at")
    return f"{report.rep_name} agreed on a meeting" + (f" for {_day_and_time(at)}" if at else "")


def _waits(report: WorkReport) -> str:
    state, until = str(report.details["state"]).replace("_", " "), report.details.get("until")
    return f"{state}, until " + (_day_and_time(until) if until else "it is resumed")


def _goes_on(report: WorkReport) -> str:
    return f"no longer {str(report.details['state']).replace('_', ' ')}"


def _done_with(report: WorkReport) -> str:
    return f"{report.details['reason']}, " + (
        f"while {report.rep_name} had it" if report.rep_name else "while nobody had it"
    )


_REPORTS: dict[str, Callable[[WorkReport], str]] = {
    "attempted": _tried,
    "meeting_booked": _met,
    "paused": _waits,
    "resumed": _goes_on,
    "closed": _done_with,
}


def _day_and_time(stored: str) -> str:
    return f"{datetime.fromisoformat(stored).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _timed(clock: ClockSeen) -> Iterator[Happened]:
    details = {"clock_id": str(clock.clock_id), "due_at": clock.due_at.isoformat()}
    promise = f"{clock.policy} ({clock.target})" if clock.target else clock.policy
    if clock.whose != "owner":
        promise = f"the {clock.whose}'s {promise}"
    for warned in clock.warnings:
        yield Happened(
            at=warned.warned_at,
            kind="warned",
            says=f"{promise}: time is running out{_how_far(warned)}",
            details={
                **details,
                **warned.model_dump(mode="json", exclude_none=True, include={"percent", "left"}),
            },
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


def _how_far(warned: Warned) -> str:
    if warned.left is not None:
        return f", {warned.left}"
    return "" if warned.percent is None else f", {warned.percent} % of it is used"
