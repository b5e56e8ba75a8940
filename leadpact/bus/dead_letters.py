"""Set aside what cannot be applied: kept whole, with the reason and where it came from, and announced."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.events.base import Message
from leadpact.events.dead_letter import MessageDeadLettered
from leadpact.ids import new_id
from leadpact.storage.bulk import insert_rows
from leadpact.storage.tables import dead_letter
from leadpact.storage.unit_of_work import Transaction

# The latest messages are those with the latest ids in the inbox; a record that was no event has none, and counts by its letter's. A letter
# that was settled has been looked at. One of more than a week ago is left out: its neighbours will be forgotten before it.
_LATELY = text(
    """
    SELECT count(*) FILTER (WHERE is_poison) AS poison, count(*) AS messages
    FROM (
        (SELECT i.event_id AS id, EXISTS (
            SELECT FROM dead_letter d
            WHERE d.event_id = i.event_id AND d.consumer = i.consumer AND d.settled_at IS NULL
              AND d.set_aside_at > statement_timestamp() - interval '7 days') AS is_poison
         FROM inbox i WHERE i.consumer = :consumer ORDER BY i.event_id DESC LIMIT :window)
        UNION ALL
        (SELECT id, true FROM dead_letter
         WHERE consumer = :consumer AND settled_at IS NULL AND event_id IS NULL
           AND set_aside_at > statement_timestamp() - interval '7 days'
         ORDER BY id DESC LIMIT :window)
        ORDER BY id DESC LIMIT :window
    ) lately
    """
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A delivery that could not be applied, and why. ``reason`` holds no personal data; ``error`` may."""

    delivery: Delivery
    reason: str
    error: str


async def set_aside(tx: Transaction, consumer: str, items: Sequence[SetAside], now: datetime) -> None:
    """Store and announce the dead letters, in the transaction that also moves past them."""
    rows = [_row(consumer, item) for item in items]
    await insert_rows(tx, dead_letter, rows)
    for row, item in zip(rows, items, strict=True):
        message = item.delivery.message
        tx.emit(
            MessageDeadLettered(
                occurred_at=now,
                dead_letter_id=row["id"],
                consumer=consumer,
                origin_topic=row["topic"],
                origin_position=row["position"],
                origin_type=row["type"],
                origin_key=row["key"],
                reason=row["reason"],
                origin_receipt_id=_receipt_id(message) if message else None,
            ),
            caused_by=message.id if message else None,
        )


async def set_aside_lately(tx: Transaction, consumer: str, window: int) -> tuple[int, int]:
    """How many of the latest messages stand in the dead letters, and of how many that is: ``window``, or all that there have been."""
    row = (await tx.execute(_LATELY, {"consumer": consumer, "window": window})).one()
    return row.poison, row.messages


def _row(consumer: str, item: SetAside) -> dict[str, Any]:
    delivery, message = item.delivery, item.delivery.message
    body, encoding = _body(delivery)
    headers = dict(delivery.headers)
    if encoding:
        headers["leadpact-body-encoding"] = encoding
    return {
        "id": new_id(),
        "consumer": consumer,
        "topic": delivery.topic,
        "position": delivery.position,
        "event_id": message.id if message else None,
        "type": message.type if message else "unreadable",
        "source": message.source if message else "",
        "key": message.key if message else delivery.position,
        "occurred_at": message.occurred_at if message else None,
        "causation_id": message.causation_id if message else None,
        "headers": headers,
        "body": body,
        "reason": item.reason[:500],
        # Of a long trace the end says what went wrong.
        "error": item.error[-4_000:].replace("\0", "\N{REPLACEMENT CHARACTER}"),
    }


def _receipt_id(message: Message) -> UUID | None:
    """The receipt that the message names, read as leniently as can be: there is something wrong with the message, after all."""
    try:
        return UUID(json.loads(message.data)["receipt_id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _body(delivery: Delivery) -> tuple[str, str]:
    """The text of the body and how it is encoded: '' for plain text, 'base64' for what PostgreSQL cannot store as text."""
    raw = delivery.message.data.encode() if delivery.message else delivery.raw or b""
    try:
        body = raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"
    return (base64.b64encode(raw).decode(), "base64") if "\0" in body else (body, "")
