"""What ingest counts, each with the sentence that an operator needs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

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
