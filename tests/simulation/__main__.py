"""`python -m tests.simulation --seeds 1000`: many lives, and what broke. `--seed 4711` lives one again and shows all of it.

Exit code 1 if a promise was broken; with `--break`, which takes a guarantee away, 1 if no seed noticed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from tests.simulation.live import Life
from tests.simulation.many import Tally, live_all
from tests.simulation.sabotage import SABOTAGES, sabotage_called

_SHOWN = 5
_TOLD_EACH = 100


def main() -> int:
    """Live through the seeds that are asked for."""
    given = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    seeds = [given.seed] if given.seed is not None else list(range(given.first, given.first + given.seeds))
    if given.sabotage:
        console.print(f"simulate: without a guarantee: {sabotage_called(given.sabotage).takes}")
    tally, began = Tally(), time.monotonic()
    told = live_all(seeds, given.sabotage, workers=given.workers)
    for life in told:
        tally.add(life if life.violations or given.seed is not None else replace(life, trace=[]))
        if given.seed is not None:
            console.print("\n".join(life.trace), markup=False)
            console.print(f"trace {life.digest}")
        if life.violations and len(tally.failed) <= _SHOWN:
            _show(console, life, given)
        if given.sabotage and len(tally.failed) == 1 and life.violations:
            console.print(f"noticed after {tally.seeds} seeds")
        if tally.seeds % _TOLD_EACH == 0 and tally.seeds < len(seeds):
            console.print(f"{tally.seeds} of {len(seeds)} seeds, {len(tally.failed)} broke a promise")
    _sum_up(console, tally, time.monotonic() - began)
    return int(bool(tally.failed) != bool(given.sabotage))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, default=None, help="live this one, and show every step")
    parser.add_argument(
        "--break", dest="sabotage", choices=[one.name for one in SABOTAGES], help="take a guarantee away"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes, each with a server"
    )
    return parser.parse_args()


def _show(console: Console, life: Life, given: argparse.Namespace) -> None:
    again = f"make simulate SEED={life.seed}" + (f" BREAK={given.sabotage}" if given.sabotage else "")
    console.print(f"seed {life.seed} breaks a promise after {life.steps} steps:")
    for violation in life.violations[:3]:
        console.print(f"  {violation}", markup=False)
    console.print(f"  again: {again}")


def _sum_up(console: Console, tally: Tally, seconds: float) -> None:
    faults = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.faults.items()))
    console.print(
        f"{tally.seeds} seeds in {seconds:.0f} s: {tally.seeds / seconds * 60:.0f} seeds per minute, "
        f"{tally.steps:,} steps, {tally.lasted / timedelta(weeks=1):,.0f} weeks of business, starting the servers included"
    )
    console.print(f"faults: {faults or 'none'}")
    console.print(f"events handled: {tally.events:,}")
    failed = ", ".join(str(life.seed) for life in tally.failed)
    console.print(f"{len(tally.failed)} seeds broke a promise: {failed}" if failed else "every promise held")


if __name__ == "__main__":
    sys.exit(main())
