"""Move the open clocks to another version of the pact: first say what would change, and change it only when told to.

A clock keeps the version it started under. When the two sides agree that a new target, or a holiday that was forgotten, is to
hold for leads that wait already, this lists every open clock of that promise with its due time before and after; applied, each move
is kept (`sla_clock_move`) and announced (`sla.moved`). What a version no longer promises stays as it was, and so does all that has
ended: what was breached was breached. Whether a promise applies to a lead is not asked again.

A moved clock stands as if it had run under that version from its start: what is known of the lead by now is judged anew, since fewer
attempts may be enough, a state may pause it no longer, and an absence of its owner may mean something else from now on. Of warnings
only those that lie behind it under the new version stay given.

A clock that waits for its turn starts later or earlier if the version has other hours or another pace: the turns that lie ahead are
given anew (`release.py`). A turn is its lead's, so all clocks that wait for it move in one page, be they under that version already, or
under an older one since the new one lacks their promise: nothing of a lead starts before its turn.

One call takes one page of clocks, in the order of their ids, in one transaction: a million clocks are many short transactions, and
each of them may be repeated, since a clock that was moved is no longer under another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Select, Uuid, and_, any_, bindparam, exists, or_, select

from leadpact.errors import Refused
from leadpact.ids import new_id
from leadpact.pact.book import AppliedPact, PactBook
from leadpact.pact.model import Pact
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.clock_facts import ClockFacts
from leadpact_sla_timer.clock_rows import update_clocks
from leadpact_sla_timer.judge import judge
from leadpact_sla_timer.opening import WHOSE, under
from leadpact_sla_timer.record import cut
from leadpact_sla_timer.release import GivenAnew, Queued, give_anew, lock_queues, queued, turns_anew
from leadpact_sla_timer.schedule import OWNER_AWAY, with_absences, with_lead_paused
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, next_moment
from leadpact_sla_timer.tables import IS_OPEN, sla_clock, sla_clock_move, sla_request

# Of the clocks that wait for one turn the first stands for all.
_first = sla_clock.alias()
_PAGE = (
    select(sla_clock.c.id, sla_clock.c.lead_id, sla_clock.c.request_id, sla_clock.c.state)
    .where(
        IS_OPEN,
        sla_clock.c.pact_version != bindparam("version"),
        sla_clock.c.id > bindparam("after"),
        ~exists().where(
            sla_clock.c.state == ClockState.WAITING,
            _first.c.state == ClockState.WAITING,
            _first.c.lead_id == sla_clock.c.lead_id,
            _first.c.request_id == sla_clock.c.request_id,
            _first.c.pact_version != bindparam("version"),
            _first.c.id < sla_clock.c.id,
        ),
    )
    .order_by(sla_clock.c.id)
    .limit(bindparam("limit"))
)
_CLOCKS = (
    select(sla_clock)
    .where(
        or_(
            sla_clock.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
            and_(
                sla_clock.c.lead_id == any_(bindparam("leads", type_=ARRAY(Uuid))),
                sla_clock.c.request_id == any_(bindparam("requests", type_=ARRAY(Uuid))),
                sla_clock.c.state == ClockState.WAITING,
            ),
        )
    )
    .order_by(sla_clock.c.id)
)
_QUEUES = (
    select(sla_request.c.source, sla_request.c.pool_calendar)
    .where(sla_request.c.id == any_(bindparam("requests", type_=ARRAY(Uuid))))
    .distinct()
)
_NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Move:
    """An open clock as it is and as it would be. ``after`` is None if it stays.

    It stays if the version has no such promise, or makes it to somebody else: ``is_promised`` is False. Then it moves only with its
    lead's turn, under the version that it has.
    """

    before: SlaClock
    after: SlaClock | None
    is_promised: bool

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
    tx: Transaction, book: PactBook, to: AppliedPact, *, now: datetime, limit: int, after: UUID | None = None
) -> MovePage:
    """What would move under ``to``, a page at a time. Changes nothing."""
    first = await _first_of(tx, to, limit, after)
    clocks = await _read(tx, _CLOCKS, first)
    anew = [await turns_anew(tx, queue, to) for queue in await _queues(tx, clocks, to, now)]
    return MovePage(await _moves(tx, book, clocks, to, anew, now), _next(first, limit))


async def move_clocks(
    tx: Transaction,
    book: PactBook,
    to: AppliedPact,
    *,
    by: str,
    now: datetime,
    limit: int,
    after: UUID | None = None,
) -> MovePage:
    """Move a page of clocks to ``to``, keep what they were, and announce what that changed. ``by`` is who asked for it."""
    first = await _first_of(tx, to, limit, after)
    # What two move at once is moved by whoever locks it first: the other waits, and finds it under the new version. News that
    # comes meanwhile waits too, and is judged by the new version. Clocks before queues, as whoever opens clocks locks them.
    clocks = await _locked(tx, first)
    queues = await _queues(tx, clocks, to, now)
    await lock_queues(tx, [(queue.source, queue.calendar) for queue in queues])
    anew = [await turns_anew(tx, queue, to) for queue in queues]
    moves = await _moves(tx, book, clocks, to, anew, now)
    moved = [(move.before, move.after) for move in moves if move.after is not None]
    await give_anew(tx, anew, _waiting(clocks))
    await update_clocks(tx, [clock for _, clock in moved])
    await insert_rows(tx, sla_clock_move, [_row(old, new, by, now) for old, new in moved])
    for old, new in moved:
        pact = (await book.at(tx, new.pact_version)).pact
        if event := announce.change(old, new, now, pact, because=f"pact version {to.version}"):
            tx.emit(event)
    return MovePage(moves, _next(first, limit))


async def _first_of(
    tx: Transaction, to: AppliedPact, limit: int, after: UUID | None
) -> Sequence[Row[tuple[Any, ...]]]:
    asked = {"version": to.version, "after": after or _NO_ID, "limit": limit}
    return (await tx.execute(_PAGE, asked)).all()


def _next(first: Sequence[Row[tuple[Any, ...]]], limit: int) -> UUID | None:
    return first[-1].id if len(first) == limit else None


async def _read(tx: Transaction, query: Select[Any], first: Sequence[Row[tuple[Any, ...]]]) -> list[SlaClock]:
    """The clocks of a page, with those that wait for the same turns."""
    waiting = [row for row in first if row.state == ClockState.WAITING and row.request_id is not None]
    asked = {
        "ids": [row.id for row in first],
        "leads": [row.lead_id for row in waiting],
        "requests": [row.request_id for row in waiting],
    }
    return [SlaClock.from_row(row) for row in await tx.execute(query, asked)]


async def _locked(tx: Transaction, first: Sequence[Row[tuple[Any, ...]]]) -> list[SlaClock]:
    clocks = await _read(tx, _CLOCKS.with_for_update(), first)
    if not _waiting(clocks):
        return clocks
    # Whoever had the leads until now may have opened more clocks that wait for the same turns. Nobody does from here on.
    return await _read(tx, _CLOCKS.with_for_update(), first)


def _waiting(clocks: Iterable[SlaClock]) -> set[UUID]:
    """The requests whose turn is waited for."""
    return {
        clock.request_id
        for clock in clocks
        if clock.state is ClockState.WAITING and clock.request_id is not None
    }


async def _queues(
    tx: Transaction, clocks: Sequence[SlaClock], to: AppliedPact, now: datetime
) -> list[Queued]:
    """In which queues the clocks wait, as ``to`` moves them. A version with no pace for a source leaves its turns as they are."""
    rows = (await tx.execute(_QUEUES, {"requests": sorted(_waiting(clocks))})).all()
    queues = (queued(row.source, row.pool_calendar, now, to.pact) for row in rows)
    return [queue for queue in queues if queue is not None]


async def _moves(
    tx: Transaction,
    book: PactBook,
    clocks: Sequence[SlaClock],
    to: AppliedPact,
    anew: Sequence[GivenAnew],
    now: datetime,
) -> list[Move]:
    # After the clocks: what was written before they were locked is seen.
    facts = await ClockFacts.read(tx, clocks)
    turns = {id_: at for queue in anew for id_, at in queue.turns.items()}
    moves = []
    for clock in clocks:
        is_promised, turned = _is_promised(clock, to.pact), _turned(clock, turns)
        if not clock.state.is_open or (clock.pact_version == to.version and turned == clock):
            continue
        after = None
        if is_promised or turned != clock:
            applied = to if is_promised else await _own(tx, book, clock)
            after = _moved(turned, applied, facts, now) if applied else None
        moves.append(Move(clock, after, is_promised))
    return moves


def _turned(clock: SlaClock, turns: Mapping[UUID, datetime]) -> SlaClock:
    """The clock as it waits for its lead's turn in ``turns``."""
    turn = turns.get(clock.request_id) if clock.request_id else None
    return replace(clock, started_at=turn) if turn and clock.state is ClockState.WAITING else clock


async def _own(tx: Transaction, book: PactBook, clock: SlaClock) -> AppliedPact | None:
    """The version that a clock stays under; None if it can be read no more, which the sweep tells of: then it keeps its old start, too."""
    try:
        return await book.at(tx, clock.pact_version)
    except Refused:
        return None


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
