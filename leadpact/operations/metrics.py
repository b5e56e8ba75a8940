"""Count the dead letters that wait for somebody."""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import CollectorRegistry, Gauge

from leadpact.bus.settle_dead_letters import waiting_by_consumer
from leadpact.clock import wait_for
from leadpact.errors import Transient
from leadpact.storage.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)


class DeadLetterMetrics:
    """What every process shows of the dead letters, with the sentence that an operator needs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "leadpact_dead_letters",
            "Messages that a consumer could not apply and that nobody has settled. The same in every instance: take the "
            "maximum. Above 0: somebody's lead stands still until it is replayed or discarded.",
            ["consumer"],
            registry=registry,
        )

    def show(self, waiting: dict[str, int]) -> None:
        """Set the gauge; a consumer that is not named any more disappears."""
        self.waiting.clear()
        for consumer, letters in waiting.items():
            self.waiting.labels(consumer).set(letters)


class DeadLetterGauge:
    """Keeps the count fresh."""

    def __init__(self, uow: UnitOfWork, metrics: DeadLetterMetrics, *, every_seconds: float = 5.0) -> None:
        self._uow = uow
        self._metrics = metrics
        self._every_seconds = every_seconds

    async def run_once(self) -> None:
        """Count once. Raises ``Transient``."""
        async with self._uow.transaction() as tx:
            waiting = await waiting_by_consumer(tx)
        self._metrics.show(waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Count until ``stop``. While the database is away the last figures stand."""
        while not stop.is_set():
            try:
                await self.run_once()
            except Transient as error:
                log.warning("dead_letters.gauge_waits", reason=str(error))
            await wait_for(stop, self._every_seconds)
