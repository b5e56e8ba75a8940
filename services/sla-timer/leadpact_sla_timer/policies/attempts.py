"""Attempts: somebody tries to reach the lead so often, over so many channels, in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.phrases import Duration
from leadpact.pact.sla import AttemptsPromise, Promise
from leadpact_sla_timer.policy import stopping
from leadpact_sla_timer.record import Heard, Known


class Attempts:
    """Kept by the attempt that completes the number and the channels, or by what makes trying needless (`stops`).

    Attempts are taken in the order in which they were made. One that comes sooner than the promise's gap after the last that counted
    does not count for the number, on whatever channel; for the channels every attempt counts. So one more attempt, also one that is
    heard of late, never makes enough too little.
    """

    kind = AttemptsPromise.KIND

    def keeps(self, promise: Promise, known: Known, hours: WorkingCalendar) -> Iterable[Heard]:
        assert isinstance(promise, AttemptsPromise)
        enough = _enough(promise, known.attempts, hours)
        return [*stopping(promise, known), *([enough] if enough else [])]


def counted(attempts: Sequence[Heard], apart: Duration | None, hours: WorkingCalendar) -> list[Heard]:
    """The attempts that count for the number, given the least time between two of them."""
    result: list[Heard] = []
    for attempt in attempts:
        if not result or apart is None or _is_apart(result[-1], attempt, apart, hours):
            result.append(attempt)
    return result


def _is_apart(last: Heard, attempt: Heard, apart: Duration, hours: WorkingCalendar) -> bool:
    return apart.runs_on(hours).between(last.at, attempt.at) >= apart.length(hours)


def _enough(promise: AttemptsPromise, attempts: Sequence[Heard], hours: WorkingCalendar) -> Heard | None:
    """The attempt with which there are enough, as of when it is known that there are."""
    wanted = promise.attempts
    numbered = counted(attempts, promise.apart, hours)
    if len(numbered) < wanted.count or len({one.what for one in attempts}) < wanted.channels:
        return None
    first_on = {attempt.what: attempt for attempt in reversed(attempts)}
    channels = sorted(first_on.values(), key=lambda attempt: attempt.at)[: wanted.channels]
    last = max((numbered[wanted.count - 1], channels[-1]), key=lambda attempt: attempt.at)
    heard_at = max(one.recorded_at for one in attempts if one.at <= last.at)
    return Heard(f"{wanted.count} attempts", last.at, heard_at)
