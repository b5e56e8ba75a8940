"""What the sla-timer tells on-call: is it late, how much runs, how much went wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import text

from leadpact.clock import Clock
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_sla_timer.sla_clock import ClockState

_LATENESS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

# Those that may still change. What has ended is kept for ever: it is counted when it happens, and not again every few seconds.
_OPEN = tuple(state.value for state in ClockState if state.is_open)

# Both read the index (state, due_at, id) only.
_COUNTS = text(f"SELECT state, count(*) AS clocks FROM sla_clock WHERE state IN {_OPEN} GROUP BY state")
_OLDEST = text("SELECT min(due_at) FROM sla_clock WHERE state = 'running' AND due_at <= :now")


class TimerMetrics:
    """All metrics of this service; each ``documentation`` is the sentence that an operator needs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lateness = Histogram(
            "leadpact_sla_timer_lateness_seconds",
            "How long after its moment a clock fired, by what it became (running: it was a warning). "
            "If this grows, sweepers are missing or the database is slow; nothing is lost, it is only late. "
            "Its count with state=breached is how many breaches this instance announced at their time.",
            ["state"],
            buckets=_LATENESS_BUCKETS,
            registry=registry,
        )
        self.clocks = Gauge(
            "leadpact_sla_timers",
            "Open clocks by state. The same in every instance: take the maximum. "
            "Running ones that fall to zero in business hours mean that no leads are assigned; "
            "waiting ones are of leads that came in bulk and start at their turn.",
            ["state"],
            registry=registry,
        )
        self.oldest_overdue = Gauge(
            "leadpact_sla_timer_oldest_overdue_seconds",
            "How long the oldest running clock has been due without having fired; 0 if none is. "
            "More than a few seconds: no sweeper runs, or its clock is unsteady.",
            registry=registry,
        )

        self.put_off = Counter(
            "leadpact_sla_timer_put_off",
            "Times that a clock came due and nothing could be decided, so that it was put off for some minutes: above 0, somebody must look. "
            "The log says why (sla_timer.clock_put_off); the clock fires, with its true due time, once a version runs that can.",
            registry=registry,
        )

    def show(self, counts: dict[str, int], oldest_due_at: datetime | None, now: datetime) -> None:
        """Set the gauges."""
        for state in _OPEN:
            self.clocks.labels(state).set(counts.get(state, 0))
        self.oldest_overdue.set((now - oldest_due_at).total_seconds() if oldest_due_at else 0)


class Gauges:
    """Keeps the gauges fresh. Apart from the sweep, so that a stuck sweep is seen."""

    def __init__(self, uow: UnitOfWork, clock: Clock, metrics: TimerMetrics) -> None:
        self._uow = uow
        self._clock = clock
        self._metrics = metrics

    async def run_once(self) -> None:
        """Count once. Raises ``Transient``."""
        async with self._uow.transaction() as tx:
            now = self._clock.now()
            counts, oldest = await _counted(tx, now)
        self._metrics.show(counts, oldest, now)


async def _counted(tx: Transaction, now: datetime) -> tuple[dict[str, int], datetime | None]:
    counts: dict[str, int] = {row.state: row.clocks for row in await tx.execute(_COUNTS)}
    oldest: Any = (await tx.execute(_OLDEST, {"now": now})).scalar()
    return counts, oldest
