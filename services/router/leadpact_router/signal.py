"""Remember what somebody did as one fading number per kind of activity, however long the history.

Interest halves with every half-life of wall time. The sum of all past activities of one kind, each faded by
its own age, fades as a whole at the same rate; so the sum and the instant it was taken at are all the state
there is. Adding an activity is one multiplication, also when it arrives late and out of order, and the result
equals the sum over the full history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Signal:
    """How often something was done.

    ``strength`` counts each time, halved per half-life between it and ``as_of``.
    """

    strength: float
    as_of: datetime
    times: int


def heard(signal: Signal | None, at: datetime, half_life: timedelta, *, once: bool) -> Signal:
    """The signal after one more activity at ``at``.

    What counts ``once`` counts from its earliest time, never again.
    """
    if signal is None:
        return Signal(1.0, at, 1)
    times = signal.times + 1
    if once:
        return Signal(1.0, min(signal.as_of, at), times)
    if at >= signal.as_of:
        return Signal(signal.strength * faded(at - signal.as_of, half_life) + 1.0, at, times)
    return Signal(signal.strength + faded(signal.as_of - at, half_life), signal.as_of, times)


def strength_at(signal: Signal, at: datetime, half_life: timedelta) -> float:
    """What is left of it at ``at``; an instant before ``as_of`` sees it undiminished."""
    return signal.strength * faded(max(at - signal.as_of, timedelta(0)), half_life)


def faded(age: timedelta, half_life: timedelta) -> float:
    """What is left of 1 after ``age``."""
    fraction: float = 0.5 ** (age / half_life)
    return fraction
