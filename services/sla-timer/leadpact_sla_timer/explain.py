"""Tell a person what a clock is: what started it, whose hours count, what stops it, when it is due and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from leadpact.domain.business_duration import WallDuration, parse_duration, say
from leadpact.domain.wall_time import date_and_time
from leadpact.pact.model import Pact
from leadpact.pact.sla import AttemptsPromise, DecidePromise, Promise
from leadpact_sla_timer.policies.attempts import counted
from leadpact_sla_timer.record import Heard
from leadpact_sla_timer.sla_clock import ClockState, SlaClock

_DONE_TO_THE_LEAD = {"contacted": "contacted", "accepted": "accepted", "rejected": "given back"}


def explain(clock: SlaClock, now: datetime, pact: Pact, attempts: Sequence[Heard] = ()) -> str:
    """The clock in a few sentences, with local times. ``pact`` is the version it runs under, ``attempts`` what was tried so far."""
    sentences = (
        _start(clock),
        _hours(clock, pact),
        _stops(clock, clock.promise(pact)),
        *_tried(clock, attempts, pact),
        *_pauses(clock),
        *_leaving(clock),
        _due(clock),
        _outcome(clock, now, pact),
    )
    return " ".join(sentences)


def time_left(clock: SlaClock, now: datetime, pact: Pact) -> timedelta:
    """How much of the target is left to an open clock: all of it until it starts, zero once it is due."""
    target = timedelta(seconds=clock.target_seconds)
    if clock.state is ClockState.WAITING:
        return target
    return max(target - clock.used(now, pact), timedelta(0))


def second_zone(clock: SlaClock) -> str | None:
    """The zone in which the due time is told once more: the owner's or the lead's, or UTC if the hours are kept in that; None if all is UTC."""
    others = (
        zone for zone in (clock.rep_timezone, clock.lead_timezone, "UTC") if zone and zone != clock.timezone
    )
    return next(others, None)


def _start(clock: SlaClock) -> str:
    said, at = f"The {clock.whose}'s clock.", _local(clock.started_at, clock.timezone)
    if clock.state is ClockState.WAITING:
        return f"{said} The lead came in bulk{_with(clock)}: it starts at the lead's turn, {at}."
    if clock.released_at_pace and clock.elapsed_seconds == 0:
        return f"{said} The lead came in bulk{_with(clock)}, and this was over before it could start: {at}."
    turn = " and its turn had come, since it came in bulk" if clock.released_at_pace else ""
    return f"{said} Started when {_started_by(clock)}{turn}: {at}."


def _started_by(clock: SlaClock) -> str:
    match clock.whose:
        case "owner":
            return f"{_owner(clock)}, was given the lead"
        case "team":
            return "the lead qualified"
        case "customer":
            return "the lead was received"


def _with(clock: SlaClock) -> str:
    return f" and went to {_owner(clock)}" if clock.whose == "owner" else ""


def _owner(clock: SlaClock) -> str:
    return f"{clock.rep_name}, " + ("the first owner" if clock.hop == 1 else f"owner number {clock.hop}")


def _hours(clock: SlaClock, pact: Pact) -> str:
    promise = clock.promise(pact)
    said = f"The promise {clock.policy} (pact version {clock.pact_version}) {_allowed(clock, promise)}"
    if isinstance(parse_duration(clock.target), WallDuration):
        return f"{said}; every hour counts, by night and on holidays too."
    hours = f"{clock.calendar} in {clock.timezone}"
    if clock.shared_calendar:
        other = f"{clock.shared_calendar} in {clock.shared_timezone}"
        return f"{said}, counted while the calendars {hours} and {other} are both open."
    alone = " alone, since the two that it names never meet" if len(promise.whose_hours) == 2 else ""
    return f"{said}, counted in the hours of the calendar {hours}{alone}."


def _allowed(clock: SlaClock, promise: Promise) -> str:
    match promise:
        case AttemptsPromise():
            return f"asks for {_attempts(promise)} within {_target(clock)}"
        case DecidePromise():
            return f"allows {_target(clock)} to decide"
        case _:
            return f"allows {_target(clock)}"


def _target(clock: SlaClock) -> str:
    """In the words of the pact; how long a business day is depends on the hours that count, so that is said too."""
    if "business day" not in clock.target:
        return clock.target
    return f"{clock.target} ({say(timedelta(seconds=clock.target_seconds))})"


def _stops(clock: SlaClock, promise: Promise) -> str:
    done = [word for stop, word in _DONE_TO_THE_LEAD.items() if stop in promise.stops]
    ways = [f"the lead is {_either(done)}"] if done else []
    if "meeting_booked" in promise.stops:
        ways.append("a meeting is booked")
    if isinstance(promise, AttemptsPromise):
        ways.insert(0, _enough(promise))
    return f"It is kept once {' or '.join(ways)}, and ends {_end(clock, promise)}. Automatic replies stop nothing."


def _enough(promise: AttemptsPromise) -> str:
    channels = promise.attempts.channels
    over = f" over {channels} channels" if channels > 1 else ""
    apart = f", each at least {promise.apart} after the last," if promise.apart else ""
    return f"there {'is' if promise.attempts.count == 1 else 'are'} {_attempts(promise)}{over}{apart}"


def _tried(clock: SlaClock, attempts: Sequence[Heard], pact: Pact) -> list[str]:
    """Of an open clock: how much of what its promise asks for was done."""
    promise = clock.promise(pact)
    if not isinstance(promise, AttemptsPromise) or not clock.state.is_open:
        return []
    if not attempts:
        return ["Nobody has tried so far."]
    number = len(counted(attempts, promise.apart, clock.hours(pact)))
    channels = sorted({attempt.what for attempt in attempts})
    wanted = promise.attempts.channels
    over = f" over {len(channels)} of {wanted} channels" if wanted > 1 else ""
    counts = "counts" if number == 1 else "count"
    return [f"So far {number} of {_attempts(promise)} {counts}{over}, by {' and '.join(channels)}."]


def _attempts(promise: AttemptsPromise) -> str:
    count = promise.attempts.count
    return "1 attempt" if count == 1 else f"{count} attempts"


def _end(clock: SlaClock, promise: Promise) -> str:
    if clock.whose != "owner":
        return "when sales is done with the lead"
    back = "" if "rejected" in promise.stops else "is given back, "
    return f"when the lead {back}goes to somebody else or is closed"


def _either(words: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _pauses(clock: SlaClock) -> list[str]:
    told = [
        f"{pause.because.replace('_', ' ')} from {_local(pause.at, clock.timezone)}"
        + (f" to {_local(pause.until, clock.timezone)}" if pause.until else " until it is resumed")
        for pause in clock.pauses
    ]
    return [f"No time passes while paused: {'; '.join(told)}."] if told else []


def _leaving(clock: SlaClock) -> list[str]:
    if not clock.state.is_open or clock.leaves_at is None:
        return []
    away = f"{clock.rep_name} is away from {_local(clock.leaves_at, clock.timezone)}"
    until = f" to {_local(clock.away_until, clock.timezone)}" if clock.away_until else ""
    return [f"{away}{until}: with that the lead goes to somebody else."]


def _due(clock: SlaClock) -> str:
    if clock.state is ClockState.PAUSED:
        return "It is due at no time until it goes on."
    due = f"It {'is' if clock.state.is_open else 'was'} due {_local(clock.due_at, clock.timezone)}"
    other = second_zone(clock)
    return f"{due}, which is {_local(clock.due_at, other)}." if other else f"{due}."


def _outcome(clock: SlaClock, now: datetime, pact: Pact) -> str:
    match clock.state:
        case ClockState.WAITING:
            return (
                f"It does not run yet; all of the {say(time_left(clock, now, pact))} {_unit(clock)} is left."
            )
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
    ahead = [(pause.at, pause.until) for pause in clock.pauses if pause.until]
    if counting.is_open(now, pauses=ahead):
        return f"{left}."
    why = "it stands still" if counting.is_open(now) else "it is out of hours"
    goes_on_at = counting.next_open(now, pauses=ahead)
    return f"{left}; {why} and goes on {_local(goes_on_at, clock.timezone)}."


def _breached(clock: SlaClock) -> str:
    said = f"It was breached, which was announced {_local(clock.breached_at, clock.timezone)}."
    if clock.met_at is None:
        return f"{said} Nobody has been heard to do what was promised since."
    return f"{said} In the end {_touch(clock)}."


def _touch(clock: SlaClock) -> str:
    used = say(timedelta(seconds=clock.business_seconds or 0))
    return (
        f"{_deed(clock.met_by or '')} {_local(clock.met_at, clock.timezone)}, with {used} {_unit(clock)} used"
    )


def _deed(what: str) -> str:
    """What was done, as `record.py` names it: `contacted`, `rejected: no_budget`, `5 attempts`."""
    word, _, reason = what.partition(": ")
    match word:
        case "meeting booked":
            return "a meeting was booked"
        case "rejected":
            return f"the lead was given back ({reason})"
        case "contacted" | "accepted":
            return f"the lead was {word}"
        case "1 attempts":
            return "there was 1 attempt"
        case _:
            return f"there were {what}"


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
    return date_and_time(at, zone)
