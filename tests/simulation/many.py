"""Live through many seeds in several processes, each with a server of its own: the log's horizon is the whole server's."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import traceback
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty

import structlog

from tests.simulation.ground import ground, server
from tests.simulation.live import Life, live
from tests.simulation.sabotage import sabotage_called


@dataclass
class Tally:
    """What came of all seeds so far."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    lasted: timedelta = timedelta()
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[Life] = field(default_factory=list)

    def add(self, life: Life) -> None:
        self.seeds += 1
        self.steps += life.steps
        self.events += life.events
        self.lasted += life.lasted
        self.faults += life.faults
        if life.violations:
            self.failed.append(life)


async def _live_each(seeds: list[int], name: str | None, told: Queue[Life | str]) -> None:
    sabotage = sabotage_called(name) if name else None
    with server() as postgres, sabotage.applied() if sabotage else nullcontext():
        async with ground(postgres, "simulation", sabotage.statements if sabotage else ()) as place:
            for seed in seeds:
                # Whoever asked may have been ended, and then ends nobody.
                if (asking := multiprocessing.parent_process()) is None or not asking.is_alive():
                    return
                told.put(await live(place, seed))


def _work(seeds: list[int], name: str | None, told: Queue[Life | str]) -> None:
    """One process's share."""
    zoneinfo.reset_tzpath(())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        asyncio.run(_live_each(seeds, name, told))
    except Exception:
        told.put(traceback.format_exc())


def live_all(seeds: list[int], sabotage: str | None, *, workers: int) -> Iterator[Life]:
    """Each seed's life, in no order. Raises ``RuntimeError`` with what ended a process."""
    spawning = multiprocessing.get_context("spawn")
    told: Queue[Life | str] = spawning.Queue()
    shares = [seeds[number::workers] for number in range(min(workers, len(seeds)))]
    processes = [
        spawning.Process(target=_work, args=(share, sabotage, told), daemon=False) for share in shares
    ]
    for process in processes:
        process.start()
    try:
        for _ in seeds:
            said = _next_told(told, processes)
            if isinstance(said, str):
                raise RuntimeError(said)
            yield said
    finally:
        for process in processes:
            process.join(10)


def _next_told(told: Queue[Life | str], processes: Iterable[BaseProcess]) -> Life | str:
    while True:
        try:
            return told.get(timeout=1)
        except Empty:
            if any(process.exitcode for process in processes):
                return "a process ended before it had lived through its seeds"
