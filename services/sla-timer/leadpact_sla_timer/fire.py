"""Say what happens to a clock whose moment has come. Pure.

Of several things that were missed the earliest that ends it is true: an owner who left before the clock was due has breached nothing. A
clock that is due is not warned about any more, and of several warnings that were missed only the last says anything new. A warning is for
people: in quiet hours it waits until they end, or until the clock is due.

A lead may be paused while its clock waits for its turn. The clock then fires twice: it starts, and stands still at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from leadpact.events.sla import ClockEvent
from leadpact.pact.model import Pact
from leadpact_sla_timer import announce
from leadpact_sla_timer.judge import cancelled
from leadpact_sla_timer.record import Heard
from leadpact_sla_timer.schedule import OWNER_AWAY
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, next_moment, stands_still


@dataclass(frozen=True, slots=True)
class Fired:
    """A clock that fired: what it is now, what is announced (None: a warning was put off), and for when that was planned."""

    clock: SlaClock
    event: ClockEvent | None
    planned_at: datetime


def fire(clock: SlaClock, now: datetime, pact: Pact) -> Fired:
    """What a clock becomes whose moment, ``next_at``, has come; ``pact`` is the version it runs under."""
    if clock.state is ClockState.WAITING:
        running = replace(clock, state=ClockState.RUNNING)
        return Fired(
            replace(running, next_at=next_moment(running)), announce.started(running), clock.started_at
        )
    if stands_still(clock):
        paused = replace(clock, state=ClockState.PAUSED, next_at=None)
        return Fired(paused, announce.paused(paused), clock.started_at)
    if clock.leaves_at is not None and clock.leaves_at <= now and clock.leaves_at < clock.due_at:
        left = cancelled(clock, Heard(OWNER_AWAY, clock.leaves_at, now), pact)
        return Fired(left, announce.owner_left(left), clock.leaves_at)
    if clock.due_at <= now:
        ended = replace(clock, state=ClockState.BREACHED, next_at=None, breached_at=now)
        return Fired(ended, announce.breached(ended, now, pact), clock.due_at)
    return _warn(clock, now, pact)


def _warn(clock: SlaClock, now: datetime, pact: Pact) -> Fired:
    warning = max((one for one in clock.warnings if one.at <= now), key=lambda one: one.at)
    loud_at = announce.loud_from(clock, now, pact)
    if loud_at > now:
        later = min(moment for moment in (loud_at, clock.leaves_at, clock.due_at) if moment)
        return Fired(replace(clock, next_at=later), None, warning.at)
    warned = replace(clock, warned_percent=warning.percent)
    warned = replace(warned, next_at=next_moment(warned))
    return Fired(warned, announce.warned(warned, warning), warning.at)
