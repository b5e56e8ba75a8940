"""Keep who wants to hear what: make, change, switch off and on, rotate the secret, send a test, send again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update

from leadpact.errors import Conflict, Fault, NotFound, Refused
from leadpact.ids import new_id
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.webhooks.addresses import AddressRefused, check_url
from leadpact_router.webhooks.fan_out import WEBHOOK_EVENTS
from leadpact_router.webhooks.signing import new_secret
from leadpact_router.webhooks.tables import delivery, webhook_endpoint, webhook_message

DEFAULT_EVENTS = ("lead.assigned", "lead.reassigned", "lead.held", "lead.escalated", "sla.breached")
"""What a CRM needs to know."""
MOST_ENDPOINTS = 25
"""Each may have ``AT_ONCE_PER_ENDPOINT`` calls under way; together they stay within the client's connections."""
SECRET_OVERLAP = timedelta(hours=24)
"""How long the old secret still signs beside the new one."""
TEST_EVENT = "webhook.test"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an endpoint should be."""

    url: str
    events: tuple[str, ...] = DEFAULT_EVENTS
    description: str = ""


def check_wanted(wanted: Wanted, *, allow_private: bool) -> None:
    """Return if such an endpoint may be. Raises ``Refused`` with every fault."""
    faults = [
        Fault("#/events", f"{event!r} is no event", f"use some of: {', '.join(WEBHOOK_EVENTS)}")
        for event in wanted.events
        if event not in WEBHOOK_EVENTS
    ]
    if not wanted.events:
        faults.append(Fault("#/events", "is empty", f"use some of: {', '.join(WEBHOOK_EVENTS)}"))
    try:
        check_url(wanted.url, allow_private=allow_private)
    except AddressRefused as refused:
        faults.append(Fault("#/url", refused.detail))
    if faults:
        raise Refused(f"The endpoint cannot be used as it is: {faults[0].what}", faults=faults)


async def create_endpoint(tx: Transaction, wanted: Wanted, now: datetime) -> tuple[UUID, str]:
    """Make an endpoint; its id and its secret, which cannot be read again. Raises ``Conflict`` if there are too many."""
    # Two who create at once take turns, so that the count they see is true.
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('leadpact webhook endpoints'))"))
    if (await tx.execute(text("SELECT count(*) FROM webhook_endpoint"))).scalar_one() >= MOST_ENDPOINTS:
        raise Conflict(f"There are {MOST_ENDPOINTS} endpoints already; delete one first.")
    endpoint_id, secret = new_id(), new_secret()
    await tx.execute(
        insert(webhook_endpoint).values(
            id=endpoint_id,
            url=wanted.url,
            events=list(dict.fromkeys(wanted.events)),
            description=wanted.description,
            secret=secret,
            created_at=now,
        )
    )
    return endpoint_id, secret


async def change_endpoint(tx: Transaction, endpoint_id: UUID, wanted: Wanted) -> None:
    """Give an endpoint another address, events or description. Its failures are forgotten with a new address. Raises ``NotFound``."""
    moved = (await _endpoint(tx, endpoint_id)).url != wanted.url
    health = {"failures": 0, "failing_since": None, "paused_until": None} if moved else {}
    await tx.execute(
        update(webhook_endpoint)
        .where(webhook_endpoint.c.id == endpoint_id)
        .values(
            url=wanted.url,
            events=list(dict.fromkeys(wanted.events)),
            description=wanted.description,
            **health,
        )
    )


async def current_wish(tx: Transaction, endpoint_id: UUID) -> Wanted:
    """What an endpoint is now. Raises ``NotFound``."""
    row = await _endpoint(tx, endpoint_id)
    return Wanted(row.url, tuple(row.events), row.description)


async def disable_endpoint(tx: Transaction, endpoint_id: UUID, now: datetime, *, because: str) -> None:
    """Stop calling it; what happens meanwhile is queued. Raises ``NotFound``."""
    await _endpoint(tx, endpoint_id)
    await tx.execute(
        update(webhook_endpoint)
        .where(webhook_endpoint.c.id == endpoint_id, webhook_endpoint.c.disabled_at.is_(None))
        .values(disabled_at=now, disabled_because=because)
    )


async def enable_endpoint(tx: Transaction, endpoint_id: UUID, now: datetime) -> None:
    """Call it again, at once with what has been queued or waits for its next attempt. Raises ``NotFound``."""
    await _endpoint(tx, endpoint_id)
    await tx.execute(
        update(webhook_endpoint)
        .where(webhook_endpoint.c.id == endpoint_id)
        .values(disabled_at=None, disabled_because=None, failures=0, failing_since=None, paused_until=None)
    )
    await _hurry(tx, "endpoint_id = :endpoint AND next_at > :now", endpoint=endpoint_id, now=now)


async def delete_endpoint(tx: Transaction, endpoint_id: UUID) -> None:
    """Forget it with all of its deliveries. Raises ``NotFound``."""
    await _endpoint(tx, endpoint_id)
    await tx.execute(delete(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id))


async def rotate_secret(tx: Transaction, endpoint_id: UUID, now: datetime) -> str:
    """A new secret, which cannot be read again; the old one signs beside it for ``SECRET_OVERLAP``. Raises ``NotFound``."""
    row = await _endpoint(tx, endpoint_id)
    secret = new_secret()
    await tx.execute(
        update(webhook_endpoint)
        .where(webhook_endpoint.c.id == endpoint_id)
        .values(secret=secret, previous_secret=row.secret, previous_secret_until=now + SECRET_OVERLAP)
    )
    return secret


async def send_test(tx: Transaction, endpoint_id: UUID, now: datetime) -> UUID:
    """Queue a test event for one endpoint and return the delivery's id. Raises ``NotFound``, or ``Conflict`` if it is switched off."""
    if (await _endpoint(tx, endpoint_id)).disabled_at is not None:
        raise Conflict("The endpoint is switched off: enable it first.")
    event_id, delivery_id = new_id(), new_id()
    body = {
        "type": TEST_EVENT,
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {},
    }
    await tx.execute(
        insert(webhook_message).values(
            event_id=event_id,
            type=TEST_EVENT,
            body=json.dumps(body, sort_keys=True, separators=(",", ":")),
            queued_at=now,
        )
    )
    await tx.execute(
        insert(delivery).values(
            id=delivery_id, endpoint_id=endpoint_id, event_id=event_id, next_at=now, queued_at=now
        )
    )
    return delivery_id


_REPLAY = """
UPDATE delivery SET state = 'pending', attempts = 0, next_at = :now, leased_until = NULL, ended_at = NULL, is_replay = true
WHERE {which} AND state <> 'pending'
"""

# Only the wait ends. The attempts stay: by them an earlier event of a lead holds up the later ones (`claim.py`). So does a lease that
# has ended, under which its holder may still record. While one runs, the delivery is with the receiver and nobody calls a second time.
_HURRY = """
UPDATE delivery SET next_at = least(next_at, :now)
WHERE {which} AND state = 'pending' AND (leased_until IS NULL OR leased_until <= statement_timestamp())
"""


async def replay_one(tx: Transaction, delivery_id: UUID, now: datetime) -> None:
    """Send a delivery now, with the same ``webhook-id`` and body: again if it is over, else without waiting for its next step.

    Raises ``NotFound``, or ``Conflict`` while it is being called.
    """
    replayed = await tx.execute(text(_REPLAY.format(which="id = :id")), {"id": delivery_id, "now": now})
    if replayed.rowcount or await _hurry(tx, "id = :id", id=delivery_id, now=now):
        return
    known = (await tx.execute(select(delivery.c.id).where(delivery.c.id == delivery_id))).first()
    if known is None:
        raise NotFound(f"There is no delivery {delivery_id}")
    raise Conflict("This delivery is being sent at this moment; see in a moment what came of it.")


async def replay_since(tx: Transaction, endpoint_id: UUID, since: datetime, now: datetime) -> int:
    """Send an endpoint now what was queued since ``since`` and was given up, or waits for its next attempt; how many that are.

    Raises ``NotFound``.
    """
    await _endpoint(tx, endpoint_id)
    which = "endpoint_id = :endpoint AND queued_at >= :since"
    parameters = {"endpoint": endpoint_id, "since": since, "now": now}
    hurried = await _hurry(tx, f"{which} AND next_at > :now", **parameters)
    replayed = await tx.execute(text(_REPLAY.format(which=f"{which} AND state = 'dead'")), parameters)
    return hurried + replayed.rowcount


async def _hurry(tx: Transaction, which: str, **parameters: Any) -> int:
    return (await tx.execute(text(_HURRY.format(which=which)), parameters)).rowcount


async def _endpoint(tx: Transaction, endpoint_id: UUID) -> Any:
    query = (
        select(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id).with_for_update(key_share=True)
    )
    row = (await tx.execute(query)).first()
    if row is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}")
    return row
