"""Read endpoints, deliveries and their attempts for people. Secrets are not among what is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from leadpact.errors import NotFound
from leadpact.storage.unit_of_work import Transaction


class DeliveryState(StrEnum):
    """What has become of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint and how it does."""

    id: UUID
    url: str
    description: str
    events: list[str]
    created_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    waiting: int
    dead: int
    last_outcome: str | None
    last_attempt_at: datetime | None

    @property
    def state(self) -> str:
        """In one word: ``off``, ``failing`` or ``on``."""
        if self.disabled_at is not None:
            return "off"
        return "failing" if self.failures else "on"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One event on its way to one endpoint."""

    id: UUID
    endpoint_id: UUID
    url: str
    event_id: UUID
    type: str
    lead_id: UUID | None
    place: int
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    outcome: str | None
    is_replay: bool
    queued_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One call and what came back."""

    number: int
    at: datetime
    elapsed_ms: int
    status: int | None
    fault: str | None
    detail: str
    body: str
    is_replay: bool


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries: every condition that is given must hold."""

    state: DeliveryState | None = None
    endpoint_id: UUID | None = None
    lead_id: UUID | None = None
    type: str | None = None


_ENDPOINTS = """
SELECT e.id, e.url, e.description, e.events, e.created_at, e.disabled_at, e.disabled_because,
       e.failures, e.failing_since, e.paused_until, e.last_outcome, e.last_attempt_at, waiting.n AS waiting, dead.n AS dead
FROM webhook_endpoint e
CROSS JOIN LATERAL (SELECT count(*) AS n FROM delivery d WHERE d.endpoint_id = e.id AND d.state = 'pending') waiting
CROSS JOIN LATERAL (SELECT count(*) AS n FROM delivery d WHERE d.endpoint_id = e.id AND d.state = 'dead') dead
WHERE {which} ORDER BY e.created_at, e.id
"""

_DELIVERIES = """
SELECT d.id, d.endpoint_id, e.url, d.event_id, m.type, d.lead_id, d.place, d.state, d.attempts,
       CASE WHEN d.state = 'pending' THEN d.next_at END AS next_at, d.outcome, d.is_replay, d.queued_at, d.ended_at
FROM delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id JOIN webhook_message m ON m.event_id = d.event_id
WHERE {which} ORDER BY d.place DESC LIMIT :limit
"""

_ATTEMPTS = text(
    """
    SELECT number, at, elapsed_ms, status, fault, detail, body, is_replay
    FROM delivery_attempt WHERE delivery_id = :id ORDER BY number
    """
)


async def read_endpoints(tx: Transaction) -> list[EndpointRow]:
    """All of them, the oldest first."""
    rows = await tx.execute(text(_ENDPOINTS.format(which="true")))
    return [EndpointRow(**row._mapping) for row in rows]


async def read_endpoint(tx: Transaction, endpoint_id: UUID) -> EndpointRow:
    """One of them. Raises ``NotFound``."""
    row = (await tx.execute(text(_ENDPOINTS.format(which="e.id = :id")), {"id": endpoint_id})).first()
    if row is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}")
    return EndpointRow(**row._mapping)


def delivery_place(text: str) -> int:
    """The place that a cursor names. Raises ``ValueError`` for what the column cannot hold."""
    place = int(text)
    if not 0 <= place < 2**63:
        raise ValueError
    return place


async def page_of_deliveries(
    tx: Transaction, wanted: DeliveryFilter, *, limit: int, after: int | None = None
) -> tuple[list[DeliveryRow], int | None]:
    """The newest ``limit`` deliveries before the place ``after``, and the place that continues; None at the end."""
    conditions: dict[str, tuple[str, Any]] = {
        "state": ("d.state = :state", wanted.state),
        "endpoint": ("d.endpoint_id = :endpoint", wanted.endpoint_id),
        "lead": ("d.lead_id = :lead", wanted.lead_id),
        "type": ("m.type = :type", wanted.type),
        "after": ("d.place < :after", after),
    }
    asked = {name: (sql, value) for name, (sql, value) in conditions.items() if value is not None}
    which = " AND ".join(sql for sql, _ in asked.values()) or "true"
    parameters = {name: value for name, (_, value) in asked.items()}
    rows = await tx.execute(text(_DELIVERIES.format(which=which)), {**parameters, "limit": limit + 1})
    found = [_delivery(row) for row in rows]
    return found[:limit], found[limit - 1].place if len(found) > limit else None


async def read_delivery(tx: Transaction, delivery_id: UUID) -> tuple[DeliveryRow, list[AttemptRow], str]:
    """A delivery, its attempts in their order, and the body that is sent. Raises ``NotFound``."""
    row = (
        await tx.execute(text(_DELIVERIES.format(which="d.id = :id")), {"id": delivery_id, "limit": 1})
    ).first()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}")
    attempts = [AttemptRow(**one._mapping) for one in await tx.execute(_ATTEMPTS, {"id": delivery_id})]
    body = await tx.execute(
        text("SELECT body FROM webhook_message WHERE event_id = :id"), {"id": row.event_id}
    )
    return _delivery(row), attempts, body.scalar_one()


def _delivery(row: Any) -> DeliveryRow:
    return DeliveryRow(**{**row._mapping, "state": DeliveryState(row.state)})
