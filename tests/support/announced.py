"""Read what was announced: the log itself, in the order in which it was committed."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.events import EVENTS, Event, Message, decode
from leadpact.ids import EventId

E = TypeVar("E", bound=Event)
_KNOWN = {event.TYPE: event for event in EVENTS}
_LOG = text(
    "SELECT event_id, type, source, topic, key, occurred_at, causation_id, CAST(data AS text) AS data FROM outbox ORDER BY xid, id"
)


async def announced_messages(engine: AsyncEngine) -> list[Message]:
    """Every message of the log."""
    async with engine.connect() as connection:
        return [
            Message(
                id=EventId(row.event_id),
                type=row.type,
                source=row.source,
                topic=row.topic,
                key=row.key,
                occurred_at=row.occurred_at,
                data=row.data,
                causation_id=row.causation_id,
            )
            for row in await connection.execute(_LOG)
        ]


async def announced(engine: AsyncEngine, kind: type[E]) -> list[E]:
    """Every event of exactly one class, decoded."""
    messages = await announced_messages(engine)
    return [event for message in messages if type(event := decode(message, _KNOWN)) is kind]
