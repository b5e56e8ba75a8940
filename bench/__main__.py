"""Measure the product beside named baselines and print ratios.

    python -m bench [all|throughput|latency|calendar|timers] [--quick] [--json] [--rounds N] [--no-kafka]

A run of all takes some ten minutes, ``--quick`` two. Figures of one machine say little about another; ratios of what was measured in turns do.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from bench.calendar import compare_calendars
from bench.ground import open_server
from bench.latency import Stretch, latency
from bench.machine import machine
from bench.report import Report
from bench.throughput import Size, throughput
from bench.timers import Clocks, fire_timers
from leadpact.demo.kafka_broker import ApacheKafka, KafkaUnavailable, kafka_version
from leadpact.runtime.garbage import settle
from leadpact.runtime.logging import configure_logging

PARTS = ("throughput", "latency", "calendar", "timers")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=("all", *PARTS), default="all")
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--rounds", type=int, help="how often each contender has its turn")
    parser.add_argument("--no-kafka", action="store_true", help="PostgreSQL carries alone")
    options = parser.parse_args()
    configure_logging("error", service="bench", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # a broker that has just started is not ready at once
    report = Report(as_json=options.json)
    parts = PARTS if options.part == "all" else (options.part,)
    with _broker(
        report, wanted=not options.no_kafka and not {"throughput", "latency"}.isdisjoint(parts)
    ) as kafka:
        uvloop.run(measure(parts, kafka, report, rounds=options.rounds, quick=options.quick))
    report.finish()


async def measure(
    parts: tuple[str, ...], kafka: str | None, report: Report, *, rounds: int | None, quick: bool
) -> None:
    """Run ``parts`` in turn, each on fresh databases of one server."""
    # As the product's own process does, here for everybody who takes part.
    settle()
    async with open_server() as server:
        async with server.ground() as ground:
            found = await machine(ground.engine)
        report.say(str(found))
        report.keep("machine", found.figures())
        if "throughput" in parts:
            size = Size(rounds or 1, 3_000, 200) if quick else Size(rounds or 5, 6_000, 400)
            await throughput(server, size, kafka, report)
        if "latency" in parts:
            stretch = Stretch(rounds or 1, seconds=6) if quick else Stretch(rounds or 3, seconds=12)
            await latency(server, stretch, kafka, report)
        if "calendar" in parts:
            compare_calendars(report)
        if "timers" in parts:  # last: it kills the server
            clocks = (
                Clocks(rounds or 1, running=20_000, burst=5_000, waiting=10_000)
                if quick
                else Clocks(rounds or 3)
            )
            await fire_timers(server, clocks, report)


@contextmanager
def _broker(report: Report, *, wanted: bool) -> Iterator[str | None]:
    """The address of a real broker for this run; None if none is wanted or none can be had."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="leadpact-bench-") as folder:
        try:
            broker = ApacheKafka.start(Path(folder))
        except KafkaUnavailable as reason:
            report.progress(f"Kafka is left out: {reason}")
            yield None
            return
        with broker:
            report.say(f"Apache Kafka {kafka_version()}, one broker")
            yield broker.bootstrap


if __name__ == "__main__":
    main()
