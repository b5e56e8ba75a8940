"""Move the open clocks to another version of the pact: first say what would change, and change it only when told to.

A clock keeps the version it started under. When the two sides agree that a new target, or a holiday that was forgotten, is to
hold for leads that wait already, this lists every open clock of that promise with its due time before and after; applied, each move
is kept (`sla_clock_move`) and announced (`sla.moved`). What a version no longer promises stays as it was, and so does all that has
ended: what was breached was breached. Whether a promise applies to a lead is not asked again.

One call takes one page of clocks, in the order of their ids, in one transaction: a million clocks are many short transactions, and
each of them may be repeated, since a clock that was moved is no longer under another version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from leadpact.ids import new_id
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.clock_rows import update_clocks
from leadpact_sla_timer.opening import WHOSE, under
from leadpact_sla_timer.sla_clock import OPEN_STATES, SlaClock
from leadpact_sla_timer.tables import sla_clock, sla_clock_move

_PAGE = (
    select(sla_clock)
    .where(
        sla_clock.c.state.in_(sorted(OPEN_STATES)),
        sla_clock.c.pact_version != bindparam("version"),
        sla_clock.c.id > bindparam("after"),
    )
    .order_by(sla_clock.c.id)
    .limit(bindparam("limit"))
)
_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Move:
    """An open clock as it is and as it would be. ``after`` is None if the version has no such promise, or makes it to somebody else."""

    before: SlaClock
    after: SlaClock | None

    @property
    def by(self) -> timedelta:
        """How much later it would be due; negative for earlier."""
        return self.after.due_at - self.before.due_at if self.after else timedelta(0)


@dataclass(frozen=True, slots=True)
class MovePage:
    """Some moves, and the clock behind which the next page begins; None at the end."""

    moves: Sequence[Move]
    next: UUID | None


async def preview(tx: Transaction, to: AppliedPact, *, limit: int, after: UUID | None = None) -> MovePage:
    """What would move under ``to``, a page at a time. Changes nothing."""
    page = await tx.execute(_PAGE, {"version": to.version, "after": after or _NO_ID, "limit": limit})
    return _page([SlaClock.from_row(row) for row in page], to, limit)


async def move_clocks(
    tx: Transaction,
    to: AppliedPact,
    *,
    by: str,
    now: datetime,
    limit: int,
    after: UUID | None = None,
) -> MovePage:
    """Move a page of clocks to ``to``, keep what they were, and announce those whose due time changed. ``by`` is who asked for it."""
    locked = _PAGE.with_for_update()
    rows = await tx.execute(locked, {"version": to.version, "after": after or _NO_ID, "limit": limit})
    page = _page([SlaClock.from_row(row) for row in rows], to, limit)
    moved = [(move.before, move.after) for move in page.moves if move.after is not None]
    await update_clocks(tx, [clock for _, clock in moved])
    await insert_rows(tx, sla_clock_move, [_row(old, new, by, now) for old, new in moved])
    for old, new in moved:
        if event := announce.change(old, new, now, to.pact, because=f"pact version {to.version}"):
            tx.emit(event)
    return page


def _page(clocks: Sequence[SlaClock], to: AppliedPact, limit: int) -> MovePage:
    moves = [
        Move(clock, under(clock, to.pact, to.version) if _is_promised(clock, to.pact) else None)
        for clock in clocks
    ]
    return MovePage(moves, clocks[-1].id if len(clocks) == limit else None)


def _is_promised(clock: SlaClock, pact: Pact) -> bool:
    promise = pact.sla.get(clock.policy)
    return promise is not None and WHOSE[promise.starts] == clock.whose


def _row(before: SlaClock, after: SlaClock, by: str, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "clock_id": before.id,
        "moved_at": now,
        "moved_by": by,
        "pact_version_before": before.pact_version,
        "pact_version": after.pact_version,
        "due_before": before.due_at,
        "due_at": after.due_at,
        "target_before": before.target,
        "target": after.target,
    }
