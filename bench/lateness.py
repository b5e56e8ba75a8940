"""Say how late timers fired: when PostgreSQL committed that they had (``track_commit_timestamp``), less the time at which they were due.

The same ruler for everybody: what a contender itself thinks of the time plays no part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

PERCENTILES = ("p50", "p99", "max")


@dataclass(frozen=True, slots=True)
class Lateness:
    """Seconds, one of each timer that fired."""

    seconds: Sequence[float]

    @property
    def until_all(self) -> float:
        """When the last of a burst had fired, in seconds from when it was due."""
        return max(self.seconds)

    @property
    def per_second(self) -> float:
        """How fast a burst fired."""
        return len(self.seconds) / self.until_all

    def ms(self) -> dict[str, float]:
        """In milliseconds, by the names in ``PERCENTILES``."""
        cuts = quantiles(self.seconds, n=100)
        figures = (cuts[49], cuts[98], max(self.seconds))
        return {name: 1000 * late for name, late in zip(PERCENTILES, figures, strict=True)}


def typical(rounds: Sequence[Lateness], figure: Callable[[Lateness], float]) -> float:
    """The median of the rounds."""
    return median(figure(one) for one in rounds)


def times(ones: Sequence[Lateness], others: Sequence[Lateness], figure: Callable[[Lateness], float]) -> float:
    """The median of the rounds' ratios: the two of one round were measured within a minute of each other."""
    return median(figure(one) / figure(other) for one, other in zip(ones, others, strict=True))
