"""Write what changes of clocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.storage.bulk import columns_of, unnest
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


# All that firing changes: the widest columns stay as they are, and a sweep of ten thousand does not write them again.
_FIRED = (
    "id",
    "state",
    "next_at",
    "warned_percent",
    "breached_at",
    "ended_at",
    "ended_because",
    "recorded_at",
    "elapsed_seconds",
    "business_seconds",
)


def _updating(columns: Sequence[str]) -> TextClause:
    return text(
        f"UPDATE sla_clock c SET {', '.join(map(_assigned, columns[1:]))} "
        f"FROM {unnest(sla_clock, columns)} WHERE c.id = r.id"
    )


_UPDATE, _UPDATE_FIRED = _updating(_CHANGING), _updating(_FIRED)


async def update_clocks(tx: Transaction, clocks: Collection[SlaClock]) -> None:
    """Write what may change of clocks whose rows this transaction has locked."""
    if clocks:
        await tx.execute(_UPDATE, columns_of(sla_clock, _CHANGING, [clock.to_row() for clock in clocks]))


async def update_fired(tx: Transaction, clocks: Collection[SlaClock]) -> None:
    """Write what firing changed of clocks whose rows this transaction has locked."""
    if clocks:
        rows = [{name: getattr(clock, name) for name in _FIRED} for clock in clocks]
        await tx.execute(_UPDATE_FIRED, columns_of(sla_clock, _FIRED, rows))
