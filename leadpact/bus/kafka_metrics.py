"""What the relay and the Kafka readers count, each with the sentence that an operator needs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class KafkaMetrics:
    """Kafka's metrics, registered once per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.relay_active = Gauge(
            "leadpact_relay_active",
            "1 where this process holds the relay's lease. The sum over all processes is 1, or nothing reaches Kafka.",
            registry=registry,
        )
        self.relay_published = Counter(
            "leadpact_relay_published",
            "Events that Kafka has acknowledged, by topic. Standing still while leads come in: look at leadpact_relay_failures_total.",
            ["topic"],
            registry=registry,
        )
        self.relay_failures = Counter(
            "leadpact_relay_failures",
            "Rounds of the relay that failed and will be tried again. Growing: Kafka or the database is away, the log says why.",
            registry=registry,
        )
        self.lag = Gauge(
            "leadpact_kafka_lag",
            "Events of this process's partitions that are on Kafka and not yet applied, by consumer and topic.",
            ["consumer", "topic"],
            registry=registry,
        )
