"""docs/operations.md names every metric, and every retention as the code has it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.events import Topic
from leadpact.operations.metrics import DeadLetterMetrics
from leadpact.runtime.settings import PREFIX, Settings
from leadpact.storage.outbox import SHARDS
from leadpact_ingest.housekeeping import TRAPPED_KEPT_FOR
from leadpact_ingest.idempotency import KEY_HELD_FOR
from leadpact_ingest.metrics import IngestMetrics
from leadpact_router.endpoints.repeats import REMEMBERED_FOR
from leadpact_router.housekeeping import WEBHOOKS_KEPT_FOR
from leadpact_router.webhooks.metrics import WebhookMetrics
from leadpact_sla_timer.metrics import TimerMetrics

DOCUMENT = (Path(__file__).parents[3] / "docs/operations.md").read_text()


def test_every_metric_has_a_row_and_no_other() -> None:
    registry = CollectorRegistry()
    for metrics in (DeadLetterMetrics, IngestMetrics, KafkaMetrics, TimerMetrics, WebhookMetrics):
        metrics(registry)
    counted = {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}

    assert set(re.findall(r"^\| `(leadpact_\w+)` \|", DOCUMENT, re.MULTILINE)) == counted


def test_what_is_kept_is_kept_for_as_long_as_is_said() -> None:
    rows = dict(re.findall(r"^\| ([a-z][^|]+) \| ([^|]+) \|$", DOCUMENT, re.MULTILINE))

    assert KEY_HELD_FOR == REMEMBERED_FOR == _time(rows["idempotency keys"])
    assert _time(rows["webhook deliveries and attempts"]) == WEBHOOKS_KEPT_FOR
    assert _time(rows["posts that fell into a form's trap for robots"]) == TRAPPED_KEPT_FOR
    assert f"({Settings().log_retention_hours:g})" in rows["events in the log"]
    assert f"({Settings().inbox_retention_hours:g})" in rows["ids of applied events"]


def test_every_setting_and_topic_that_is_named_exists() -> None:
    named = {name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]+)\b", DOCUMENT)}

    assert named - {"token"} <= set(Settings.model_fields)
    assert all(f"`{topic}`" in DOCUMENT for topic in Topic)
    assert f"{SHARDS} ways" in DOCUMENT


def _time(words: str) -> timedelta:
    number, unit = words.split()
    return timedelta(**{unit: int(number)})
