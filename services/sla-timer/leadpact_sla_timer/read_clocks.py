"""Read clocks for people: one, or a page of them that a cursor continues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, bindparam, exists, select, tuple_, union_all

from leadpact.events.sla import Whose
from leadpact.runtime.pages import cursor, read_cursor
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.tables import sla_clock, sla_clock_move

_MOVES = (
    select(sla_clock_move)
    .where(sla_clock_move.c.clock_id == bindparam("clock_id"))
    .order_by(sla_clock_move.c.moved_at, sla_clock_move.c.id)
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which clocks: every condition that is given must hold."""

    state: ClockState | None = None
    rep_id: str | None = None
    lead_id: UUID | None = None
    whose: Whose | None = None
    policy: str | None = None
    released_at_pace: bool | None = None
    due_before: datetime | None = None

    @property
    def soonest_first(self) -> bool:
        """Open clocks are read for what comes next, all others for what was lately."""
        return self.state is not None and self.state.is_open


async def read_clock(tx: Transaction, clock_id: UUID) -> SlaClock | None:
    """One clock."""
    row = (await tx.execute(select(sla_clock).where(sla_clock.c.id == clock_id))).first()
    return SlaClock.from_row(row) if row else None


async def moves_of(tx: Transaction, clock_id: UUID) -> Sequence[Row[tuple[object, ...]]]:
    """Each time that a clock was moved to another version of the pact, in that order: the rows of `sla_clock_move`."""
    return (await tx.execute(_MOVES, {"clock_id": clock_id})).all()


async def has_policy(tx: Transaction, policy: str) -> bool:
    """Whether there is a clock of the promise, in whatever state: also of one that the pact has no longer."""
    query = select(exists().where(sla_clock.c.policy == policy))
    return bool((await tx.execute(query)).scalar_one())


async def page_of_clocks(
    tx: Transaction, wanted: Filter, *, limit: int, after: str | None = None
) -> tuple[Sequence[SlaClock], str | None]:
    """At most ``limit`` clocks behind the cursor ``after``, and the cursor that continues; None at the end.

    The cursor is the due time and id of the last clock, so clocks that come and go in between neither repeat nor hide others.
    Raises ``Problem`` for a cursor that is none.
    """
    query = page_query(wanted, limit + 1, read_cursor(after, _read_place))
    found = [SlaClock.from_row(row) for row in await tx.execute(query)]
    page = found[:limit]
    return page, cursor(_place(page[-1])) if len(found) > limit else None


def page_query(wanted: Filter, limit: int, last: tuple[datetime, UUID] | None = None) -> Select[Any]:
    """At most ``limit`` clocks behind ``last``, in order: one index range, that of the state, of the rep or of the lead.

    Of clocks in any state it is a range for each state, and the first of all of them: an index without the state would be one more to
    write with every clock that opens, fires or ends.
    """
    if wanted.state or wanted.rep_id or wanted.lead_id:
        return _in_order(select(sla_clock).where(*_conditions(wanted)), sla_clock, wanted, limit, last)
    ranges = (
        _in_order(
            select(sla_clock).where(sla_clock.c.state == state, *_conditions(wanted)),
            sla_clock,
            wanted,
            limit,
            last,
        ).subquery()
        for state in ClockState
    )
    together = union_all(*(select(one) for one in ranges)).subquery()
    return _in_order(select(together), together, wanted, limit)


def _in_order(
    query: Select[Any],
    of: FromClause,
    wanted: Filter,
    limit: int,
    last: tuple[datetime, UUID] | None = None,
) -> Select[Any]:
    order = [of.c.due_at, of.c.id]
    if last is not None:
        place = tuple_(*order)
        query = query.where(place > tuple_(*last) if wanted.soonest_first else place < tuple_(*last))
    return query.order_by(*(order if wanted.soonest_first else [one.desc() for one in order])).limit(limit)


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for name in ("state", "rep_id", "lead_id", "whose", "policy", "released_at_pace"):
        value = getattr(wanted, name)
        if value is not None:
            yield sla_clock.c[name] == value
    if wanted.due_before is not None:
        yield sla_clock.c.due_at < wanted.due_before


def _place(clock: SlaClock) -> str:
    return f"{clock.due_at.isoformat()} {clock.id}"


def _read_place(text: str) -> tuple[datetime, UUID]:
    due_at, _, clock_id = text.partition(" ")
    place = datetime.fromisoformat(due_at), UUID(clock_id)
    if place[0].utcoffset() is None or not 1970 <= place[0].year < 2200:
        raise ValueError
    return place
