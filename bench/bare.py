"""Write what the router wrote, with nothing else around it: the floor that batched writing sets.

The rows are those that a router's run left behind, grouped as it wrote them: one transaction per batch. Each table of a batch is one
``INSERT ... SELECT * FROM unnest(...)`` straight through asyncpg. No event is read, no rule asked, no object made: the values lie ready in the
driver's own types, only those of JSON columns are turned into text on the way.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
from pydantic_core import to_json
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.types import JSON

from bench.ground import Ground
from leadpact.events import Topic
from leadpact.storage.tables import inbox, outbox
from leadpact_router.tables import assignment, identity, lead, person, rep_load, signal, touch, turn

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
_TABLES = (inbox, person, identity, lead, touch, signal, assignment, rep_load, turn, outbox)
_OVERWRITTEN = (lead, signal, rep_load, turn)  # a later batch writes the same row again
_SET_BY_THE_SERVER = {outbox: ("xid", "id", "logged_at")}


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction wrote: an insert per table with a list per column."""

    leads: int
    inserts: Sequence[tuple[Table, list[list[Any]]]]


async def batches_of(ground: Ground) -> list[Batch]:
    """The transactions of the run that ``ground`` has seen, in order."""
    connection = await _connect(ground)
    try:
        rows = {table: await connection.fetch(_written_rows(table)) for table in _TABLES}
    finally:
        await connection.close()
    # A handler may write under the id of a savepoint, which was given out after its batch's own and before the next one's.
    begun = sorted({row["transaction"] for row in rows[inbox]})
    written: list[dict[Table, list[Any]]] = [defaultdict(list) for _ in begun]
    for table in _TABLES:
        for row in rows[table]:
            written[bisect_right(begun, row["transaction"]) - 1][table].append(row)
    return [_batch(one) for one in written]


async def write(ground: Ground, batches: Sequence[Batch]) -> AsyncIterator[int]:
    """Write them, yielding the number of leads after each commit."""
    connection = await _connect(ground)
    try:
        for batch in batches:
            async with connection.transaction():
                for table, columns in batch.inserts:
                    await connection.execute(_insert(table), *_encoded(table, columns))
            yield batch.leads
    finally:
        await connection.close()


async def _connect(ground: Ground) -> asyncpg.Connection:
    url = make_url(ground.url)
    return await asyncpg.connect(
        host=url.query["host"], port=int(str(url.query["port"])), user=url.username, database=url.database
    )


def _written_rows(table: Table) -> str:
    names = ", ".join(f"t.{_quoted(column)}" for column in _written(table))
    rows = f'SELECT CAST(CAST({{}} AS text) AS bigint) AS transaction, {names} FROM "{table.name}" t'
    if table is lead:
        # Who asked twice has a row that was written again later. It stands where it was made, and where it was written last.
        made = f"{rows.format('p.xmin')} JOIN person p ON p.id = t.person_id"
        again = f"{rows.format('t.xmin')} JOIN person p ON p.id = t.person_id WHERE t.xmin <> p.xmin"
        return f"{made} UNION ALL {again}"
    return rows.format("t.xmin") + (f" WHERE t.topic = '{Topic.LEADS}'" if table is outbox else "")


def _batch(rows_of: dict[Table, list[Any]]) -> Batch:
    return Batch(
        leads=len(rows_of[inbox]),
        inserts=[(table, _columns(table, rows_of[table])) for table in _TABLES if rows_of.get(table)],
    )


@cache
def _insert(table: Table) -> str:
    columns = _written(table)
    arrays = ", ".join(f"CAST(${n} AS {_array(column)})" for n, column in enumerate(columns, start=1))
    names = ", ".join(_quoted(column) for column in columns)
    selected = ", ".join(_cast(column) for column in columns)
    statement = f'INSERT INTO "{table.name}" ({names}) SELECT {selected} FROM unnest({arrays}) AS r({names})'
    if table in _OVERWRITTEN:
        key = ", ".join(_quoted(column) for column in table.primary_key)
        changes = ", ".join(f"{_quoted(column)} = excluded.{_quoted(column)}" for column in columns)
        statement += f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return statement


def _columns(table: Table, rows: Sequence[asyncpg.Record]) -> list[list[Any]]:
    return [
        [_of_json(row[column.name]) if isinstance(column.type, JSON) else row[column.name] for row in rows]
        for column in _written(table)
    ]


def _encoded(table: Table, columns: list[list[Any]]) -> list[list[Any]]:
    return [
        [_to_json(value) for value in values] if isinstance(column.type, JSON) else values
        for column, values in zip(_written(table), columns, strict=True)
    ]


def _of_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _to_json(value: Any) -> str | None:
    return None if value is None else to_json(value).decode()


def _written(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name not in _SET_BY_THE_SERVER.get(table, ())]


def _array(column: Column[Any]) -> str:
    return "text[]" if isinstance(column.type, JSON) else f"{column.type.compile(_DIALECT)}[]"


def _cast(column: Column[Any]) -> str:
    name = f"r.{_quoted(column)}"
    return f"CAST({name} AS {column.type.compile(_DIALECT)})" if isinstance(column.type, JSON) else name


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'
