"""Tell an integrator what became of a post: whose lead it is, how far it has got, and who has it.

A projection of the router's events, kept by the consumer group ``ingest``. ``lead.matched`` ties a receipt to its lead; every later
event moves one row per lead, so a hundred receipts of one lead cost nothing more. Not everything that is announced moves a lead: reports come late,
also from whoever had the lead before, and are facts all the same (``progress.py``). A receipt whose message was set aside has its outcome, too, though
it is not the one that was hoped for. What is left is in flight: every accepted receipt is applied, dead-lettered or in flight, and the last of these
is watched (``InFlight``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import text

from leadpact.bus.consume import Consumer, Handler, Received
from leadpact.clock import Clock
from leadpact.errors import NotFound
from leadpact.events import Event, LeadMatched, MessageDeadLettered, Topic
from leadpact.events.lead import LeadEvent
from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.progress import MOVES, Progress, after
from leadpact_ingest.tables import lead_progress, receipt

CONSUMER = "ingest"
TOPICS = (Topic.LEADS, Topic.DEAD_LETTER)


class LeadView(BaseModel):
    """The lead that a post became. Stages may be added in later versions."""

    id: UUID
    stage: str
    owner: str | None
    changed_at: AwareDatetime


class ReceiptView(BaseModel):
    """One receipt. ``lead`` is null until the router has recognised whose it is, most often within a second."""

    receipt: UUID
    status: str
    source: str
    received_at: AwareDatetime
    upload: UUID | None = None
    row: int | None = None
    lead: LeadView | None = None


async def find_receipt(tx: Transaction, receipt_id: UUID) -> ReceiptView:
    """The receipt with its lead's present state. Raises ``NotFound``."""
    row = (await tx.execute(_FIND, {"id": receipt_id})).mappings().first()
    if row is None:
        raise NotFound("There is no such receipt.")
    lead = {"id": row["lead_id"], **{name: row[name] for name in ("stage", "owner", "changed_at")}}
    return ReceiptView(
        receipt=receipt_id,
        status=row["status"],
        source=row["source"],
        received_at=row["received_at"],
        upload=row["upload_id"],
        row=row["row"],
        lead=LeadView.model_validate(lead) if row["lead_id"] else None,
    )


@dataclass(frozen=True, slots=True)
class InFlight:
    """Accepted receipts without an outcome: how many, and when the oldest came in; None if there is none."""

    receipts: int
    oldest_at: datetime | None


async def count_in_flight(tx: Transaction) -> InFlight:
    """What was accepted, and neither tied to a lead nor set aside."""
    row = (await tx.execute(_IN_FLIGHT)).one()
    return InFlight(row.receipts, row.oldest_at)


def receipts_consumer(clock: Clock) -> Consumer:
    """What keeps the projection up to date."""
    # One handler for all that leads go through, so that a batch is one wave of it, in order.
    handlers: dict[type[Event], Handler] = {MessageDeadLettered: _set_aside}
    return Consumer(CONSUMER, handlers | dict.fromkeys(MOVES, _follow), clock)


async def _follow(tx: Transaction, received: Sequence[Received]) -> None:
    """Tie receipts to the leads they became, and bring each lead to where the last of its events leads."""
    matched = _events(received, LeadMatched)
    if matched:
        await _begin(tx, matched)
    events = _events(received, LeadEvent)
    before = await _lock(tx, {event.lead_id for event in events})
    now = dict(before)
    for event in events:
        if event.lead_id in now:
            now[event.lead_id] = after(now[event.lead_id], event)
    await _save(tx, [now[lead_id] for lead_id in sorted(now) if now[lead_id] != before[lead_id]])


async def _begin(tx: Transaction, matched: Sequence[LeadMatched]) -> None:
    """A lead that is not known here is new."""
    leads = [
        {"lead_id": event.lead_id, "stage": "new", "changed_at": event.occurred_at}
        for event in sorted(matched, key=lambda event: event.lead_id)
    ]
    await insert_rows(tx, lead_progress, leads, conflict="DO NOTHING")
    ties = {"id": [event.receipt_id for event in matched], "lead_id": [event.lead_id for event in matched]}
    await tx.execute(_TIE, ties)


async def _lock(tx: Transaction, lead_ids: Collection[UUID]) -> dict[UUID, Progress]:
    """Where the leads are; one whose beginning was not heard of is left out."""
    rows = await tx.execute(_LOCK, {"leads": sorted(lead_ids)})
    return {row["lead_id"]: Progress(**row) for row in rows.mappings()}


async def _save(tx: Transaction, moved: Sequence[Progress]) -> None:
    if moved:
        await tx.execute(_SAVE, columns_of(lead_progress, Progress._fields, [one._asdict() for one in moved]))


async def _set_aside(tx: Transaction, received: Sequence[Received]) -> None:
    """A message that spoke of a receipt could not be applied."""
    events = _events(received, MessageDeadLettered)
    latest = {event.origin_receipt_id: event.dead_letter_id for event in events if event.origin_receipt_id}
    await tx.execute(_SET_ASIDE, {"id": list(latest), "dead_letter_id": list(latest.values())})


E = TypeVar("E", bound=Event)


def _events(received: Sequence[Received], kind: type[E]) -> list[E]:
    """The events of a class; the consumer hands a handler those of its classes only."""
    return [one.event for one in received if isinstance(one.event, kind)]


_LOCK = text(
    """
    SELECT lead_id, stage, owner, assignment_id, changed_at FROM lead_progress
    WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY lead_id FOR UPDATE
    """
)
_SAVE = text(
    f"""
    UPDATE lead_progress p
    SET stage = r.stage, owner = r.owner, assignment_id = r.assignment_id, changed_at = r.changed_at
    FROM {unnest(lead_progress, Progress._fields)} WHERE p.lead_id = r.lead_id
    """
)
_TIE = text(
    f"""
    UPDATE receipt p SET lead_id = r.lead_id
    FROM {unnest(receipt, ("id", "lead_id"))} WHERE p.id = r.id
    """
)
_SET_ASIDE = text(
    f"""
    UPDATE receipt p SET dead_letter_id = r.dead_letter_id
    FROM {unnest(receipt, ("id", "dead_letter_id"))} WHERE p.id = r.id
    """
)
# Reads ix_receipt_in_flight only.
_IN_FLIGHT = text(
    """
    SELECT count(*) AS receipts, min(received_at) AS oldest_at FROM receipt
    WHERE status = 'accepted' AND lead_id IS NULL AND dead_letter_id IS NULL
    """
)
_FIND = text(
    """
    SELECT r.status, r.source, r.received_at, r.upload_id, r.row, r.lead_id, p.stage, p.owner, p.changed_at
    FROM receipt r LEFT JOIN lead_progress p USING (lead_id) WHERE r.id = :id
    """
)
