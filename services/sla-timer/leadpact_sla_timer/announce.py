"""Say what became of a clock, in the events that the other services hear. Each happened when it was so, whenever it was found."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from pydantic import AwareDatetime

from leadpact.events import (
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact.events.sla import ClockEvent, Whose
from leadpact.pact.model import Pact
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn


def change(
    before: SlaClock, after: SlaClock, now: datetime, pact: Pact, because: str | None = None
) -> ClockEvent | None:
    """What there is to say when a clock goes from one state to another; None if it stays where it is.

    ``pact`` is the version it runs under; ``because`` says why an open clock moved, if it was not for its pauses.
    """
    is_new = after.state is not before.state
    match after.state:
        case ClockState.MET if is_new:
            return _met(after)
        case ClockState.BREACHED if is_new:
            return breached(after, now, pact)
        case ClockState.CANCELLED if is_new:
            return _cancelled(after)
        case ClockState.PAUSED if is_new:
            return paused(after)
        case ClockState.RUNNING | ClockState.PAUSED if is_new or after.due_at != before.due_at:
            return _moved(before, after, now, because or _why_moved(before, after))
        case _:
            return None


def started(clock: SlaClock) -> SlaStarted:
    """The clock runs."""
    return SlaStarted(
        **_about(clock),
        occurred_at=clock.started_at,
        started_at=clock.started_at,
        target=clock.target,
        calendar=clock.calendar,
        pact_version=clock.pact_version,
        kind=clock.kind,
        released_at_pace=clock.released_at_pace,
    )


def warned(clock: SlaClock, warning: Warn) -> SlaWarned:
    """So much of the time is used; ``percent`` is told in whole ones."""
    return SlaWarned(**_about(clock), occurred_at=warning.at, percent=int(warning.percent), left=warning.left)


def paused(clock: SlaClock) -> SlaPaused:
    """No time passes, from when the lead was paused or the clock's turn came."""
    pause = next(pause for pause in clock.pauses if pause.until is None)
    return SlaPaused(**_about(clock), occurred_at=max(pause.at, clock.started_at), because=pause.because)


def breached(clock: SlaClock, now: datetime, pact: Pact) -> SlaBreached:
    """The time is up. ``pact`` is the version it ran under, whose quiet hours say when people may be told."""
    may_tell_at = loud_from(clock, now, pact)
    return SlaBreached(
        **_about(clock),
        occurred_at=clock.due_at,
        reassign_at_most=clock.reassign_at_most,
        escalate_to=clock.escalate_to,
        stops=clock.promise(pact).stops,
        take_offline=clock.take_offline,
        alert_at=may_tell_at if may_tell_at > now else None,
        pact_version=clock.pact_version,
    )


def loud_from(clock: SlaClock, now: datetime, pact: Pact) -> datetime:
    """When people may be told of something that is so ``now``: not in the quiet hours of the owner's zone, or of the clock's."""
    return pact.alerts.not_before(now, clock.rep_timezone or clock.timezone)


def owner_left(clock: SlaClock) -> SlaOwnerLeft:
    """The owner's absence has begun."""
    assert clock.ended_at
    assert clock.away_until
    return SlaOwnerLeft(
        **_about(clock),
        occurred_at=clock.ended_at,
        away_until=clock.away_until,
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
        give_back=clock.was_breached and clock.give_back,
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


def _moved(before: SlaClock, after: SlaClock, now: datetime, because: str) -> SlaMoved:
    return SlaMoved(
        **_about(after),
        occurred_at=now,
        due_before=before.due_at,
        because=because,
        target=after.target,
        pact_version=after.pact_version,
        is_paused=after.state is ClockState.PAUSED,
    )


def _why_moved(before: SlaClock, after: SlaClock) -> str:
    if before.state is ClockState.PAUSED and after.state is ClockState.RUNNING:
        return "resumed"
    news = [pause.because for pause in after.pauses if pause not in before.pauses]
    return news[0] if news else "a pause was taken back"


class _About(TypedDict):
    clock_id: UUID
    lead_id: UUID
    assignment_id: UUID | None
    policy: str
    rep_id: str | None
    due_at: AwareDatetime
    whose: Whose


def _about(clock: SlaClock) -> _About:
    return {
        "clock_id": clock.id,
        "lead_id": clock.lead_id,
        "assignment_id": clock.assignment_id,
        "policy": clock.policy,
        "rep_id": clock.rep_id,
        "due_at": clock.due_at,
        "whose": clock.whose,
    }
