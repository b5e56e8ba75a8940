"""`python -m tests.chaos --kills 500 --carrier kafka --seed 7`: a storm, and a table of what it broke. Exit code 1 if anything."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from leadpact.demo.kafka_broker import ApacheKafka
from leadpact.runtime.logging import configure_logging
from tests.chaos.report import show
from tests.chaos.storm import Plan, storm
from tests.chaos.victims import Broker


def main() -> int:
    """Run one storm."""
    configure_logging("error", service="chaos", stream=sys.stderr)
    # Asked to end, it takes its processes with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--carrier", choices=("postgres", "kafka"), default="postgres")
    parser.add_argument("--seed", type=int, default=None, help="draws victims and pauses; random if left out")
    parser.add_argument("--rate", type=float, default=3.0, help="leads per second, beside the rushes")
    parser.add_argument("--instances", type=int, default=1, help="of each service")
    parser.add_argument("--stall", type=float, default=None, help="also suspend services for so many seconds")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    plan = Plan(given.kills, seed, given.rate, given.instances, stall_seconds=given.stall)
    console = Console()
    console.print(f"chaos: {plan.kills} kills, {given.carrier} carries the events, seed {plan.seed}")

    # Not a folder closed to others: PostgreSQL runs as another account when root starts it.
    folder = Path(tempfile.mkdtemp(prefix="leadpact-chaos-"))
    began = time.monotonic()

    def tell(said: str) -> None:
        console.print(f"  {time.monotonic() - began:6.1f} s  {said}", highlight=False)

    with ExitStack() as stack:
        broker = None
        if given.carrier == "kafka":
            (folder / "kafka").mkdir()
            broker = Broker(stack.enter_context(ApacheKafka.start(folder / "kafka")))
        report = asyncio.run(storm(plan, folder, tell, broker=broker))
    show(report, console)
    if report.is_clean:
        shutil.rmtree(folder)
        return 0
    console.print(f"What the services said, and the database, are in {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
