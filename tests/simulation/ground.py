"""Give seeds a PostgreSQL to stand on: one server per process, one database emptied between seeds.

The server is the product's own, with three settings changed for speed and sameness: commits do not wait for the disk (what survives a power
cut is another test's business), no autovacuum works in the background (its transactions would move the log's horizon by chance), and a deadlock
is found after a fifth of a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from tests.simulation.commit_points import Drawing, watch
from tests.support.postgres import PostgresServer

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "deadlock_timeout": "200ms",
}
_TABLES = """
    SELECT string_agg(quote_ident(relname), ', ') FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""


@contextmanager
def server() -> Iterator[PostgresServer]:
    """A server in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-simulation-", ignore_cleanup_errors=True) as folder,
        EmbeddedPostgres.start(Path(folder), settings=_SETTINGS) as embedded,
    ):
        yield PostgresServer(embedded)


@dataclass
class Ground:
    """A database, the engine that the services share, and a connection beside it to look with."""

    engine: AsyncEngine
    observer: Any
    drawing: Drawing
    tables: str

    async def clear(self) -> None:
        """As if nothing had ever been stored."""
        await self.observer.execute(f"TRUNCATE {self.tables} RESTART IDENTITY CASCADE")


@asynccontextmanager
async def ground(
    postgres: PostgresServer, name: str, statements: Sequence[str] = ()
) -> AsyncIterator[Ground]:
    """A fresh database called ``name``, changed by ``statements``; dropped at the end."""
    url = await postgres.create_database(name)
    drawing = Drawing()
    engine = create_engine(url, application="simulation")
    watch(engine, drawing)
    # It joins whole tables of which there are no statistics: by hashing, the cost of a look does not grow with the square of a life.
    observer = await asyncpg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(),
        server_settings={"enable_nestloop": "off", "enable_mergejoin": "off"},
    )
    for statement in statements:
        await observer.execute(statement)
    try:
        yield Ground(engine, observer, drawing, await observer.fetchval(_TABLES))
    finally:
        await observer.close()
        await engine.dispose()
        await postgres.drop_database(name)
