"""Tell a person what a clock is: what started it, whose hours count, what stops it, when it is due and what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leadpact.domain.business_duration import WallDuration, parse_duration, say
from leadpact.pact.model import Pact
from leadpact_sla_timer.sla_clock import ClockState, SlaClock


def explain(clock: SlaClock, now: datetime, pact: Pact) -> str:
    """The clock in a few sentences, with local times. ``pact`` is the version it started under."""
    sentences = (_start(clock), _hours(clock), _stops(clock), _due(clock), _outcome(clock, now, pact))
    return " ".join(sentences)


def time_left(clock: SlaClock, now: datetime, pact: Pact) -> timedelta:
    """How much of the target is left to a running clock; zero once it is due."""
    left = timedelta(seconds=clock.target_seconds) - clock.used(now, pact)
    return max(left, timedelta(0))


def second_zone(clock: SlaClock) -> str | None:
    """The zone in which the due time is told once more: the owner's, or UTC if the hours are kept in the owner's; None if all is UTC."""
    others = (zone for zone in (clock.rep_timezone, "UTC") if zone != clock.timezone)
    return next(others, None)


def _start(clock: SlaClock) -> str:
    owner = "the first owner" if clock.hop == 1 else f"owner number {clock.hop}"
    return f"Started when {clock.rep_name}, {owner}, was given the lead: {_local(clock.started_at, clock.timezone)}."


def _hours(clock: SlaClock) -> str:
    promise = f"The promise {clock.policy} (pact version {clock.pact_version}) allows {clock.target}"
    if isinstance(parse_duration(clock.target), WallDuration):
        return f"{promise}; every hour counts, by night and on holidays too."
    return f"{promise}, counted in the hours of the calendar {clock.calendar} in {clock.timezone}."


def _stops(clock: SlaClock) -> str:
    return f"It is kept once the lead is {' or '.join(clock.stops)}, and ends when the lead is rejected or goes to somebody else."


def _due(clock: SlaClock) -> str:
    due = f"It {'is' if clock.state is ClockState.RUNNING else 'was'} due {_local(clock.due_at, clock.timezone)}"
    other = second_zone(clock)
    return f"{due}, which is {_local(clock.due_at, other)}." if other else f"{due}."


def _outcome(clock: SlaClock, now: datetime, pact: Pact) -> str:
    match clock.state:
        case ClockState.RUNNING:
            return _running(clock, now, pact)
        case ClockState.MET:
            return f"It was met: {_touch(clock)}.{_void(clock)}"
        case ClockState.BREACHED:
            return _breached(clock)
        case ClockState.CANCELLED:
            when = _local(clock.ended_at, clock.timezone)
            return f"It was cancelled {when}, because the assignment ended ({clock.ended_because}).{_void(clock)}"


def _running(clock: SlaClock, now: datetime, pact: Pact) -> str:
    if clock.due_at <= now:
        return "The time is up."
    left = f"{say(time_left(clock, now, pact))} {_unit(clock)} is left"
    counting = clock.counting(pact)
    if counting.is_open(now):
        return f"{left}."
    return f"{left}; it is out of hours and goes on {_local(counting.next_open(now), clock.timezone)}."


def _breached(clock: SlaClock) -> str:
    said = f"It was breached, which was announced {_local(clock.breached_at, clock.timezone)}."
    if clock.met_at is None:
        return f"{said} Nobody has been heard to touch the lead since."
    return f"{said} In the end the lead was {_touch(clock)}."


def _touch(clock: SlaClock) -> str:
    used = say(timedelta(seconds=clock.business_seconds or 0))
    return f"{clock.met_by} {_local(clock.met_at, clock.timezone)}, with {used} {_unit(clock)} used"


def _void(clock: SlaClock) -> str:
    if clock.breached_at is None:
        return ""
    return (
        f" We heard of it {_local(clock.recorded_at, clock.timezone)}; "
        f"the breach announced {_local(clock.breached_at, clock.timezone)} is void."
    )


def _unit(clock: SlaClock) -> str:
    return "of wall time" if isinstance(parse_duration(clock.target), WallDuration) else "of business time"


def _local(at: datetime | None, zone: str) -> str:
    assert at is not None
    return f"{at.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M} {zone}"
