"""Give every measurement the same ground: a fresh database on the product's own PostgreSQL, with the same pact, reps and accounts.

Acme's pact without its limits (a run hands out more leads in a minute than Acme does in a year), and one instant for all decisions: a Tuesday
on which everybody is at work.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


class Server:
    """PostgreSQL with the product's settings."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self._embedded = embedded
        self._numbers = count(1)

    @asynccontextmanager
    async def ground(self) -> AsyncIterator[Ground]:
        """A fresh database, dropped at the end."""
        name = f"bench_{next(self._numbers)}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        url = self._url_of(name)
        engine = create_engine(url, application="bench")
        try:
            yield Ground(url, engine, Wake(), ScaledClock(ALL_AT_WORK, rate=1))
        finally:
            await engine.dispose()
            await self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def cpu_seconds(self) -> float:
        """CPU time that the server's processes have used, those that have ended too."""
        postmaster = psutil.Process(self._embedded.pid)
        used = [process.cpu_times() for process in (postmaster, *postmaster.children())]
        ended = used[0].children_user + used[0].children_system
        return ended + sum(times.user + times.system for times in used)

    async def make_template(self) -> None:
        await self._administer(f"CREATE DATABASE {_TEMPLATE}")
        engine = create_engine(self._url_of(_TEMPLATE), application="bench")
        try:
            await migrate(engine)
            await _furnish(UnitOfWork(engine, source="bench", wake=Wake()))
        finally:
            await engine.dispose()

    def _url_of(self, database: str) -> str:
        return make_url(self._embedded.url).set(database=database).render_as_string(hide_password=False)

    async def _administer(self, statement: str) -> None:
        engine = create_async_engine(self._embedded.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()


@asynccontextmanager
async def open_server() -> AsyncIterator[Server]:
    """A server in a temporary folder, its databases' template ready. It dates every commit, which is how latencies are read."""
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-bench-") as folder,
        EmbeddedPostgres.start(Path(folder), settings={"track_commit_timestamp": "on"}) as embedded,
    ):
        server = Server(embedded)
        await server.make_template()
        yield server


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
