"""Say what has become of a clock from everything known by now, in whatever order it was heard.

What decides is when things happened, never when we heard of them:

* a touch at or before ``due_at`` meets the clock, also when the breach had been announced because the news came late;
* the end of the assignment (rejected, or given to somebody else) at or before ``due_at`` cancels the clock, unless a touch
  came before the end;
* anything later than ``due_at`` leaves a breach, and a touch after it is measured all the same: the record says how long it took.

What was true before the clock opened counts as done at its start, with a duration of zero. Every fact is kept at its earliest,
so judging again with one more fact never forgets, and judging twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from leadpact.pact.model import Pact
from leadpact_sla_timer.sla_clock import ClockState, SlaClock


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that happened ``at``, of which we heard at ``recorded_at``; ``what`` names it or says why."""

    what: str
    at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is known of one assignment. ``cycle_id`` and ``assigned_at`` are None while only feedback has come."""

    id: UUID
    lead_id: UUID
    cycle_id: UUID | None = None
    assigned_at: datetime | None = None
    contacted: Heard | None = None
    accepted: Heard | None = None
    ended: Heard | None = None


def reported(what: str, happened_at: datetime, recorded_at: datetime) -> Heard:
    """News from outside. Nothing is heard of before it happened, whatever the sender's clock says."""
    return Heard(what, min(happened_at, recorded_at), recorded_at)


def earliest(known: Heard | None, news: Heard) -> Heard:
    """What happened first; of two reports of one instant, the one already known."""
    return news if known is None or news.at < known.at else known


def judge(
    clock: SlaClock, own: Assignment, others: Iterable[Assignment], now: datetime, pact: Pact
) -> SlaClock:
    """``clock`` as it stands. ``others`` are the lead's other assignments, ``pact`` the version it started under."""
    touch = _since_start(clock, min(_touches(clock, own, others), key=_when, default=None))
    ended = _since_start(clock, own.ended)
    known = [fact for fact in (touch, ended) if fact]
    first = min(known, key=_when, default=None)  # of both at one instant, the touch
    if first is None:
        return clock
    if first.at > clock.due_at:
        return _breached(clock, touch, now, pact)
    return _met(clock, first, pact) if first is touch else _cancelled(clock, first, pact)


def _touches(clock: SlaClock, own: Assignment, others: Iterable[Assignment]) -> Iterator[Heard]:
    if own.accepted and "accepted" in clock.stops:
        yield own.accepted
    if "contacted" not in clock.stops:
        return
    if own.contacted:
        yield own.contacted
    for other in others:
        # An owner before this one had reached the lead already. What they do afterwards is not this owner's doing, and a
        # contact before the lead was recycled belongs to another cycle.
        if other.cycle_id == own.cycle_id and other.contacted and other.contacted.at <= clock.started_at:
            yield other.contacted


def _since_start(clock: SlaClock, fact: Heard | None) -> Heard | None:
    """What was so before the clock opened is so from its start."""
    return replace(fact, at=max(fact.at, clock.started_at)) if fact else None


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


def _cancelled(clock: SlaClock, ended: Heard, pact: Pact) -> SlaClock:
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
