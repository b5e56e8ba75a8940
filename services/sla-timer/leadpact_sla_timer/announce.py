"""Say what became of a clock, in the events that the other services hear. Each happened when it was so, whenever it was found."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from pydantic import AwareDatetime

from leadpact.events import SlaBreached, SlaCancelled, SlaMet, SlaStarted, SlaWarned
from leadpact.events.sla import ClockEvent
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn


def change(before: SlaClock, after: SlaClock) -> ClockEvent | None:
    """What there is to say when a clock goes from one state to another; None if it stays where it is."""
    if after.state == before.state:
        return None
    match after.state:
        case ClockState.MET:
            return _met(after)
        case ClockState.BREACHED:
            return breached(after)
        case ClockState.CANCELLED:
            return _cancelled(after)
        case ClockState.RUNNING:
            raise AssertionError("a clock that has ended never runs again")


def started(clock: SlaClock) -> SlaStarted:
    """The clock runs."""
    return SlaStarted(
        **_about(clock),
        occurred_at=clock.started_at,
        started_at=clock.started_at,
        target=clock.target,
        calendar=clock.calendar,
        pact_version=clock.pact_version,
    )


def warned(clock: SlaClock, warning: Warn) -> SlaWarned:
    """So much of the time is used."""
    return SlaWarned(**_about(clock), occurred_at=warning.at, percent=warning.percent)


def breached(clock: SlaClock) -> SlaBreached:
    """The time is up."""
    return SlaBreached(
        **_about(clock),
        occurred_at=clock.due_at,
        reassign_at_most=clock.reassign_at_most,
        escalate_to=clock.escalate_to,
        pact_version=clock.pact_version,
    )


def _met(clock: SlaClock) -> SlaMet:
    assert clock.met_at
    assert clock.recorded_at
    assert clock.business_seconds is not None
    return SlaMet(
        **_about(clock),
        occurred_at=clock.met_at,
        met_at=clock.met_at,
        recorded_at=clock.recorded_at,
        business_seconds_used=int(clock.business_seconds),
        was_breached=clock.was_breached,
    )


def _cancelled(clock: SlaClock) -> SlaCancelled:
    assert clock.ended_at
    assert clock.ended_because
    return SlaCancelled(
        **_about(clock),
        occurred_at=clock.ended_at,
        reason=clock.ended_because,
        was_breached=clock.was_breached,
    )


class _About(TypedDict):
    clock_id: UUID
    lead_id: UUID
    assignment_id: UUID
    policy: str
    rep_id: str
    due_at: AwareDatetime


def _about(clock: SlaClock) -> _About:
    return {
        "clock_id": clock.id,
        "lead_id": clock.lead_id,
        "assignment_id": clock.assignment_id,
        "policy": clock.policy,
        "rep_id": clock.rep_id,
        "due_at": clock.due_at,
    }
