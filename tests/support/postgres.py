"""Give every test a fresh, migrated database on one embedded PostgreSQL per session.

The server is the product's own (``leadpact.storage.embedded``), with the product's settings: what passes here passed
with ``fsync`` on. Databases are copies of a template that is migrated once, so a fresh one costs milliseconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from leadpact.storage.migrate import migrate

TEMPLATE = "leadpact_template"

_numbers = count(1)


class PostgresServer:
    """The session's server: makes and drops databases on ``embedded``."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded
        self._has_template = False

    async def create_database(self, name: str, *, migrated: bool = True) -> str:
        """Make the database ``name`` (any identifier) and return its URL; empty unless ``migrated``."""
        if migrated and not self._has_template:
            # Left by a migration that failed: dropped, so that every test names that failure and not its debris.
            await self.drop_database(TEMPLATE)
            await migrate_database(await self.create_database(TEMPLATE, migrated=False))
            self._has_template = True
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE if migrated else "template1"}')
        return self.url_of(name)

    async def drop_database(self, name: str) -> None:
        """Drop ``name``, whoever is still connected."""
        await self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url_of(self, name: str) -> str:
        return make_url(self.embedded.url).set(database=name).render_as_string(hide_password=False)

    async def _administer(self, statement: str) -> None:
        engine = create_async_engine(self.embedded.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()


async def migrate_database(url: str) -> None:
    """``alembic upgrade head`` on ``url``."""
    engine = create_engine(url, application="test-migrate", pool_size=1)
    try:
        await migrate(engine)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's server, in a temporary folder."""
    # Not pytest's tmp_path: it is closed to others, and a server started by root runs as another account.
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-test-") as folder,
        EmbeddedPostgres.start(Path(folder)) as embedded,
    ):
        yield PostgresServer(embedded)


@pytest.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """URL of a fresh, migrated database that nobody else uses; dropped after the test."""
    name = f"test_{next(_numbers)}"
    yield await postgres_server.create_database(name)
    await postgres_server.drop_database(name)
