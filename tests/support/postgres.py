"""Give every test a fresh, migrated database on one embedded PostgreSQL per session.

The server is the product's own (``leadpact.storage.embedded``), with the product's settings: what passes here passed
with ``fsync`` on. Databases are copies of a template that is migrated once. With ``fsync`` a copy still costs half a second, and emptying one a
few milliseconds: a database that a test has done with is emptied for the next one, unless the test changed anything but rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from leadpact.storage.migrate import migrate

TEMPLATE = "leadpact_template"

_numbers = count(1)

_END_OTHERS = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Everything that a migration makes: whoever changes any of it leaves another digest.
_DIGEST = text(
    """
    SELECT md5(string_agg(thing, ',' ORDER BY thing)) FROM (
        SELECT concat_ws(' ', 'class', oid, relname, relkind, relpersistence, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, attnotnull, atthasdef, attisdropped) FROM pg_attribute
            WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
        UNION ALL SELECT concat_ws(' ', 'function', oid, proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT concat_ws(' ', 'setting', setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT concat_ws(' ', 'schema', oid) FROM pg_namespace WHERE nspname !~ '^pg_'
        UNION ALL SELECT concat_ws(' ', 'version', version_num) FROM alembic_version
    ) AS made(thing)
    """
)
# Deleting leaves dead rows behind, truncating writes new files: whichever is cheaper for a table.
_EMPTY = text(
    """
    DO $$
    DECLARE named text; big boolean;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR named, big IN
            SELECT quote_ident(relname), pg_relation_size(oid) > 1000000 FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        LOOP
            IF big THEN EXECUTE 'TRUNCATE ' || named || ' CASCADE'; ELSE EXECUTE 'DELETE FROM ' || named; END IF;
        END LOOP;
        PERFORM setval(oid::regclass, 1, false) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
    END $$
    """
)


class PostgresServer:
    """The session's server: makes and drops databases on ``embedded``."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded
        self._has_template = False
        self._empty: dict[str, str] = {}  # name and digest of the databases that the next tests get
        self._digests: dict[str, str] = {}

    async def lend_database(self) -> str:
        """The name of a migrated database without rows that nobody else uses."""
        if self._empty:
            name, digest = self._empty.popitem()
        else:
            name = f"test_{next(_numbers)}"
            await self.create_database(name)
            digest = await self._within(name, _DIGEST)
        self._digests[name] = digest
        return name

    async def take_back(self, name: str) -> None:
        """Empty the database for the next test, or drop it if it is no longer as it was made; whoever is still connected."""
        await self._within(name, _END_OTHERS)
        digest = self._digests.pop(name)
        if await self._within(name, _DIGEST) != digest:
            await self.drop_database(name)
            return
        await self._within(name, _EMPTY)
        self._empty[name] = digest

    async def _within(self, name: str, statement: TextClause) -> Any:
        engine = create_async_engine(self.url_of(name), poolclass=NullPool)
        async with engine.begin() as connection:
            result = await connection.execute(statement)
            found = result.scalar() if result.returns_rows else None
        await engine.dispose()
        return found

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
    """URL of a migrated database without rows that nobody else uses."""
    name = await postgres_server.lend_database()
    yield postgres_server.url_of(name)
    await postgres_server.take_back(name)
