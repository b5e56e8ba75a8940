"""Give leads that came in bulk their turn: one after the other, at the pace that their source's release allows, within the pool's hours.

The end of each queue is one row, locked while turns are given, so that two instances never give the same turn. Who comes while
nobody waits has the next turn at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.model import Pact
from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.tables import sla_release

# A row that is there is written as it is: that locks it, and returns where its queue ends.
_LOCK = "(source, calendar) DO UPDATE SET last_at = sla_release.last_at"
_COLUMNS = ("source", "calendar", "last_at")
_MOVE = text(
    f"UPDATE sla_release q SET last_at = r.last_at FROM {unnest(sla_release, _COLUMNS)} "
    "WHERE q.source = r.source AND q.calendar = r.calendar"
)


@dataclass(frozen=True, slots=True)
class Queued:
    """A lead that asks for its turn at ``at``: in which queue, and how fast and in whose hours that one moves."""

    source: str
    calendar: str
    per_hour: int
    hours: WorkingCalendar
    at: datetime


def queued(source: str, calendar: str, at: datetime, pact: Pact) -> Queued | None:
    """How a lead of ``source`` waits for its turn; None if the pact asks for no pace."""
    per_hour = getattr(pact.sources.get(source), "release", None)
    return Queued(source, calendar, per_hour, pact.calendars[calendar].build(), at) if per_hour else None


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
    if last is None:
        return earliest
    after_the_last = lead.hours.add(last, timedelta(hours=1) / lead.per_hour)
    return max(earliest, lead.hours.next_open(after_the_last))


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
