"""Show how PostgreSQL finds the clocks that are due, and refuse a plan whose cost would grow with the number that run.

Wanted is a range of the partial index, read in its order: no sort, no walk through the table. A plan is no timing, so this can be judged on any machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact_sla_timer.sweep import CLAIM

INDEX = "ix_sla_clock_next"
BATCH = 500
# The driver prepares the claim, and the server may plan a prepared statement for its values or, later, for any.
PLAN_MODES = ("custom", "generic")

_ALLOWED = frozenset({"Limit", "LockRows", "Index Scan"})


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a plan as it ran."""

    kind: str
    index: str
    condition: str
    filtered: int
    rows: int
    ms: float

    def __str__(self) -> str:
        where = f" on {self.index}, {self.condition}" if self.index else ""
        return f"{self.kind}{where}: {self.rows} rows in {self.ms:.1f} ms"


async def claim_plan(engine: AsyncEngine, now: datetime, mode: str) -> list[Node]:
    """Run the claim for what is due at ``now`` and say how it went; nothing is kept."""
    claim = str(CLAIM.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
    claim = claim.replace("%(now)s", "$1").replace("%(limit)s", "$2")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = force_{mode}_plan")
        await connection.exec_driver_sql(f"PREPARE claim (timestamptz, int) AS {claim}")
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE claim ('{now.isoformat()}', {BATCH})"
        found = (await connection.exec_driver_sql(explain)).scalar_one()
        await connection.exec_driver_sql("DEALLOCATE claim")
    plan = json.loads(found) if isinstance(found, str) else found
    return list(_nodes(plan[0]["Plan"]))


async def check_index(engine: AsyncEngine) -> None:
    """Raise ``AssertionError`` unless the index holds only clocks that have yet to fire."""
    # The plan does not show it.
    predicate = text(
        "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = to_regclass(:index)"
    )
    async with engine.connect() as connection:
        found = (await connection.execute(predicate, {"index": INDEX})).scalar()
    if found is None or "next_at IS NOT NULL" not in found:
        raise AssertionError(f"{INDEX} does not hold only clocks that have yet to fire: {found}")


def check_plan(nodes: list[Node]) -> None:
    """Raise ``AssertionError`` unless the plan is a range of the index and nothing else."""
    scans = [node for node in nodes if node.kind.endswith("Scan")]
    is_range = len(scans) == 1 and scans[0].index == INDEX and "next_at" in scans[0].condition
    passes_nothing = not any(node.filtered for node in nodes)
    if not (is_range and passes_nothing and {node.kind for node in nodes} <= _ALLOWED):
        raise AssertionError("the claim is no longer a range of its index:\n" + in_short(nodes))


def in_short(nodes: list[Node]) -> str:
    """One line per step, the outermost first."""
    return "\n".join(f"  {'  ' * depth}{node}" for depth, node in enumerate(nodes))


def _nodes(plan: dict[str, Any]) -> Iterator[Node]:
    yield Node(
        kind=plan["Node Type"],
        index=plan.get("Index Name", ""),
        condition=plan.get("Index Cond", ""),
        filtered=int(plan.get("Rows Removed by Filter", 0)),
        rows=int(plan["Actual Rows"]),
        ms=plan["Actual Total Time"],
    )
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
