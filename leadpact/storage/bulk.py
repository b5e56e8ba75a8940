"""Write many rows with one statement whose text does not depend on how many there are.

``INSERT … SELECT * FROM unnest(:a, :b, …)`` sends one array per column: PostgreSQL plans it once, and 500 rows cost one round trip.
SQLAlchemy's ``insert().values([...])`` compiles a new statement for each length and was five to ten times
slower here; see docs/decisions/0003-set-based-sql.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from sqlalchemy import Column, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadpact.storage.unit_of_work import Transaction


class JsonText(str):
    """A value of a JSON column that is written out already.

    Worth it in a large batch: the text is small, and what it was made of can go at once instead of at the commit.
    """

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> JsonText:
        """``value`` as it will stand in the column."""
        return cls(to_json(value).decode())


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped


async def insert_rows(
    tx: Transaction,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    conflict: str = "",
    returning: str = "",
) -> list[Any]:
    """Insert ``rows`` (all with the keys of the first) and return what ``returning`` asks for.

    ``conflict`` is the text after ON CONFLICT, for instance ``(kind, value) DO NOTHING``. Values of JSON columns are given as
    Python values, or as ``JsonText``, and stored as JSON. Array columns cannot be written this way: unnest would flatten them.
    """
    if not rows:
        return []
    names = tuple(rows[0])
    statement = _insert_text(table, names, conflict, returning)
    result = await tx.execute(statement, columns_of(table, names, rows))
    return list(result.all()) if returning else []


def columns_of(table: Table, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The rows turned on their side: one list per column, JSON columns as text."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    for name in names:
        if isinstance(table.c[name].type, JSON):
            columns[name] = [_written_out(value) for value in columns[name]]
    return columns


def _written_out(value: Any) -> str | None:
    return value if value is None or isinstance(value, JsonText) else to_json(value).decode()


def unnest(table: Table, names: Sequence[str], alias: str = "r") -> str:
    """``unnest(...) AS r(a, b)`` with one typed array parameter for each of the table's columns ``names``."""
    arrays = ", ".join(f"CAST(:{name} AS {_array_type(table.c[name])})" for name in names)
    return f"unnest({arrays}) AS {alias}({', '.join(_quoted(name) for name in names)})"


@lru_cache(maxsize=512)
def _insert_text(table: Table, names: tuple[str, ...], conflict: str, returning: str) -> TextClause:
    columns = ", ".join(_quoted(name) for name in names)
    selected = ", ".join(_selected(table.c[name]) for name in names)
    statement = f"INSERT INTO {_quoted(table.name)} ({columns}) SELECT {selected} FROM {unnest(table, names)}"
    if conflict:
        statement += f" ON CONFLICT {conflict}"
    if returning:
        statement += f" RETURNING {returning}"
    return text(statement)


def _array_type(column: Column[Any]) -> str:
    if isinstance(column.type, ARRAY):
        raise TypeError(f"{column.table.name}.{column.name} is an array: unnest would flatten it")
    if isinstance(column.type, JSON):
        return "text[]"
    return f"{column.type.compile(_DIALECT)}[]"


def _selected(column: Column[Any]) -> str:
    quoted = f"r.{_quoted(column.name)}"
    if isinstance(column.type, JSONB):
        return f"CAST({quoted} AS jsonb)"
    if isinstance(column.type, JSON):
        return f"CAST({quoted} AS json)"
    return quoted


def _quoted(name: str) -> str:
    return _DIALECT.identifier_preparer.quote(name)
