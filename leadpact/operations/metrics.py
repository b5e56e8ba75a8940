"""Count the dead letters that wait for somebody."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from leadpact.bus.settle_dead_letters import waiting_by_consumer
from leadpact.storage.unit_of_work import UnitOfWork


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

    def __init__(self, uow: UnitOfWork, metrics: DeadLetterMetrics) -> None:
        self._uow = uow
        self._metrics = metrics

    async def run_once(self) -> None:
        """Count once. Raises ``Transient``."""
        async with self._uow.transaction() as tx:
            waiting = await waiting_by_consumer(tx)
        self._metrics.show(waiting)
