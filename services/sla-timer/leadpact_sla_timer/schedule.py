"""Work out when a clock warns and when it is due, given when it started and what was paused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from leadpact.events import Away
from leadpact.pact.model import Pact
from leadpact.pact.phrases import Share, TimeLeft
from leadpact.pact.sla import Promise
from leadpact_sla_timer.record import Paused, cut
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn, next_moment, stands_still

OWNER_AWAY = "owner away"
"""Why a clock stands still that no state of the lead pauses."""


def timed(clock: SlaClock, pact: Pact) -> SlaClock:
    """An open clock with the moments that follow from its start, its hours and its pauses; ``pact`` is its version."""
    counting, length = clock.counting(pact), timedelta(seconds=clock.target_seconds)
    over = [(pause.at, pause.until) for pause in clock.pauses if pause.until is not None]
    due_at = counting.add(clock.started_at, length, pauses=over)
    promise = clock.promise(pact)
    warnings = sorted(
        Warn(percent, counting.add(clock.started_at, after, pauses=over), left)
        for percent, (after, left) in _warnings(promise.warn_at, promise, clock, pact).items()
    )
    moved = replace(clock, due_at=due_at, warnings=tuple(warnings), state=_state(clock, due_at))
    return replace(moved, next_at=next_moment(moved))


def with_lead_paused(clock: SlaClock, pauses: Iterable[Paused], pact: Pact) -> SlaClock:
    """An open clock with the pauses that its lead has had, as far as they are its promise's."""
    states = clock.promise(pact).pause_while
    own = [pause for pause in clock.pauses if pause.because == OWNER_AWAY]
    lead = [pause for pause in pauses if pause.because in states and _is_after(pause, clock.started_at)]
    return _with_pauses(clock, [*own, *lead], pact)


def with_absences(clock: SlaClock, away: Iterable[Away], pact: Pact, now: datetime) -> SlaClock:
    """An open clock of an owner whose absences, from ``now`` on, are ``away``. What has passed stays as it was."""
    promise = clock.promise(pact)
    ahead = [absence for absence in away if absence.ends_at > now]
    match promise.owner_away:
        case "pause":
            passed = cut((pause for pause in clock.pauses if pause.because == OWNER_AWAY), now)
            others = [pause for pause in clock.pauses if pause.because != OWNER_AWAY]
            coming = [Paused(max(one.starts_at, now), one.ends_at, OWNER_AWAY) for one in ahead]
            return _with_pauses(clock, [*others, *passed, *coming], pact)
        case "reassign":
            first = min(ahead, key=lambda one: one.starts_at, default=None)
            leaves_at = max(first.starts_at, now) if first else None
            leaving = replace(clock, leaves_at=leaves_at, away_until=first.ends_at if first else None)
            return replace(leaving, next_at=next_moment(leaving))
        case _:
            return clock


def _with_pauses(clock: SlaClock, pauses: Sequence[Paused], pact: Pact) -> SlaClock:
    in_order = tuple(sorted(pauses, key=lambda pause: pause.at))
    return timed(replace(clock, pauses=in_order), pact) if in_order != clock.pauses else clock


def _is_after(pause: Paused, at: datetime) -> bool:
    return pause.until is None or pause.until > at


def _state(clock: SlaClock, due_at: datetime) -> ClockState:
    """A clock that nobody has resumed stands still, unless it had been due before."""
    if clock.state is ClockState.WAITING:
        return clock.state
    return ClockState.PAUSED if stands_still(replace(clock, due_at=due_at)) else ClockState.RUNNING


def _warnings(
    wanted: Iterable[Share | TimeLeft], promise: Promise, clock: SlaClock, pact: Pact
) -> dict[float, tuple[timedelta, str | None]]:
    """Each warning by the share of the time, in percent, that is used by then: after how much, and how the pact says it.

    Time left that is all of the target, or more, warns of nothing; of two warnings at one share the first stands.
    """
    length = timedelta(seconds=clock.target_seconds)
    hours = clock.hours(pact)
    found: dict[float, tuple[timedelta, str | None]] = {}
    for warning in wanted:
        if isinstance(warning, Share):
            found.setdefault(warning.percent, (length * warning.percent / 100, None))
        elif (after := length - warning.time.length(hours)) > timedelta(0):
            found.setdefault(100 * (after / length), (after, str(warning)))
    return found
