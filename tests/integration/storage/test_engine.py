"""What the engine adds to SQLAlchemy's."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from leadpact.errors import Refused, Transient
from leadpact.storage.engine import create_engine, require_reachable
from leadpact.storage.migrate import check_schema, migrate
from leadpact.storage.unit_of_work import UnitOfWork
from tests.conftest import Database

_INSERT = text(
    "INSERT INTO rep (id, name, email, timezone, updated_at) VALUES (:id, :id, :email, 'UTC', statement_timestamp())"
)


async def test_an_error_does_not_repeat_what_the_statement_was_given_or_the_row_holds(
    database: Database,
) -> None:
    jo, twin = ({"id": name, "email": "jo@globex.example"} for name in ("jo", "kit"))
    async with database.engine.begin() as connection:
        await connection.execute(_INSERT, jo)
    with pytest.raises(IntegrityError) as raised:
        async with database.engine.begin() as connection:
            await connection.execute(_INSERT, twin)
    trace = "".join(traceback.format_exception(raised.value))
    assert "uq_rep_email" in trace
    assert "jo@globex.example" not in trace


async def test_a_connection_that_the_server_has_ended_is_replaced_before_work_begins(
    uow_for: Callable[[str], UnitOfWork], database: Database
) -> None:
    uow = uow_for("router")
    async with uow.transaction() as tx, uow.transaction() as other:
        before = {(await one.execute(text("SELECT pg_backend_pid()"))).scalar_one() for one in (tx, other)}
    admin = create_engine(database.url, application="admin")
    async with admin.connect() as connection:
        await connection.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM unnest(CAST(:pids AS int[])) AS pid"),
            {"pids": sorted(before)},
        )
    await admin.dispose()
    async with uow.transaction() as tx:
        pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    assert pid not in before


@pytest.mark.parametrize(
    "url",
    [
        "",
        "leadpact",
        "mysql://u:secret@localhost/x",
        "postgresql+psycopg://localhost/x",
        "postgresql://u:secret@localhost:port/x",
        "postgresql://u:secret@/x?host=/run&port=port",
    ],
)
def test_what_is_no_address_of_a_postgresql_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Refused, match="write it as postgresql://") as refused:
        create_engine(url, application="test")
    assert "secret" not in str(refused.value)


async def test_an_address_may_say_sslmode_as_libpq_does(database: Database) -> None:
    joined = "&" if "?" in database.url else "?"
    for mode in ("disable", "prefer", "require"):
        engine = create_engine(f"{database.url}{joined}sslmode={mode}", application="test")
        assert engine.url.query["ssl"] == mode
        await require_reachable(engine)  # the driver knows the word; over the Unix socket it has no effect
        await engine.dispose()
    engine = create_engine(f"{database.url}{joined}sslmode=perhaps", application="test")
    with pytest.raises(Transient, match="must be one of"):
        await require_reachable(engine)


async def test_an_option_that_the_driver_does_not_know_is_named(database: Database) -> None:
    joined = "&" if "?" in database.url else "?"
    engine = create_engine(f"{database.url}{joined}pool=5", application="test")
    with pytest.raises(Refused, match="'pool'"):
        await require_reachable(engine)


async def test_a_schema_of_a_newer_version_is_neither_used_nor_migrated(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for step in (check_schema, migrate):
        with pytest.raises(Refused, match="upgrade Leadpact"):
            await step(database.engine)


async def test_a_server_that_goes_while_the_schema_is_looked_at_is_a_passing_fault(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    monkeypatch.setattr("leadpact.storage.migrate._check_server", goes)
    for step in (check_schema, migrate):
        with pytest.raises(Transient, match=r"run it again|just now"):
            await step(database.engine)
