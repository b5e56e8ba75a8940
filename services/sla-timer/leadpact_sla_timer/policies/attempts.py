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
    does not count, on whatever channel. Those beyond the number still count until the channels are enough.
    """

    kind = AttemptsPromise.KIND

    def keeps(self, promise: Promise, known: Known, hours: WorkingCalendar) -> Iterable[Heard]:
        assert isinstance(promise, AttemptsPromise)
        enough = _enough(promise, counted(known.attempts, promise.apart, hours))
        return [*stopping(promise, known), *([enough] if enough else [])]


def counted(attempts: Sequence[Heard], apart: Duration | None, hours: WorkingCalendar) -> list[Heard]:
    """The attempts that count, given the least time between two of them."""
    result: list[Heard] = []
    for attempt in attempts:
        if result and apart is not None:
            gap = apart.runs_on(hours).between(result[-1].at, attempt.at)
            if gap < apart.length(hours):
                continue
        result.append(attempt)
    return result


def _enough(promise: AttemptsPromise, attempts: Sequence[Heard]) -> Heard | None:
    """The attempt with which there are enough, as of when it is known that there are."""
    channels: set[str] = set()
    for number, attempt in enumerate(attempts, start=1):
        channels.add(attempt.what)
        if number >= promise.attempts.count and len(channels) >= promise.attempts.channels:
            heard_at = max(one.recorded_at for one in attempts[:number])
            return Heard(f"{number} attempts", attempt.at, heard_at)
    return None
