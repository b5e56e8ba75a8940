"""Move the open clocks to another version of the pact: first say what would change, and change it only when told to.

A clock keeps the version it started under. When the two sides agree that a new target, or a holiday that was forgotten, is to
hold for leads that wait already, this lists every open clock of that promise with its due time before and after; applied, each move
is kept (`sla_clock_move`) and announced (`sla.moved`). What a version no longer promises stays as it was, and so does all that has
ended: what was breached was breached. Whether a promise applies to a lead is not asked again.

A moved clock stands as if it had run under that version from its start: what is known of the lead by now is judged anew, since fewer
attempts may be enough, a state may pause it no longer, and an absence of its owner may mean something else from now on. Of warnings
only those that lie behind it under the new version stay given.

One call takes one page of clocks, in the order of their ids, in one transaction: a million clocks are many short transactions, and
each of them may be repeated, since a clock that was moved is no longer under another version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select

from leadpact.ids import new_id
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.clock_facts import ClockFacts
from leadpact_sla_timer.clock_rows import update_clocks
from leadpact_sla_timer.judge import judge
from leadpact_sla_timer.opening import WHOSE, under
from leadpact_sla_timer.record import cut
from leadpact_sla_timer.schedule import OWNER_AWAY, with_absences, with_lead_paused
from leadpact_sla_timer.sla_clock import SlaClock, next_moment
from leadpact_sla_timer.tables import IS_OPEN, sla_clock, sla_clock_move

_PAGE = (
    select(sla_clock)
    .where(
        IS_OPEN,
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


async def preview(
    tx: Transaction, to: AppliedPact, *, now: datetime, limit: int, after: UUID | None = None
) -> MovePage:
    """What would move under ``to``, a page at a time. Changes nothing."""
    return await _page(tx, _PAGE, to, now, limit, after)


async def move_clocks(
    tx: Transaction,
    to: AppliedPact,
    *,
    by: str,
    now: datetime,
    limit: int,
    after: UUID | None = None,
) -> MovePage:
    """Move a page of clocks to ``to``, keep what they were, and announce what that changed. ``by`` is who asked for it."""
    # What two move at once is moved by whoever locks it first: the other waits, and finds it under the new version. News that
    # comes meanwhile waits too, and is judged by the new version.
    page = await _page(tx, _PAGE.with_for_update(), to, now, limit, after)
    moved = [(move.before, move.after) for move in page.moves if move.after is not None]
    await update_clocks(tx, [clock for _, clock in moved])
    await insert_rows(tx, sla_clock_move, [_row(old, new, by, now) for old, new in moved])
    for old, new in moved:
        if event := announce.change(old, new, now, to.pact, because=f"pact version {to.version}"):
            tx.emit(event)
    return page


async def _page(
    tx: Transaction, query: Select[Any], to: AppliedPact, now: datetime, limit: int, after: UUID | None
) -> MovePage:
    asked = {"version": to.version, "after": after or _NO_ID, "limit": limit}
    clocks = [SlaClock.from_row(row) for row in await tx.execute(query, asked)]
    facts = await ClockFacts.read(
        tx, clocks
    )  # after the clocks: what was written before they were locked is seen
    moves = [
        Move(clock, _moved(clock, to, facts, now) if _is_promised(clock, to.pact) else None)
        for clock in clocks
    ]
    return MovePage(moves, clocks[-1].id if len(clocks) == limit else None)


def _is_promised(clock: SlaClock, pact: Pact) -> bool:
    promise = pact.sla.get(clock.policy)
    return promise is not None and WHOSE[promise.starts] == clock.whose


def _moved(clock: SlaClock, to: AppliedPact, facts: ClockFacts, now: datetime) -> SlaClock:
    known, pact = facts.known_to(clock), to.pact
    moved = under(_without_absences(clock, now), pact, to.version)
    moved = with_lead_paused(moved, known.pauses, pact)
    moved = with_absences(moved, facts.away(clock), pact, max(now, clock.started_at))
    return judge(_warned_anew(moved, max(now, _last_warned(clock))), known, now, pact)


def _without_absences(clock: SlaClock, now: datetime) -> SlaClock:
    """With nothing left that the old version made of absences to come. What has passed stays."""
    away = cut((pause for pause in clock.pauses if pause.because == OWNER_AWAY), now)
    others = (pause for pause in clock.pauses if pause.because != OWNER_AWAY)
    pauses = tuple(sorted((*others, *away), key=lambda pause: pause.at))
    return replace(clock, pauses=pauses, leaves_at=None, away_until=None)


def _last_warned(clock: SlaClock) -> datetime:
    """The moment of the last warning that was given: it has been, even if the database's clock was set back since."""
    given = (warn.at for warn in clock.warnings if warn.percent <= (clock.warned_percent or 0))
    return max(given, default=clock.started_at)


def _warned_anew(clock: SlaClock, reached: datetime) -> SlaClock:
    """A warning that was given, and lies ahead again of the latest moment that was ``reached``, is given again."""
    given = (warn.percent for warn in clock.warnings if warn.at <= reached)
    percent = max((one for one in given if one <= (clock.warned_percent or 0)), default=None)
    again = replace(clock, warned_percent=percent)
    return replace(again, next_at=next_moment(again))


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
