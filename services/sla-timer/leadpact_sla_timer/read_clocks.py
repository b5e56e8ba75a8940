"""Read clocks for people: one, or a page of them that a cursor continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, select, tuple_

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


async def page_of_clocks(
    tx: Transaction, wanted: Filter, *, limit: int, after: str | None = None
) -> tuple[Sequence[SlaClock], str | None]:
    """At most ``limit`` clocks behind the cursor ``after``, and the cursor that continues; None at the end.

    The cursor is the due time and id of the last clock, so a page is one index range, and clocks that come
    and go in between neither repeat nor hide others. Raises ``Problem`` for a cursor that is none.
    """
    query = _filtered(wanted)
    place = tuple_(sla_clock.c.due_at, sla_clock.c.id)
    if (behind := read_cursor(after, _read_place)) is not None:
        last = tuple_(*behind)
        query = query.where(place > last if wanted.soonest_first else place < last)
    order = [sla_clock.c.due_at, sla_clock.c.id]
    ordered = query.order_by(*(order if wanted.soonest_first else [column.desc() for column in order]))
    found = [SlaClock.from_row(row) for row in await tx.execute(ordered.limit(limit + 1))]
    page = found[:limit]
    return page, cursor(_place(page[-1])) if len(found) > limit else None


def _filtered(wanted: Filter) -> Select[tuple[object, ...]]:
    query = select(sla_clock)
    for name in ("state", "rep_id", "lead_id", "whose", "policy", "released_at_pace"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(sla_clock.c[name] == value)
    if wanted.due_before is not None:
        query = query.where(sla_clock.c.due_at < wanted.due_before)
    return query


def _place(clock: SlaClock) -> str:
    return f"{clock.due_at.isoformat()} {clock.id}"


def _read_place(text: str) -> tuple[datetime, UUID]:
    due_at, _, clock_id = text.partition(" ")
    place = datetime.fromisoformat(due_at), UUID(clock_id)
    if place[0].utcoffset() is None or not 1970 <= place[0].year < 2200:
        raise ValueError
    return place
