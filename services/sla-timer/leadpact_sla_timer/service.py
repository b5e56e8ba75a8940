"""Put the sla-timer together from the parts that every service is built from."""

from __future__ import annotations

from leadpact.bus.consume import run_consumer
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.service import Loop, rounds
from leadpact_sla_timer.endpoints import create_routers
from leadpact_sla_timer.handlers import CONSUMER, TOPICS, timer_consumer
from leadpact_sla_timer.metrics import Gauges, TimerMetrics
from leadpact_sla_timer.sweep import Sweeper


def build(parts: Parts) -> Built:
    """The service: a consumer that opens and stops clocks, a sweep that fires them, gauges, and the routes under /v1/clocks."""
    uow = parts.uow(CONSUMER)
    metrics = TimerMetrics(parts.metrics)
    consumer = timer_consumer(parts.pact_book, parts.clock)
    reader = parts.carrier.reader(CONSUMER, TOPICS)
    sweeper = Sweeper(
        uow,
        parts.pact_book,
        parts.clock,
        parts.wake,
        metrics,
        overdue_per_second=parts.settings.overdue_clocks_per_second,
    )
    gauges = Gauges(uow, parts.clock, metrics)
    return Built(
        name=CONSUMER,
        routers=create_routers(uow, parts.pact_book, parts.clock, parts.wake),
        loops=[
            Loop("sla-timer consumer", lambda stop: run_consumer(reader, consumer, stop)),
            Loop("sla-timer sweep", sweeper.run),
            rounds("sla-timer gauges", gauges.run_once, every_seconds=15),
        ],
    )
