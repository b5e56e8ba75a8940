"""Tell a person what a clock is: what started it, whose hours count, what stops it, when it is due and what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leadpact.domain.business_duration import WallDuration, parse_duration, say
from leadpact.pact.model import Pact
from leadpact.pact.sla import AttemptsPromise, Promise
from leadpact_sla_timer.sla_clock import ClockState, SlaClock

_STOP_WORDS = {"meeting_booked": "a meeting is booked", "rejected": "it is given back"}


def explain(clock: SlaClock, now: datetime, pact: Pact) -> str:
    """The clock in a few sentences, with local times. ``pact`` is the version it runs under."""
    sentences = (
        _start(clock),
        _hours(clock, pact),
        _stops(clock, clock.promise(pact)),
        *_pauses(clock),
        _due(clock),
        _outcome(clock, now, pact),
    )
    return " ".join(sentences)


def time_left(clock: SlaClock, now: datetime, pact: Pact) -> timedelta:
    """How much of the target is left to an open clock; zero once it is due."""
    left = timedelta(seconds=clock.target_seconds) - clock.used(now, pact)
    return max(left, timedelta(0))


def second_zone(clock: SlaClock) -> str | None:
    """The zone in which the due time is told once more: the owner's or the lead's, or UTC if the hours are kept in that; None if all is UTC."""
    others = (
        zone for zone in (clock.rep_timezone, clock.lead_timezone, "UTC") if zone and zone != clock.timezone
    )
    return next(others, None)


def _start(clock: SlaClock) -> str:
    verb = "Starts" if clock.state is ClockState.WAITING else "Started"
    at = _local(clock.started_at, clock.timezone)
    if clock.released_at_pace:
        return f"{_whose(clock)} {verb} at its turn, since the lead came in bulk: {at}."
    match clock.whose:
        case "owner":
            owner = "the first owner" if clock.hop == 1 else f"owner number {clock.hop}"
            return f"The owner's clock. {verb} when {clock.rep_name}, {owner}, was given the lead: {at}."
        case "team":
            return f"The team's clock. {verb} when the lead qualified: {at}."
        case "customer":
            return f"The customer's clock. {verb} when the lead was received: {at}."


def _whose(clock: SlaClock) -> str:
    return f"The {clock.whose}'s clock."


def _hours(clock: SlaClock, pact: Pact) -> str:
    promise = clock.promise(pact)
    asked = f"{promise.attempts.count} attempts within " if isinstance(promise, AttemptsPromise) else ""
    said = f"The promise {clock.policy} (pact version {clock.pact_version}) allows {asked}{clock.target}"
    if isinstance(parse_duration(clock.target), WallDuration):
        return f"{said}; every hour counts, by night and on holidays too."
    hours = f"the hours of the calendar {clock.calendar} in {clock.timezone}"
    if clock.shared_calendar:
        return f"{said}, counted while {hours} and those of {clock.shared_calendar} in {clock.shared_timezone} are both open."
    alone = " alone, since the two that it names never meet" if len(promise.whose_hours) == 2 else ""
    return f"{said}, counted in {hours}{alone}."


def _stops(clock: SlaClock, promise: Promise) -> str:
    ways = [_STOP_WORDS.get(stop, f"the lead is {stop}") for stop in promise.stops]
    if isinstance(promise, AttemptsPromise):
        over = f" over {promise.attempts.channels} channels" if promise.attempts.channels > 1 else ""
        apart = f", each at least {promise.apart} after the last" if promise.apart else ""
        ways = [f"there are {promise.attempts.count} attempts{over}{apart}", *ways]
    end = (
        "when the lead is rejected or goes to somebody else"
        if clock.whose == "owner"
        else "when sales is done with the lead"
    )
    return f"It is kept once {' or '.join(ways)}, and ends {end}. Automatic replies stop nothing."


def _pauses(clock: SlaClock) -> list[str]:
    told = [
        f"{pause.because.replace('_', ' ')} from {_local(pause.at, clock.timezone)}"
        + (f" to {_local(pause.until, clock.timezone)}" if pause.until else " until it is resumed")
        for pause in clock.pauses
    ]
    return [f"No time passes while paused: {'; '.join(told)}."] if told else []


def _due(clock: SlaClock) -> str:
    if clock.state is ClockState.PAUSED:
        return "It is due at no time until it goes on."
    due = f"It {'is' if clock.state.is_open else 'was'} due {_local(clock.due_at, clock.timezone)}"
    other = second_zone(clock)
    return f"{due}, which is {_local(clock.due_at, other)}." if other else f"{due}."


def _outcome(clock: SlaClock, now: datetime, pact: Pact) -> str:
    match clock.state:
        case ClockState.WAITING:
            return "It does not run yet."
        case ClockState.RUNNING | ClockState.PAUSED:
            return _running(clock, now, pact)
        case ClockState.MET:
            return f"It was met: {_touch(clock)}.{_void(clock)}"
        case ClockState.BREACHED:
            return _breached(clock)
        case ClockState.CANCELLED:
            when = _local(clock.ended_at, clock.timezone)
            return f"It was cancelled {when} ({clock.ended_because}).{_void(clock)}"


def _running(clock: SlaClock, now: datetime, pact: Pact) -> str:
    if clock.state is ClockState.RUNNING and clock.due_at <= now:
        return "The time is up."
    left = f"{say(time_left(clock, now, pact))} {_unit(clock)} is left"
    if clock.state is ClockState.PAUSED:
        return f"It stands still; {left}."
    counting = clock.counting(pact)
    if counting.is_open(now):
        return f"{left}."
    return f"{left}; it is out of hours and goes on {_local(counting.next_open(now), clock.timezone)}."


def _breached(clock: SlaClock) -> str:
    said = f"It was breached, which was announced {_local(clock.breached_at, clock.timezone)}."
    if clock.met_at is None:
        return f"{said} Nobody has been heard to do what was promised since."
    return f"{said} In the end: {_touch(clock)}."


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
