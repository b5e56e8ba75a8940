"""Run migrations on the connection that `leadpact migrate` opened, or on LEADPACT_DATABASE_URL for the alembic command."""

from __future__ import annotations

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.base import ischema_names

import leadpact.access.tables
import leadpact.pact.tables
import leadpact.storage.tables
import leadpact_ingest.tables
import leadpact_router.tables
import leadpact_router.webhooks.tables
import leadpact_sla_timer.tables
from leadpact.storage.engine import create_engine
from leadpact.storage.metadata import XID8, metadata

# SQLAlchemy does not know the type when it compares a table with the code.
ischema_names["xid8"] = XID8

# Importing a module registers its tables; every tables.py stands here.
TABLES = (
    leadpact.access.tables,
    leadpact.pact.tables,
    leadpact.storage.tables,
    leadpact_ingest.tables,
    leadpact_router.tables,
    leadpact_router.webhooks.tables,
    leadpact_sla_timer.tables,
)

# A migration that cannot get its lock gives way instead of queueing everybody behind it.
LOCK_TIMEOUT = "5s"


def run(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


async def run_on_own_engine() -> None:
    engine = create_engine(os.environ["LEADPACT_DATABASE_URL"], application="alembic")
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_on_own_engine())
