"""Show what was set aside, and settle it: apply it after all, by the consumer that could not, or let it go.

A **replay** is one transaction: the letter is settled, the consumer that set the message aside forgets its id, and the message is written to the
end of the log once more *under the id that it had*. From there it takes the way of every message, whatever carries:

* its consumer does not know the id any longer, so it applies it, once: a second copy meets the id that the first one left;
* every other group that has read it knows the id and passes over it; one that has yet to read it applies whichever copy comes first;
* an older copy that the carrier delivers late is one more repeat. Of all copies one is applied, in one transaction with its id.

This rests on the inbox: while a letter waits, and for the inbox's retention after it was replayed, no group forgets the message's id, however old
it is (`storage/inbox.py`). A message that fails again becomes a new letter.

What a replay cannot give back is the place: the message now stands behind what its lead has lived through since. Handlers decide by
``occurred_at`` and by the present state, as they do for news that comes late.

Two who settle one letter at the same moment meet on its row; the second finds it settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from leadpact.errors import Conflict, NotFound
from leadpact.events.base import Message
from leadpact.ids import EventId
from leadpact.storage import inbox
from leadpact.storage.outbox import announce_again
from leadpact.storage.unit_of_work import Transaction

# https://www.postgresql.org/docs/current/errcodes-appendix.html: 22 is data that is no JSON, 54 is JSON nested too deep.
_NOT_STORABLE = ("22", "54")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was set aside, without anything personal. ``settled_as`` is ``replayed`` or ``discarded``, None while it waits."""

    id: UUID
    consumer: str
    topic: str
    position: str
    event_id: UUID | None
    type: str
    source: str
    occurred_at: datetime | None
    reason: str
    set_aside_at: datetime
    settled_at: datetime | None
    settled_as: str | None


@dataclass(frozen=True, slots=True)
class OpenedLetter(DeadLetter):
    """All of it. ``key``, ``headers``, ``body`` and ``error`` may hold personal data."""

    key: str
    causation_id: UUID | None
    headers: Mapping[str, str]
    body: str
    error: str


_SHOWN = "id, consumer, topic, position, event_id, type, source, occurred_at, reason, set_aside_at, settled_at, settled_as"
_OPENED = f"{_SHOWN}, key, causation_id, headers, body, error"
_FIND = text(f"SELECT {_OPENED} FROM dead_letter WHERE id = :id")
_SETTLE = text(
    f"""
    UPDATE dead_letter SET settled_at = statement_timestamp(), settled_as = :settled_as
    WHERE id = :id AND settled_at IS NULL RETURNING {_OPENED}
    """
)
# Every group is counted, so that one without a letter shows a zero; the relay is one, it sets aside what Kafka refuses.
_WAITING = text(
    """
    SELECT consumer, count(d.id) AS waiting
    FROM (
        SELECT consumer FROM log_cursor UNION SELECT consumer FROM kafka_offset
        UNION SELECT consumer FROM dead_letter WHERE settled_at IS NULL
    ) g LEFT JOIN (SELECT id, consumer FROM dead_letter WHERE settled_at IS NULL) d USING (consumer)
    GROUP BY consumer
    """
)


async def page_of_letters(
    tx: Transaction,
    *,
    consumer: str | None = None,
    settled: bool | None = None,
    limit: int,
    after: UUID | None = None,
) -> tuple[list[DeadLetter], UUID | None]:
    """The newest ``limit`` letters before ``after``, and the id that continues; None at the end."""
    conditions = {
        "consumer": ("consumer = :consumer", consumer),
        "settled": ("(settled_at IS NOT NULL) = :settled", settled),
        "after": ("id < :after", after),
    }
    asked = {name: (sql, value) for name, (sql, value) in conditions.items() if value is not None}
    which = " AND ".join(sql for sql, _ in asked.values()) or "true"
    statement = text(f"SELECT {_SHOWN} FROM dead_letter WHERE {which} ORDER BY id DESC LIMIT :limit")
    parameters = {name: value for name, (_, value) in asked.items()}
    rows = await tx.execute(statement, {**parameters, "limit": limit + 1})
    found = [DeadLetter(**row) for row in rows.mappings()]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def open_letter(tx: Transaction, letter_id: UUID) -> OpenedLetter:
    """One letter with its body. Raises ``NotFound``."""
    row = (await tx.execute(_FIND, {"id": letter_id})).mappings().first()
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id}.")
    return OpenedLetter(**row)


async def replay(tx: Transaction, letter_id: UUID) -> DeadLetter:
    """Let the consumer that set the message aside apply it after all. Raises ``NotFound`` or ``Conflict``."""
    row = await _settle(tx, letter_id, "replayed")
    message = _message(row)
    await inbox.forget(tx, row["consumer"], message.id)
    try:
        async with tx.savepoint():
            await announce_again(tx.connection, message)
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", ""))[:2] not in _NOT_STORABLE:
            raise
        raise Conflict(
            f"Dead letter {letter_id} cannot be replayed: its body is no JSON that could stand in the log. Discard it."
        ) from error
    return _shown(row)


async def discard(tx: Transaction, letter_id: UUID) -> DeadLetter:
    """Settle the letter without applying it; it stays on record. Raises ``NotFound`` or ``Conflict``."""
    return _shown(await _settle(tx, letter_id, "discarded"))


async def waiting_by_consumer(tx: Transaction) -> dict[str, int]:
    """How many letters wait to be settled, for every group that reads."""
    return {row.consumer: row.waiting for row in await tx.execute(_WAITING)}


async def _settle(tx: Transaction, letter_id: UUID, settled_as: str) -> Mapping[str, Any]:
    row = (await tx.execute(_SETTLE, {"id": letter_id, "settled_as": settled_as})).mappings().first()
    if row is None:
        settled = await open_letter(tx, letter_id)
        raise Conflict(f"Dead letter {letter_id} has been {settled.settled_as} already.")
    return dict(row)


def _message(row: Mapping[str, Any]) -> Message:
    """The message as it was announced. Raises ``Conflict`` for a record that never was one."""
    if row["event_id"] is None:
        raise Conflict(
            f"Dead letter {row['id']} cannot be replayed: it is no event with an id, only bytes that stood on the topic. Discard it."
        )
    return Message(
        id=EventId(row["event_id"]),
        type=row["type"],
        source=row["source"],
        topic=row["topic"],
        key=row["key"],
        occurred_at=row["occurred_at"],
        data=row["body"],
        causation_id=row["causation_id"],
    )


def _shown(row: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(**{field.name: row[field.name] for field in fields(DeadLetter)})
