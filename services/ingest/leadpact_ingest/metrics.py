"""What ingest counts, each with the sentence that an operator needs."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from leadpact.clock import Clock
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_ingest.receipts import InFlight, count_in_flight

UNKNOWN_SOURCE = "(unknown)"
"""Stands for every source that the pact does not name: callers cannot make up labels."""


class IngestMetrics:
    """Ingest's metrics, registered once per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "leadpact_leads_received",
            "Posts to forms by what was answered: accepted, duplicate, honeypot, refused, unavailable.",
            ["source", "outcome"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "leadpact_ingest_request_duration_seconds",
            "How long a visitor's post took, from its first byte to the answer after the commit.",
            ["source"],
            registry=registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
        )
        self.upload_rows = Counter(
            "leadpact_upload_rows",
            "Rows of uploaded files by what became of them: accepted, duplicate, rejected.",
            ["source", "result"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "leadpact_receipts_in_flight",
            "Accepted receipts that are neither a lead's yet nor in the dead letters. The same in every instance: take the "
            "maximum. It falls back to 0 after every rush; if it does not, the router or the carrier stands still.",
            registry=registry,
        )
        self.oldest_in_flight = Gauge(
            "leadpact_oldest_receipt_in_flight_seconds",
            "How long the oldest receipt has been in flight; 0 if none is. "
            "More than a minute with nothing else amiss: an accepted lead is not being worked on.",
            registry=registry,
        )

    def show(self, found: InFlight, now: datetime) -> None:
        """Set the gauges."""
        self.in_flight.set(found.receipts)
        self.oldest_in_flight.set((now - found.oldest_at).total_seconds() if found.oldest_at else 0)


class InFlightGauges:
    """Keeps the gauges fresh. Apart from the consumer, so that a stuck consumer is seen."""

    def __init__(self, uow: UnitOfWork, clock: Clock, metrics: IngestMetrics) -> None:
        self._uow = uow
        self._clock = clock
        self._metrics = metrics

    async def run_once(self) -> None:
        """Count once. Raises ``Transient``."""
        async with self._uow.transaction() as tx:
            found = await count_in_flight(tx)
        self._metrics.show(found, self._clock.now())
