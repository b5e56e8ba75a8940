"""Bring a database to this version's schema, and refuse to run on another one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import leadpact
from leadpact.errors import Refused, Transient
from leadpact.storage.unit_of_work import is_passing

OLDEST_SERVER = 150_000  # PostgreSQL 15


def migrations_folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(leadpact.__file__).parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise Refused("The migrations are missing from this installation")


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return config


async def migrate(engine: AsyncEngine) -> None:
    """Apply every migration that is missing. Two processes that do so at once take turns.

    Raises ``Refused`` for a server that is too old and for a schema that is newer than this version.
    """
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_check_server)
            await connection.run_sync(_upgrade)
            await connection.commit()
    except DBAPIError as error:
        if is_passing(error):
            raise Transient(
                f"The migration gave way and changed nothing; run it again. {error.orig}"
            ) from error
        raise


async def check_schema(engine: AsyncEngine) -> None:
    """Raise ``Refused``, with what to run, unless the database is exactly at this version's schema; ``Transient`` if it cannot be asked."""
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_check_server)
            found = await connection.run_sync(_current_revision)
    except DBAPIError as error:
        if is_passing(error):
            raise Transient(f"The database's schema could not be read just now. {error.orig}") from error
        raise
    _refuse_newer(found)
    wanted, _ = _revisions()
    if found != wanted:
        raise Refused(
            f"The database's schema is at {found or 'nothing'}, this version needs {wanted}: run `leadpact migrate`."
        )


def _refuse_newer(found: str | None) -> None:
    wanted, known = _revisions()
    if found is not None and found not in known:
        raise Refused(
            f"The database's schema ({found}) is newer than this version of Leadpact knows ({wanted}): upgrade Leadpact."
        )


@lru_cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """The revision that this version needs and all that it knows. Read once: a readiness probe asks every few seconds."""
    script = ScriptDirectory.from_config(alembic_config())
    return script.get_current_head(), frozenset(one.revision for one in script.walk_revisions())


def _check_server(connection: Connection) -> None:
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < OLDEST_SERVER:
        raise Refused(f"The PostgreSQL server is version {version // 10_000}; Leadpact needs 15 or newer.")


def _upgrade(connection: Connection) -> None:
    # One lock for all who migrate: the second waits here, as long as it takes, and then finds nothing to do. A migration
    # may also take longer than any request.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('leadpact migrate'))"))
    _refuse_newer(_current_revision(connection))
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
