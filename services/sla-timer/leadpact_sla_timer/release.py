"""Give leads that came in bulk their turn: one after the other, at the pace that their source's release allows, within the pool's hours.

The end of each queue is one row, locked while turns are given, so that two instances never give the same turn. Who comes while
nobody waits has the next turn at once.

When clocks are moved to another version of the pact, whose hours or pace may be others, the turns that lie ahead are given anew: in the
order that they had, each as early as now, the pace and the turns that stay allow. What stays are turns that have come, and those of
leads that the move leaves alone. Since each takes the first place that is free, the same turns are found whether all leads of a queue are
moved at once or a page at a time, as long as no place passes between the pages: one that does is lost, and a lead of a later page may
then come behind one that it was before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.opening import WHOSE
from leadpact_sla_timer.tables import sla_release, sla_request

# A row that is there is written as it is: that locks it, and returns where its queue ends.
_LOCK = "(source, calendar) DO UPDATE SET last_at = sla_release.last_at"
_COLUMNS = ("source", "calendar", "last_at")
_MOVE = text(
    f"UPDATE sla_release q SET last_at = r.last_at FROM {unnest(sla_release, _COLUMNS)} "
    "WHERE q.source = r.source AND q.calendar = r.calendar"
)
_GIVE = text(
    f"UPDATE sla_request q SET released_at = r.released_at FROM {unnest(sla_request, ('id', 'released_at'))} WHERE q.id = r.id"
)

# Who stands in a queue: the turns that lie ahead, of leads of which a clock is open, in their order. A turn has come once a clock has
# started by it, be it that the database's clock was set back since.
_AHEAD = text(
    """
    SELECT r.id, r.released_at,
        greatest(r.received_at, r.qualified_at,
            (SELECT max(a.assigned_at) FROM sla_assignment a WHERE a.lead_id = r.lead_id AND a.request_id = r.id)) AS since,
        bool_or(c.state = 'waiting' AND c.pact_version <> :version AND p.policy IS NOT NULL)
            AND NOT bool_or(c.state <> 'waiting' AND c.started_at >= r.released_at) AS moves
    FROM sla_request r
    JOIN sla_clock c ON c.lead_id = r.lead_id AND c.request_id = r.id
    LEFT JOIN unnest(CAST(:policies AS text[]), CAST(:whose AS text[])) AS p(policy, whose)
        ON p.policy = c.policy AND p.whose = c.whose
    WHERE r.source = :source AND r.pool_calendar = :calendar AND r.released_at > :now
    GROUP BY r.id
    HAVING bool_or(c.state IN ('waiting', 'running', 'paused'))
    ORDER BY r.released_at, r.id
    """
)
_LAST_THAT_CAME = text(
    "SELECT max(released_at) FROM sla_request WHERE source = :source AND pool_calendar = :calendar AND released_at <= :now"
)


@dataclass(frozen=True, slots=True)
class Queued:
    """A lead that asks for its turn at ``at``: in which queue, and how fast and in whose hours that one moves."""

    source: str
    calendar: str
    per_hour: int
    hours: WorkingCalendar
    at: datetime


@dataclass(frozen=True, slots=True)
class GivenAnew:
    """The turns of one queue as another version of the pact has them."""

    source: str
    calendar: str
    turns: Mapping[UUID, datetime]
    """Of each request that would move, in the order in which they have them."""
    before: Mapping[UUID, datetime]
    """The turns that these have now."""
    staying: Sequence[datetime]
    """The turns of the others, and the last that has come."""

    def end(self, given: Collection[UUID]) -> datetime:
        """Where the queue ends once the requests ``given`` have moved, and so that nobody comes between those that follow."""
        old = [at for request, at in self.before.items() if request not in given]
        return max([*self.turns.values(), *self.staying, *old])


def queued(source: str, calendar: str, at: datetime, pact: Pact) -> Queued | None:
    """How a lead of ``source`` waits for its turn; None if the pact asks for no pace, or no longer has the hours."""
    per_hour = getattr(pact.sources.get(source), "release", None)
    hours = pact.calendars.get(calendar)
    return Queued(source, calendar, per_hour, hours.build(), at) if per_hour and hours else None


async def take_turns(tx: Transaction, leads: Sequence[Queued]) -> list[datetime]:
    """The turn of each lead, in the order given."""
    if not leads:
        return []
    ends = await _lock(tx, {(one.source, one.calendar) for one in leads})
    turns = []
    for one in leads:
        turn = next_turn(one, ends[one.source, one.calendar])
        ends[one.source, one.calendar] = turn
        turns.append(turn)
    await tx.execute(_MOVE, columns_of(sla_release, _COLUMNS, _rows(ends)))
    return turns


def next_turn(lead: Queued, last: datetime | None) -> datetime:
    """The first open moment from ``lead.at`` on that keeps its distance from the last turn."""
    earliest = lead.hours.next_open(lead.at)
    return earliest if last is None else max(earliest, _after(lead, last))


async def lock_queues(tx: Transaction, queues: Collection[tuple[str, str]]) -> None:
    """Nobody else gives turns of ``queues``, each a source and a calendar, until this transaction is over."""
    await _lock(tx, set(queues))


async def turns_anew(tx: Transaction, queue: Queued, to: AppliedPact) -> GivenAnew:
    """The turns of a queue as ``to`` would have them from ``queue.at`` on, which says the pace and the hours. Changes nothing."""
    which = {"source": queue.source, "calendar": queue.calendar, "now": queue.at}
    promises = {"policies": list(to.pact.sla), "whose": [WHOSE[one.starts] for one in to.pact.sla.values()]}
    ahead = (await tx.execute(_AHEAD, {**which, **promises, "version": to.version})).all()
    came = (await tx.execute(_LAST_THAT_CAME, which)).scalar()
    moving = {row.id: row for row in ahead if row.moves}
    staying = sorted([row.released_at for row in ahead if not row.moves] + ([came] if came else []))
    leads = [replace(queue, at=max(queue.at, row.since)) for row in moving.values()]
    turns = dict(zip(moving, free_turns(leads, staying), strict=True))
    before = {id_: row.released_at for id_, row in moving.items()}
    return GivenAnew(queue.source, queue.calendar, turns, before, staying)


def free_turns(leads: Iterable[Queued], staying: Sequence[datetime]) -> Iterator[datetime]:
    """The turn of each lead of one queue, one after the other, at the pace's distance also from ``staying``, which are in order."""
    last, ahead = None, deque(staying)
    for lead in leads:
        turn = next_turn(lead, last)
        while ahead and _after(lead, turn) > ahead[0]:
            turn = max(turn, _after(lead, ahead.popleft()))
        yield turn
        last = turn


async def give_anew(tx: Transaction, anew: Sequence[GivenAnew], requests: Collection[UUID]) -> None:
    """Write down the turns of ``requests``, and where the queues end, which this transaction has locked."""
    given = {id_: at for queue in anew for id_, at in queue.turns.items() if id_ in requests}
    rows = [{"id": id_, "released_at": at} for id_, at in given.items()]
    await tx.execute(_GIVE, columns_of(sla_request, ("id", "released_at"), rows))
    ends = {(queue.source, queue.calendar): queue.end(given.keys()) for queue in anew if queue.turns}
    await tx.execute(_MOVE, columns_of(sla_release, _COLUMNS, _rows(ends)))


def _after(lead: Queued, turn: datetime) -> datetime:
    """The first moment at which the next may have its turn."""
    return lead.hours.next_open(lead.hours.add(turn, timedelta(hours=1) / lead.per_hour))


async def _lock(tx: Transaction, queues: set[tuple[str, str]]) -> dict[tuple[str, str], datetime | None]:
    """In one order for all, so that two who need the same two queues do not wait for each other."""
    rows = _rows(dict.fromkeys(queues))
    found = await insert_rows(tx, sla_release, rows, conflict=_LOCK, returning=", ".join(_COLUMNS))
    return {(row.source, row.calendar): row.last_at for row in found}


def _rows(ends: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    return [
        {"source": source, "calendar": calendar, "last_at": last_at}
        for (source, calendar), last_at in sorted(ends.items(), key=lambda queue: queue[0])
    ]
