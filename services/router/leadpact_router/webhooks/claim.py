"""Take deliveries that are due, under a lease: nobody else calls for them until it has passed.

A lease ends by itself, so what a killed process had taken comes again. Its epoch tells two holders of the same delivery
apart: who records with an older epoch changes nothing (`record.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.unit_of_work import Transaction
from leadpact_router.webhooks.http import CALL_DEADLINE, WebhookRequest

LEASE = 4 * CALL_DEADLINE
"""Real time, by the database's clock: a call and its record are long over by then."""
AT_ONCE_PER_ENDPOINT = 16
"""Calls of one process to one endpoint that are under way: what limits the pace when much is waiting."""
FAILURES_TO_PAUSE = 5
"""So many failures in a row, and the endpoint is called with one delivery at a time, a pause apart, until one succeeds."""
ORDERED_ATTEMPTS = 4
"""How often an event is tried before the later events of its lead may overtake it: after about 35 minutes of failures."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until its lease ends. ``attempt`` counts from 1 since it was queued or replayed."""

    delivery_id: UUID
    endpoint_id: UUID
    epoch: int
    attempt: int
    failing_since: datetime | None
    request: WebhookRequest


# next_at is the product's time, which a demo may run fast; the lease and the signature's timestamp are real time.
# The inner FOR UPDATE SKIP LOCKED passes over what another deliverer is just taking and looks again at what it has just taken.
_CLAIM = text(
    """
    WITH due AS (
        SELECT d.id
        FROM webhook_endpoint e
        LEFT JOIN unnest(CAST(:busy AS uuid[]), CAST(:calls AS int[])) AS b(id, calls) ON b.id = e.id
        CROSS JOIN LATERAL (
            SELECT d.id
            FROM delivery d
            WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.next_at <= :now
              AND (d.leased_until IS NULL OR d.leased_until <= statement_timestamp())
              AND NOT EXISTS (
                SELECT FROM delivery earlier
                WHERE earlier.endpoint_id = d.endpoint_id AND earlier.lead_id = d.lead_id AND earlier.place < d.place
                  AND earlier.state = 'pending' AND earlier.attempts < :ordered_attempts)
            ORDER BY d.next_at, d.place
            LIMIT greatest(0, CASE WHEN e.failures >= :failures_to_pause THEN 1 ELSE :at_once END - coalesce(b.calls, 0))
            FOR UPDATE OF d SKIP LOCKED
        ) d
        WHERE e.disabled_at IS NULL AND (e.paused_until IS NULL OR e.paused_until <= :now)
    )
    UPDATE delivery d
    SET attempts = d.attempts + 1, lease_epoch = d.lease_epoch + 1, leased_until = statement_timestamp() + :lease
    FROM due, webhook_endpoint e, webhook_message m
    WHERE d.id = due.id AND e.id = d.endpoint_id AND m.event_id = d.event_id
    RETURNING d.id, d.endpoint_id, d.event_id, d.attempts, d.lease_epoch, d.is_replay, e.url, e.failing_since, e.secret,
        CASE WHEN e.previous_secret_until > :now THEN e.previous_secret END AS previous_secret,
        m.body, statement_timestamp() AS claimed_at
    """
)


async def claim(tx: Transaction, busy: Mapping[UUID, int], now: datetime) -> list[Claimed]:
    """Take what is due at ``now``; ``busy`` is how many calls to each endpoint this process already makes."""
    rows = await tx.execute(
        _CLAIM,
        {
            "busy": list(busy),
            "calls": list(busy.values()),
            "now": now,
            "lease": LEASE,
            "at_once": AT_ONCE_PER_ENDPOINT,
            "failures_to_pause": FAILURES_TO_PAUSE,
            "ordered_attempts": ORDERED_ATTEMPTS,
        },
    )
    return [_claimed(row) for row in rows]


def _claimed(row: Any) -> Claimed:
    return Claimed(
        delivery_id=row.id,
        endpoint_id=row.endpoint_id,
        epoch=row.lease_epoch,
        attempt=row.attempts,
        failing_since=row.failing_since,
        request=WebhookRequest(
            url=row.url,
            message_id=str(row.event_id),
            attempted_at=row.claimed_at,
            body=row.body.encode(),
            secrets=(row.secret, row.previous_secret) if row.previous_secret else (row.secret,),
            is_replay=row.is_replay,
        ),
    )
