"""What the webhooks tell on-call: do receivers take what they are sent, and how soon."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from leadpact_router.webhooks.record import Called


class WebhookMetrics:
    """All metrics of the webhooks; each documentation is the sentence that an operator needs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "leadpact_webhook_attempts_total",
            "Webhook calls by endpoint and outcome (2xx, 4xx, timeout, …). Other outcomes than 2xx that go on for one endpoint: "
            "its receiver is down or refuses us; deliveries are kept and tried again for three days.",
            ["endpoint", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "leadpact_webhook_call_seconds",
            "How long receivers take to answer. Close to 15 seconds: they work before they answer, and calls will be cut off.",
            ["endpoint"],
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
            registry=registry,
        )

    def called(self, one: Called) -> None:
        """Count one call."""
        endpoint = str(one.claimed.endpoint_id)
        result = one.result
        outcome = f"{result.status // 100}xx" if result.status is not None else str(result.fault)
        self.attempts.labels(endpoint, outcome).inc()
        self.seconds.labels(endpoint).observe(result.elapsed_ms / 1000)
