"""The audit that the thousand leads and the storms rely on notices what it is for: break one thing, and it says which.

An audit that finds nothing proves something only if it would have found it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.pact.book import PactBook
from leadpact.runtime.settings import Settings
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.roster import RepEntry, put_reps
from tests.support.audit import audit_through, balance_through
from tests.support.crowd import PACT, REPS, invent
from tests.support.eventually import eventually
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.log_tricks import all_is_read
from tests.support.postgres import PostgresServer
from tests.support.together import serving

COPY = """
    INSERT INTO outbox (topic, shard, event_id, type, source, key, occurred_at, causation_id, data)
    SELECT topic, shard, {event_id}, {type}, source, key, occurred_at, causation_id, data
    FROM outbox WHERE type = 'leadpact.{copied}.v1' ORDER BY id LIMIT 1
"""
NEW = "gen_random_uuid()"

BREAKS = {
    "lost: an applied lead is gone": (
        "DELETE FROM touch WHERE receipt_id = (SELECT receipt_id FROM touch LIMIT 1)",
        "lost: an accepted lead was never applied",
    ),
    "lost: a lead was accepted and not announced": (
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE type = 'leadpact.lead.captured.v1')",
        "lost: an accepted lead was never announced",
    ),
    "lost: an assignment was not announced": (
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE type = 'leadpact.lead.assigned.v1')",
        "lost: an assignment was never announced",
    ),
    "lost: a lead has lost its owner": (
        "UPDATE assignment SET ended_at = now() WHERE id = (SELECT id FROM assignment LIMIT 1)",
        "lost: a qualified lead is nobody's and not held",
    ),
    "lost: an assignment has no clock": (
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE type = 'leadpact.sla.started.v1')",
        "lost: an assignment's clock was never announced",
    ),
    "lost: a clock did not fire": (
        "UPDATE sla_clock SET next_at = now() - interval '1 minute' WHERE id = (SELECT id FROM sla_clock LIMIT 1)",
        "lost: a clock that is due has not fired",
    ),
    "lost: an endpoint was forgotten": (
        "INSERT INTO webhook_endpoint (id, url, events, secret, created_at)"
        " VALUES (gen_random_uuid(), 'https://crm.example', ARRAY['lead.assigned'], 's', now())",
        "lost: an event was not queued for an endpoint that asked for it",
    ),
    "doubled: an assignment was announced again": (
        COPY.format(copied="lead.assigned", event_id=NEW, type="type"),
        "doubled: a lead was assigned twice for one cause",
    ),
    "doubled: a lead was applied again": (
        COPY.format(copied="lead.matched", event_id=NEW, type="type"),
        "doubled: an applied lead was announced more than once",
    ),
    "doubled: a lead was qualified again": (
        COPY.format(copied="lead.qualified", event_id=NEW, type="type"),
        "doubled: a qualified lead was announced more than once",
    ),
    "doubled: one person became two": (
        "UPDATE lead SET email = (SELECT min(email) FROM lead) WHERE email = (SELECT max(email) FROM lead)",
        "doubled: one address has several leads",
    ),
    "doubled: a counter is too high": (
        "UPDATE rep_load SET open = open + 1 WHERE rep_id = 'ana'",
        "doubled: a rep's open leads are counted too high",
    ),
    "early: a clock fired before its time": (
        COPY.format(copied="sla.started", event_id=NEW, type="'leadpact.sla.breached.v1'"),
        "early: a breach was announced before its time was up",
    ),
    "disorder: news of a lead changed places": (
        "UPDATE outbox SET logged_at = now() + interval '1 hour' WHERE type = 'leadpact.lead.matched.v1'",
        "disorder: a service's news of a lead stand in the log in another order than they were announced",
    ),
}


@pytest.fixture(scope="module")
async def settled(postgres_server: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A database in which some forms were posted, and everything has come to rest."""
    url = await postgres_server.create_database("settled")
    engine = create_engine(url, application="test")
    async with UnitOfWork(engine, source="test", wake=Wake()).transaction() as tx:
        await PactBook().apply(tx, PACT, applied_by="test")
        await put_reps(
            tx, [RepEntry(rep, rep.title(), f"{rep}@acme.example", "UTC") for rep in REPS], TUESDAY_MORNING
        )
    settings = Settings(database_url=SecretStr(url), data=Path("not-made"))
    assert not await all_is_read(engine, None)  # nobody has begun to
    async with AsyncExitStack() as stack:
        ingest, *_ = [
            await stack.enter_async_context(serving(name, settings))
            for name in ("ingest", "router", "sla-timer")
        ]
        for ask in invent(30, seed=1).of("demo", "paper"):
            answer = await ingest.post(f"/v1/forms/{ask.source}", json=ask.fields)
            assert answer.status_code == 202
        await eventually(lambda: all_is_read(engine, None))
    yield engine
    await engine.dispose()
    await postgres_server.drop_database("settled")


async def test_where_nothing_is_broken_nothing_is_found(settled: AsyncEngine) -> None:
    async with settled.connect() as connection:
        assert await audit_through(connection) == []
        balance = await balance_through(connection)
    assert balance.holds
    assert balance.applied > 10


@pytest.mark.parametrize(("statement", "noticed"), BREAKS.values(), ids=BREAKS)
async def test_what_is_broken_is_found(settled: AsyncEngine, statement: str, noticed: str) -> None:
    async with settled.connect() as connection:
        await connection.execute(text(statement))
        found = {f"{finding.fault}: {finding.what}" for finding in await audit_through(connection)}
    assert noticed in found


async def test_an_event_that_is_only_repeated_is_no_second_one(settled: AsyncEngine) -> None:
    async with settled.connect() as connection:
        await connection.execute(text(COPY.format(copied="lead.assigned", event_id="event_id", type="type")))
        assert await audit_through(connection) == []


@pytest.mark.parametrize("table", ["touch", "receipt"])
async def test_a_lead_that_vanishes_upsets_the_balance(settled: AsyncEngine, table: str) -> None:
    async with settled.connect() as connection:
        await connection.execute(text(f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})"))
        assert not (await balance_through(connection)).holds
