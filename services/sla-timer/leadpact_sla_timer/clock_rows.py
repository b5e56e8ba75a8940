"""Write clocks."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import sla_clock

# What a clock is about never changes.
_FIXED = frozenset(
    {
        "id",
        "lead_id",
        "subject_id",
        "request_id",
        "assignment_id",
        "whose",
        "policy",
        "hop",
        "released_at_pace",
    }
    | {"rep_id", "rep_name", "rep_timezone", "rep_calendar", "pool_calendar", "lead_timezone"}
)
_CHANGING = ("id", *(column.name for column in sla_clock.c if column.name not in _FIXED))


def _assigned(name: str) -> str:
    is_json = isinstance(sla_clock.c[name].type, JSONB)
    return f"{name} = CAST(r.{name} AS jsonb)" if is_json else f"{name} = r.{name}"


_UPDATE = text(
    f"UPDATE sla_clock c SET {', '.join(map(_assigned, _CHANGING[1:]))} "
    f"FROM {unnest(sla_clock, _CHANGING)} WHERE c.id = r.id"
)


async def insert_clocks(tx: Transaction, clocks: Collection[SlaClock]) -> None:
    """Write clocks that were opened in this transaction."""
    await insert_rows(tx, sla_clock, [clock.to_row() for clock in clocks])


async def update_clocks(tx: Transaction, clocks: Collection[SlaClock]) -> None:
    """Write what may change of clocks whose rows this transaction has locked."""
    if clocks:
        await tx.execute(_UPDATE, columns_of(sla_clock, _CHANGING, [clock.to_row() for clock in clocks]))
