"""Apply each event at most once per consumer, whatever the carrier delivers twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from leadpact.ids import EventId, first_id_at

if TYPE_CHECKING:
    from leadpact.storage.unit_of_work import Transaction

_RECORD = text(
    """
    INSERT INTO inbox (consumer, event_id)
    SELECT CAST(:consumer AS text), event_id FROM unnest(CAST(:event_ids AS uuid[])) AS e(event_id)
    ON CONFLICT DO NOTHING RETURNING event_id
    """
)
# Event ids are UUIDv7: an old one says where to look, in a range of the primary key. What it says is the time of whoever made it, so the
# database's time of recording decides; an id that says it is of the future is kept until then.
# What was set aside may be replayed, and every group will meet it again: its id is kept until then, and after that for the retention.
_PRUNE = text(
    """
    DELETE FROM inbox WHERE (consumer, event_id) IN (
        SELECT consumer, event_id FROM inbox i WHERE consumer = :consumer AND event_id < :first_kept AND recorded_at < :before
          AND NOT EXISTS (
            SELECT FROM dead_letter d
            WHERE d.event_id = i.event_id AND (d.settled_at IS NULL OR d.settled_at >= :before))
        ORDER BY event_id LIMIT :limit)
    """
)
_FORGET = text("DELETE FROM inbox WHERE consumer = :consumer AND event_id = :event_id")


async def record_new(tx: Transaction, consumer: str, event_ids: Sequence[EventId]) -> set[EventId]:
    """Write the ids down and return those that this consumer has not seen before.

    The primary key decides, not this code: of two transactions that record the same id, the second waits for the first and
    then finds the id taken.
    """
    rows = await tx.execute(_RECORD, {"consumer": consumer, "event_ids": sorted(set(event_ids), key=int)})
    return {EventId(row.event_id) for row in rows}


async def forget(tx: Transaction, consumer: str, event_id: UUID) -> None:
    """Let ``consumer`` apply this event once more, when it comes again."""
    await tx.execute(_FORGET, {"consumer": consumer, "event_id": event_id})


async def prune_inbox(tx: Transaction, consumer: str, before: datetime, limit: int = 5_000) -> int:
    """Forget ids that were recorded before that moment, except of events that may still come back from the dead letters."""
    parameters = {"consumer": consumer, "first_kept": first_id_at(before), "before": before, "limit": limit}
    return (await tx.execute(_PRUNE, parameters)).rowcount
