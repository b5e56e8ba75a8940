"""Say what has become of a clock from everything known by now, in whatever order it was heard.

What decides is when things happened, never when we heard of them:

* what keeps the promise, at or before ``due_at``, meets the clock, also when the breach had been announced because the news came late;
* the end (rejected, closed, or given to somebody else) at or before ``due_at`` cancels the clock, unless the promise was kept before it;
* anything later than ``due_at`` leaves a breach, and what is done after it is measured all the same: the record says how long it took.

What was true before the clock opened counts as done at its start, with a duration of zero; a clock that still waits for its turn
is met where it stands. Every fact is kept at its earliest, so judging again with one more fact never forgets, and judging twice
changes nothing.

Pauses are the exception: they count from when they are heard of, and only for a clock that is still open. A pause moves ``due_at``,
so that the same line decides.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from leadpact.pact.model import Pact
from leadpact_sla_timer.policies import BY_KIND
from leadpact_sla_timer.record import Heard, Known, cut, earliest
from leadpact_sla_timer.schedule import OWNER_AWAY, timed, with_lead_paused
from leadpact_sla_timer.sla_clock import ClockState, SlaClock


def judge(clock: SlaClock, known: Known, now: datetime, pact: Pact) -> SlaClock:
    """``clock`` as it stands. ``pact`` is the version it runs under."""
    if clock.state.is_open:
        clock = with_lead_paused(clock, known.pauses, pact)
    promise = clock.promise(pact)
    keeping = BY_KIND[promise.KIND].keeps(promise, known, clock.hours(pact))
    kept = _since_start(clock, min(keeping, key=_when, default=None))
    ended = _since_start(clock, _end(clock, known))
    first = min(
        (fact for fact in (kept, ended) if fact), key=_when, default=None
    )  # of both at one instant, the first
    if first is None:
        return clock
    clock = _stopped(clock, first.at, pact)
    if first.at > clock.due_at:
        return _breached(clock, kept, now, pact)
    return _met(clock, first, pact) if first is kept else cancelled(clock, first, pact)


def _end(clock: SlaClock, known: Known) -> Heard | None:
    """What ends the clock whether or not its promise was kept; the owner's leaving is known from the clock alone."""
    if clock.ended_because != OWNER_AWAY or clock.ended_at is None or clock.recorded_at is None:
        return known.ended
    left = Heard(OWNER_AWAY, clock.ended_at, clock.recorded_at)
    return earliest(left, known.ended) if known.ended else left


def _stopped(clock: SlaClock, at: datetime, pact: Pact) -> SlaClock:
    """The clock as it stood at ``at``. One that waited for its turn opened then, unless its turn had come and no sweep had seen it; one
    that stood still was due at no time, and goes on from there.
    """
    match clock.state:
        case ClockState.WAITING:
            return replace(clock, started_at=min(at, clock.started_at))
        case ClockState.PAUSED:
            return timed(replace(clock, pauses=cut(clock.pauses, at)), pact)
        case _:
            return clock


def _since_start(clock: SlaClock, fact: Heard | None) -> Heard | None:
    """What was so before the clock opened is so from its start."""
    if fact is None or clock.state is ClockState.WAITING:
        return fact
    return replace(fact, at=max(fact.at, clock.started_at))


def _when(fact: Heard) -> datetime:
    return fact.at


def _met(clock: SlaClock, touch: Heard, pact: Pact) -> SlaClock:
    measured = _measured(clock, touch, pact)
    return replace(
        measured,
        state=ClockState.MET,
        next_at=None,
        met_at=touch.at,
        met_by=touch.what,
        ended_at=None,
        ended_because=None,
    )


def cancelled(clock: SlaClock, ended: Heard, pact: Pact) -> SlaClock:
    """The clock no longer matters, since ``ended``."""
    measured = _measured(clock, ended, pact)
    return replace(
        measured,
        state=ClockState.CANCELLED,
        next_at=None,
        met_at=None,
        met_by=None,
        ended_at=ended.at,
        ended_because=ended.what,
    )


def _breached(clock: SlaClock, touch: Heard | None, now: datetime, pact: Pact) -> SlaClock:
    breached = replace(clock, state=ClockState.BREACHED, next_at=None, breached_at=clock.breached_at or now)
    if touch is None:
        return breached
    return replace(_measured(breached, touch, pact), met_at=touch.at, met_by=touch.what)


def _measured(clock: SlaClock, fact: Heard, pact: Pact) -> SlaClock:
    """With both durations up to ``fact``: wall time, and the time that counts for the target."""
    return replace(
        clock,
        recorded_at=fact.recorded_at,
        elapsed_seconds=(fact.at - clock.started_at).total_seconds(),
        business_seconds=clock.used(fact.at, pact).total_seconds(),
    )
