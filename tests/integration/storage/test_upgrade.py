"""A database of an earlier version is brought to this one with what it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.events import Event, LeadFacts, LeadHeld, SlaWarned
from leadpact.ids import new_id
from leadpact.storage.engine import create_engine
from leadpact.storage.migrate import alembic_config, migrate
from leadpact_sla_timer.request_rows import assignment_of
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, Warn
from leadpact_sla_timer.tables import sla_assignment, sla_clock
from tests.conftest import PostgresServer
from tests.support.fake_clock import TUESDAY_MORNING as START

HOUR = timedelta(hours=1)


@pytest.fixture
async def first_version(postgres_server: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A database as the first version left it."""
    engine = create_engine(
        await postgres_server.create_database("first_version", migrated=False), application="test"
    )
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade_to, "0001")
        await connection.commit()
    yield engine
    await engine.dispose()
    await postgres_server.drop_database("first_version")


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _insert(engine: AsyncEngine, table: str, **values: Any) -> None:
    columns = ", ".join(values)
    bound = ", ".join(f":{name}" for name in values)
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({bound})"), values)


async def _insert_lead(engine: AsyncEngine, lead_id: UUID, **values: Any) -> None:
    """A demo request and the person who made it."""
    person_id = new_id()
    await _insert(engine, "person", id=person_id, first_seen_at=START)
    await _insert(
        engine,
        "lead",
        id=lead_id,
        person_id=person_id,
        source="website-demo",
        source_kind="form",
        intent="demo_request",
        received_at=START,
        touched_at=START,
        draft="{}",
        **values,
    )


async def test_clocks_that_ran_run_on_and_what_was_known_of_their_assignments_is_known(
    first_version: AsyncEngine,
) -> None:
    lead_id, assignment_id, clock_id = new_id(), new_id(), new_id()
    await _insert(
        first_version,
        "sla_assignment",
        id=assignment_id,
        lead_id=lead_id,
        cycle_id=assignment_id,
        assigned_at=START,
        contacted_at=START + HOUR,
        contact_recorded_at=START + 2 * HOUR,
        ended_at=START + 3 * HOUR,
        end_recorded_at=START + 3 * HOUR,
        ended_because="rejected: no_budget",
    )
    await _insert(
        first_version,
        "sla_clock",
        id=clock_id,
        lead_id=lead_id,
        assignment_id=assignment_id,
        policy="first-touch",
        pact_version=1,
        rep_id="ana",
        rep_name="Ana",
        rep_timezone="UTC",
        hop=1,
        target="2 business hours",
        target_seconds=7200,
        calendar="utc",
        timezone="UTC",
        stops='["contacted"]',
        warnings=f'[[50, "{(START + HOUR).isoformat()}"], [80, "{(START + 96 * HOUR / 60).isoformat()}"]]',
        reassign_at_most=3,
        escalate_to="boss",
        started_at=START,
        due_at=START + 2 * HOUR,
        state="running",
        next_at=START + HOUR,
    )

    await migrate(first_version)

    async with first_version.connect() as connection:
        clock = SlaClock.from_row((await connection.execute(select(sla_clock))).one())
        assignment = assignment_of((await connection.execute(select(sla_assignment))).one())
    assert (clock.id, clock.subject_id, clock.whose, clock.kind) == (
        clock_id,
        assignment_id,
        "owner",
        "first_touch",
    )
    assert (clock.state, clock.next_at) == (ClockState.RUNNING, START + HOUR)
    assert clock.warnings == (Warn(50, START + HOUR), Warn(80, START + 1.6 * HOUR))
    contacted = assignment.contacted
    assert contacted is not None
    assert (contacted.at, contacted.recorded_at) == (START + HOUR, START + 2 * HOUR)
    assert set(assignment.done) == {"contacted", "rejected"}
    assert assignment.ended is not None
    assert assignment.ended.what == "rejected: no_budget"
    assert assignment.rep_id == "ana"


async def test_what_receipts_tell_of_a_lead_is_what_the_router_has(first_version: AsyncEngine) -> None:
    """Ingest had noted down a former owner's late contact as the present state."""
    lead_id, assignment_id = new_id(), new_id()
    await _insert_lead(
        first_version, lead_id, stage="assigned", owner="ben", assignment_id=assignment_id, hop=2
    )
    await _insert(
        first_version, "lead_progress", lead_id=lead_id, stage="contacted", owner="ana", changed_at=START
    )

    await migrate(first_version)

    async with first_version.connect() as connection:
        shown = (
            await connection.execute(text("SELECT stage, owner, assignment_id FROM lead_progress"))
        ).one()
    assert tuple(shown) == ("assigned", "ben", assignment_id)


async def test_warnings_that_the_log_still_tells_are_each_shown_and_of_others_the_first(
    first_version: AsyncEngine,
) -> None:
    told, forgotten, half_forgotten, event_id = (new_id() for _ in range(4))
    for clock_id, warned_at in ((told, HOUR), (forgotten, HOUR), (half_forgotten, HOUR)):
        await _insert(
            first_version,
            "clock_view",
            clock_id=clock_id,
            lead_id=new_id(),
            assignment_id=new_id(),
            policy="first-touch",
            rep_id="ana",
            state="warned",
            due_at=START + 2 * HOUR,
            warned_at=START + warned_at,
        )
    for clock_id, at, percent in ((told, HOUR, 50), (told, 1.6 * HOUR, 80), (half_forgotten, 1.6 * HOUR, 80)):
        warned = SlaWarned(
            occurred_at=START + at,
            clock_id=clock_id,
            lead_id=new_id(),
            policy="first-touch",
            due_at=START + 2 * HOUR,
            percent=percent,
        )
        await _announce(first_version, event_id if at == HOUR else new_id(), warned)

    await migrate(first_version)

    async with first_version.connect() as connection:
        rows = await connection.execute(
            text("SELECT clock_id, warned_at, percent FROM clock_warning ORDER BY clock_id, warned_at")
        )
        assert [tuple(row) for row in rows] == [
            (told, START + HOUR, 50),
            (told, START + 1.6 * HOUR, 80),
            (forgotten, START + HOUR, None),
            (half_forgotten, START + HOUR, None),
            (half_forgotten, START + 1.6 * HOUR, 80),
        ]
        kept = await connection.execute(text("SELECT event_id FROM clock_warning WHERE percent = 50"))
        assert kept.scalar_one() == event_id


async def test_why_leads_wait_is_carried_over_as_far_as_the_log_tells(first_version: AsyncEngine) -> None:
    told, forgotten, half_forgotten, gone_out = (new_id() for _ in range(4))
    for lead_id in (told, forgotten, half_forgotten, gone_out):
        is_held = lead_id != gone_out
        await _insert_lead(
            first_version,
            lead_id,
            stage="held" if is_held else "assigned",
            hop=0,
            held_since=START if is_held else None,
            held_reason="3 at the daily limit" if is_held else None,
            held_pool="dach" if is_held else None,
        )
    for lead_id, at in ((told, START), (half_forgotten, START + HOUR), (gone_out, START)):
        await _announce(first_version, new_id(), _held(lead_id, at))

    await migrate(first_version)

    unknown = "nobody could take it; why is no longer on record"
    async with first_version.connect() as connection:
        rows = await connection.execute(
            text(
                """
                SELECT lead_id, held_at, pool, explanation ->> 'decision', latest_explanation ->> 'decision', pact_version
                FROM hold ORDER BY lead_id, id
                """
            )
        )
        assert [tuple(row) for row in rows] == [
            (told, START, "dach", "older leads wait for dach", None, 3),
            (forgotten, START, "dach", unknown, "3 at the daily limit", 0),
            (half_forgotten, START, None, unknown, None, 0),
            (half_forgotten, START + HOUR, "dach", "older leads wait for dach", None, 3),
            (gone_out, START, "dach", "older leads wait for dach", None, 3),
        ]


async def test_the_owners_that_a_lead_has_had_are_counted(first_version: AsyncEngine) -> None:
    lead_id = new_id()
    await _insert_lead(first_version, lead_id, stage="assigned")
    await _insert(
        first_version,
        "rep",
        id="ana",
        name="Ana",
        email="ana@acme.example",
        timezone="UTC",
        active=True,
        updated_at=START,
    )
    for hours, ended in ((0, "reassigned"), (1, None)):
        await _insert(
            first_version,
            "assignment",
            id=new_id(),
            lead_id=lead_id,
            rep_id="ana",
            rule="DACH",
            hop=hours + 1,
            cause_id=new_id(),
            assigned_at=START + hours * HOUR,
            explanation="{}",
            pact_version=1,
            ended_at=START + HOUR if ended else None,
            ended_as=ended,
        )

    await migrate(first_version)

    async with first_version.connect() as connection:
        assert (await connection.execute(text("SELECT owner_count FROM lead"))).scalar() == 2


def _held(lead_id: UUID, at: datetime) -> LeadHeld:
    facts = LeadFacts(
        lead_id=lead_id,
        person_id=new_id(),
        source="website-demo",
        source_kind="form",
        intent="demo_request",
        received_at=START,
    )
    why = "older leads wait for dach"
    return LeadHeld(
        occurred_at=at,
        lead_id=lead_id,
        reason=why,
        pool="dach",
        lead=facts,
        explanation={"decision": why, "rules": [], "pools": []},
        pact_version=3,
    )


async def _announce(engine: AsyncEngine, event_id: UUID, event: Event) -> None:
    """Write an event to the log as the service that announced it did."""
    await _insert(
        engine,
        "outbox",
        topic=event.TOPIC,
        shard=0,
        event_id=event_id,
        type=event.TYPE,
        source="test",
        key=event.key,
        occurred_at=event.occurred_at,
        data=event.model_dump_json(exclude_defaults=True),
    )


async def test_an_empty_database_of_the_first_version_is_upgraded_too(first_version: AsyncEngine) -> None:
    await migrate(first_version)
    await migrate(first_version)
