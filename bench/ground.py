"""Give every measurement the same ground: a fresh database on the product's own PostgreSQL, with the same pact, reps and accounts.

Acme's pact without its limits (a run hands out more leads in a minute than Acme does in a year), and one instant for all decisions: a Tuesday
on which everybody is at work.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from leadpact.clock import Clock, ScaledClock
from leadpact.demo.example import Example
from leadpact.pact.book import PactBook
from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from leadpact.storage.migrate import migrate
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.roster import put_accounts, put_reps
from leadpact_router.roster_csv import read_accounts, read_reps

ALL_AT_WORK = datetime(2026, 5, 26, 13, 30, tzinfo=UTC)

_TEMPLATE = "bench_template"
_LIMIT = re.compile(r"(open|daily)_limit: \d+")


@dataclass(frozen=True, slots=True)
class Ground:
    """A database of its own. ``clock`` stands at ``ALL_AT_WORK`` and goes on from there."""

    url: str
    engine: AsyncEngine
    wake: Wake
    clock: Clock

    def uow(self, source: str) -> UnitOfWork:
        """Transactions in the name of ``source``."""
        return UnitOfWork(self.engine, source=source, wake=self.wake)

    async def tidy(self) -> None:
        """Do now what the server would do when it likes: tables as after a quiet night, the disk up to date."""
        await _administer(self.url, "VACUUM (ANALYZE)", "CHECKPOINT")


class Server:
    """PostgreSQL with the product's settings, and with commits that are dated: that is how latencies are read."""

    _SETTINGS: Mapping[str, str] = {"track_commit_timestamp": "on"}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._embedded = EmbeddedPostgres.start(folder, settings=self._SETTINGS)
        self._numbers = count(1)

    def stop(self) -> None:
        """End it."""
        self._embedded.stop()

    async def crash_and_start_again(self) -> None:
        """Kill the postmaster, as `kill -9` does, and return when a new one has recovered and takes connections at the same address."""
        address = self._embedded.url
        os.kill(self._embedded.pid, signal.SIGKILL)
        self._embedded = await asyncio.to_thread(self._start_again)
        if self._embedded.url != address:
            raise AssertionError("the server came back somewhere else")

    def _start_again(self) -> EmbeddedPostgres:
        self._embedded.stop()
        return EmbeddedPostgres.start(self._folder, settings=self._SETTINGS)

    @asynccontextmanager
    async def ground(self) -> AsyncIterator[Ground]:
        """A fresh database, dropped at the end."""
        name = f"bench_{next(self._numbers)}"
        await _administer(self._embedded.url, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        url = self._url_of(name)
        engine = create_engine(url, application="bench")
        try:
            yield Ground(url, engine, Wake(), ScaledClock(ALL_AT_WORK, rate=1))
        finally:
            await engine.dispose()
            await _administer(self._embedded.url, f"DROP DATABASE {name} WITH (FORCE)")

    def cpu_seconds(self) -> float:
        """CPU time that the server's processes have used, those that have ended too."""
        postmaster = psutil.Process(self._embedded.pid)
        children = 0.0
        for child in postmaster.children():
            with suppress(psutil.NoSuchProcess):  # it has ended just now, so the postmaster accounts for it
                times = child.cpu_times()
                children += times.user + times.system
        own = postmaster.cpu_times()
        return children + own.user + own.system + own.children_user + own.children_system

    async def make_template(self) -> None:
        await _administer(self._embedded.url, f"CREATE DATABASE {_TEMPLATE}")
        engine = create_engine(self._url_of(_TEMPLATE), application="bench")
        try:
            await migrate(engine)
            await _furnish(UnitOfWork(engine, source="bench", wake=Wake()))
        finally:
            await engine.dispose()

    def _url_of(self, database: str) -> str:
        return make_url(self._embedded.url).set(database=database).render_as_string(hide_password=False)


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    """A server in a temporary folder, its databases' template ready."""
    with tempfile.TemporaryDirectory(prefix="leadpact-bench-") as folder:
        server = Server(Path(folder))
        try:
            await server.make_template()
            yield server
        finally:
            server.stop()


async def _administer(url: str, *statements: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def _furnish(uow: UnitOfWork) -> None:
    example = Example.find()
    reps, _ = read_reps(example.reps.decode())
    accounts, _ = read_accounts(example.accounts.decode())
    async with uow.transaction() as tx:
        await PactBook().apply(
            tx, _LIMIT.sub(r"\1_limit: 1000000000", example.pact.decode()), applied_by="bench"
        )
        await put_reps(tx, [replace(rep, open_limit=None) for rep in reps], ALL_AT_WORK)
        await put_accounts(tx, accounts, ALL_AT_WORK)
