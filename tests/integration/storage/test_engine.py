"""What the engine adds to SQLAlchemy's."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from leadpact.errors import Refused
from leadpact.storage.engine import create_engine
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
    "url", ["", "leadpact", "mysql://u:secret@localhost/x", "postgresql+psycopg://localhost/x"]
)
def test_what_is_no_address_of_a_postgresql_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Refused, match="write it as postgresql://") as refused:
        create_engine(url, application="test")
    assert "secret" not in str(refused.value)
