"""Read the floor for a batch and write back what its assignments changed.

Loads and turns are locked until the commit: two instances that give leads away in the same pools take turns
themselves, which is what keeps limits exact and turns fair. So this is done late in a batch, and only for the
pools that its leads can reach.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text

from leadpact.pact.routing import Overflow, Pool, Routing, Widen
from leadpact.storage.bulk import Insert, insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.availability import Absence, Load, Rep
from leadpact_router.floor import Floor, Place, seat_newcomers
from leadpact_router.rep_refs import RepRefs
from leadpact_router.tables import rep_load as load_table
from leadpact_router.tables import turn as turn_table
from leadpact_router.terms import Terms

_REPS = text(
    """
    SELECT id, name, email, timezone, calendar, active, open_limit, daily_limit, offline_since, absences_revision,
           away.from_at, away.to_at
    FROM rep LEFT JOIN LATERAL (
        SELECT array_agg(starts_at ORDER BY starts_at) AS from_at, array_agg(ends_at ORDER BY starts_at) AS to_at
        FROM absence WHERE rep_id = rep.id AND ends_at > :now) away ON true
    WHERE id = ANY(CAST(:refs AS text[])) OR email = ANY(CAST(:emails AS text[]))
    """
)
# Loads before turns: an append runs its parts in order, and what is locked is what is read.
_LOCK = text(
    """
    WITH locked_load AS MATERIALIZED (
        SELECT rep_id, open, day, today FROM rep_load
        WHERE rep_id = ANY(CAST(:reps AS text[])) ORDER BY rep_id FOR UPDATE
    ), locked_turn AS MATERIALIZED (
        SELECT pool, rep_id, served, assigned FROM turn
        WHERE pool = ANY(CAST(:pools AS text[])) ORDER BY pool, rep_id FOR UPDATE
    )
    SELECT rep_id, open, day, today, NULL AS pool, NULL AS served, NULL AS assigned FROM locked_load
    UNION ALL SELECT rep_id, NULL, NULL, NULL, pool, served, assigned FROM locked_turn
    """
)


async def lock_floor(
    tx: Transaction,
    terms: Terms,
    *,
    pools: Collection[str],
    others: Iterable[str] = (),
) -> Floor:
    """The floor of ``pools`` and those they widen to.

    ``others`` are reps beside the members: account owners, previous owners.
    """
    reached = reachable(terms.applied.pact.routing, pools)
    refs = {member.rep for pool in reached.values() for member in pool.members}
    refs |= {pool.when_nobody.overflow for pool in reached.values() if isinstance(pool.when_nobody, Overflow)}
    reps = await _read_reps(tx, refs | set(others), terms.now)
    loads, turns = await _lock(tx, reps, reached)
    if seats := seat_newcomers(
        reached, _named(reached, reps), {place: row.served for place, row in turns.items()}
    ):
        seated = [
            {"pool": pool, "rep_id": rep_id, "served": place, "assigned": 0}
            for (pool, rep_id), place in sorted(seats.items())
        ]
        # Rare. Another instance may seat the same newcomer: the first seat stands, and both read it.
        await insert_rows(tx, turn_table, seated, conflict="(pool, rep_id) DO NOTHING")
        loads, turns = await _lock(tx, reps, reached)
    return Floor(
        terms.now,
        terms.calendars,
        reps,
        _loads_of_today(loads, reps, terms.now),
        {place: row.served for place, row in turns.items()},
        {place: row.assigned for place, row in turns.items()},
    )


def inserts_of_floor(floor: Floor) -> list[Insert]:
    """The loads and turns that the batch changed, to be written."""
    reps = sorted(floor.changed_loads)
    loads = [
        {"rep_id": rep_id, "open": load.open, "day": _day(floor, rep_id), "today": load.today}
        for rep_id in reps
        for load in [floor.loads[rep_id]]
    ]
    overwrite = "open = excluded.open, day = excluded.day, today = excluded.today"
    return [
        Insert(load_table, loads, f"(rep_id) DO UPDATE SET {overwrite}"),
        Insert(
            turn_table,
            [_turn(floor, place) for place in sorted(floor.changed_turns)],
            "(pool, rep_id) DO UPDATE SET served = excluded.served, assigned = excluded.assigned",
        ),
    ]


def reachable(routing: Routing, pools: Collection[str]) -> dict[str, Pool]:
    """``pools`` and every pool they are widened to, by name."""
    reached: dict[str, Pool] = {}
    names = sorted(pools)
    while names:
        name = names.pop()
        if name not in reached:
            reached[name] = pool = routing.pools[name]
            if isinstance(pool.when_nobody, Widen):
                names.append(pool.when_nobody.widen)
    return reached


async def _read_reps(tx: Transaction, refs: set[str], now: datetime) -> list[Rep]:
    asked = {"refs": sorted(refs), "emails": sorted(ref.lower() for ref in refs), "now": now}
    reps = []
    for row in await tx.execute(_REPS, asked):
        columns = dict(row._mapping)
        away = zip(columns.pop("from_at") or (), columns.pop("to_at") or (), strict=True)
        reps.append(Rep(**columns, absences=tuple(Absence(*span) for span in away)))
    return reps


async def _lock(
    tx: Transaction, reps: Collection[Rep], pools: Collection[str]
) -> tuple[list[Row[Any]], dict[Place, Row[Any]]]:
    """The rows of the reps' loads, and those of the pools' turns by place."""
    asked = {"reps": sorted(rep.id for rep in reps), "pools": sorted(pools)}
    rows = (await tx.execute(_LOCK, asked)).all()
    loads = [row for row in rows if row.pool is None]
    return loads, {(row.pool, row.rep_id): row for row in rows if row.pool is not None}


def _loads_of_today(rows: Iterable[Row[Any]], reps: Iterable[Rep], now: datetime) -> dict[str, Load]:
    today = {rep.id: now.astimezone(ZoneInfo(rep.timezone)).date() for rep in reps}
    return {row.rep_id: Load(row.open, row.today if row.day == today[row.rep_id] else 0) for row in rows}


def _named(pools: Mapping[str, Pool], reps: Iterable[Rep]) -> dict[str, str]:
    """The id of the rep that the pact means by each member's name."""
    refs = RepRefs((rep.id, rep.email) for rep in reps)
    return {
        member.rep: rep_id
        for pool in pools.values()
        for member in pool.members
        if (rep_id := refs.id_of(member.rep))
    }


def _day(floor: Floor, rep_id: str) -> object:
    rep = floor.rep(rep_id)
    assert rep is not None
    return floor.now.astimezone(ZoneInfo(rep.timezone)).date()


def _turn(floor: Floor, place: Place) -> dict[str, object]:
    pool, rep_id = place
    return {
        "pool": pool,
        "rep_id": rep_id,
        "served": floor.served[place],
        "assigned": floor.assigned.get(place, 0),
    }
