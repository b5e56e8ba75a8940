"""Say what the figures were measured on: they mean nothing without it."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine as it stood when the run began. ``busy`` is its one-minute load average: who else was on it."""

    cores: int
    processor: str
    memory_gb: int
    system: str
    python: str
    postgres: str
    busy: float

    def figures(self) -> dict[str, object]:
        """For the JSON document."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gb} GB, {self.system}; Python {self.python}, PostgreSQL {self.postgres} "
            f"with fsync; load average before the run {self.busy:.1f}"
        )


async def machine(engine: AsyncEngine) -> Machine:
    """This machine, with the server behind ``engine``."""
    async with engine.connect() as connection:
        version: str = (await connection.execute(text("SHOW server_version"))).scalar_one()
    return Machine(
        cores=os.cpu_count() or 0,
        processor=_processor(),
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        postgres=version,
        busy=os.getloadavg()[0],
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Others:
    """Watches how much CPU everybody else on the machine uses: figures from a busy machine say less."""

    def __init__(self) -> None:
        self._began = _Used.now()

    def cores(self) -> float:
        """How many cores were busy for others since this was made."""
        now = _Used.now()
        elsewhere = (now.everywhere - self._began.everywhere) - (now.here - self._began.here)
        return max(0.0, elsewhere / (now.at - self._began.at))


@dataclass(frozen=True, slots=True)
class _Used:
    at: float
    everywhere: float
    here: float

    @classmethod
    def now(cls) -> _Used:
        us = psutil.Process()
        here = 0.0
        for process in (us, *us.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                # What has ended is counted by its parent.
                here += sum(process.cpu_times()[:4])
        times = psutil.cpu_times()
        return cls(time.monotonic(), sum(times) - times.idle - getattr(times, "iowait", 0.0), here)
