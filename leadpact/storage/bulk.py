"""Write many rows with one statement whose text does not depend on how many there are.

``INSERT … SELECT * FROM unnest(:a, :b, …)`` sends one array per column: PostgreSQL plans it once, and 500 rows cost one round trip.
SQLAlchemy's ``insert().values([...])`` compiles a new statement for each length and was five to ten times
slower here; see docs/decisions/0003-set-based-sql.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for one table, as ``insert_rows`` takes them."""

    table: Table
    rows: Sequence[Mapping[str, Any]]
    conflict: str = ""


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


async def insert_together(tx: Transaction, *inserts: Insert) -> None:
    """Insert into several tables with one statement: what a batch of one row waits for is the round trips.

    Foreign keys are checked at its end, so the order of the tables does not matter to them. Rows that others may be writing
    at the same time are to be locked before: in which order the tables are written is PostgreSQL's affair.
    """
    wanted = [insert for insert in inserts if insert.rows]
    if not wanted:
        return
    shapes = tuple((insert.table, tuple(insert.rows[0]), insert.conflict) for insert in wanted)
    parameters = {
        f"_{number}_{name}": values
        for number, (insert, (table, names, _)) in enumerate(zip(wanted, shapes, strict=True))
        for name, values in columns_of(table, names, insert.rows).items()
    }
    await tx.execute(_together_text(shapes), parameters)


def columns_of(table: Table, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The rows turned on their side: one list per column, JSON columns as text."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in names}
    for name in names:
        if isinstance(table.c[name].type, JSON):
            columns[name] = [_written_out(value) for value in columns[name]]
    return columns


def _written_out(value: Any) -> str | None:
    return value if value is None or isinstance(value, JsonText) else to_json(value).decode()


def unnest(table: Table, names: Sequence[str], *, prefix: str = "") -> str:
    """``unnest(...) AS r(a, b)`` with one typed array parameter for each of the table's columns ``names``, called as that, after ``prefix``."""
    arrays = ", ".join(f"CAST(:{prefix}{name} AS {_array_type(table.c[name])})" for name in names)
    return f"unnest({arrays}) AS r({', '.join(_quoted(name) for name in names)})"


@lru_cache(maxsize=512)
def _insert_text(table: Table, names: tuple[str, ...], conflict: str, returning: str) -> TextClause:
    statement = _insert(table, names, conflict)
    return text(f"{statement} RETURNING {returning}" if returning else statement)


@lru_cache(maxsize=512)
def _together_text(shapes: tuple[tuple[Table, tuple[str, ...], str], ...]) -> TextClause:
    *others, last = [_insert(*shape, prefix=f"_{number}_") for number, shape in enumerate(shapes)]
    if not others:
        return text(last)
    named = ", ".join(f"_{number} AS ({statement})" for number, statement in enumerate(others))
    return text(f"WITH {named} {last}")


def _insert(table: Table, names: tuple[str, ...], conflict: str, *, prefix: str = "") -> str:
    columns = ", ".join(_quoted(name) for name in names)
    selected = ", ".join(_selected(table.c[name]) for name in names)
    rows = unnest(table, names, prefix=prefix)
    statement = f"INSERT INTO {_quoted(table.name)} ({columns}) SELECT {selected} FROM {rows}"
    return f"{statement} ON CONFLICT {conflict}" if conflict else statement


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
