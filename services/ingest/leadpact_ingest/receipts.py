"""Tell an integrator what became of a post: whose lead it is, how far it has got, and who has it.

A projection of the router's events, kept by the consumer group ``ingest``. ``lead.matched`` ties a receipt to its lead; every later
event moves one row per lead, so a hundred receipts of one lead cost nothing more. A receipt whose message was set aside has its outcome, too, though it
is not the one that was hoped for. What is left is in flight: every accepted receipt is applied, dead-lettered or in flight, and the last of these is
watched (``InFlight``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import TextClause, text

from leadpact.bus.consume import Consumer, Handler, Received
from leadpact.clock import Clock
from leadpact.errors import NotFound
from leadpact.events import (
    Event,
    LeadAccepted,
    LeadAssigned,
    LeadClosed,
    LeadContacted,
    LeadHeld,
    LeadMatched,
    LeadQualified,
    LeadReassigned,
    LeadRejected,
    MessageDeadLettered,
    Topic,
)
from leadpact.storage.bulk import insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
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
    return Consumer(
        CONSUMER,
        {
            LeadMatched: _matched,
            LeadQualified: _qualified,
            LeadAssigned: _now_with_rep("assigned"),
            LeadReassigned: _now_with_rep("assigned"),
            LeadAccepted: _now_with_rep("accepted"),
            LeadContacted: _now_with_rep("contacted"),
            LeadHeld: _held,
            LeadRejected: _rejected,
            LeadClosed: _closed,
            MessageDeadLettered: _set_aside,
        },
        clock,
    )


_WITH_REP = (LeadAssigned, LeadAccepted, LeadContacted)  # LeadReassigned is a LeadAssigned
_STAGE_AFTER = {"recycle": "recycled", "nurture": "nurtured", "disqualify": "disqualified"}


async def _matched(tx: Transaction, received: Sequence[Received]) -> None:
    """A receipt has found its lead; a lead that is new here starts as such."""
    events = _events(received, LeadMatched)
    leads = [
        {"lead_id": event.lead_id, "stage": "new", "changed_at": event.occurred_at}
        for event in sorted(events, key=lambda event: event.lead_id)
    ]
    await insert_rows(tx, lead_progress, leads, conflict="DO NOTHING")
    ties = {"id": [event.receipt_id for event in events], "lead_id": [event.lead_id for event in events]}
    await tx.execute(_TIE, ties)


async def _qualified(tx: Transaction, received: Sequence[Received]) -> None:
    events = _events(received, LeadQualified)
    await _move(tx, [(event.lead_id, "mql", None, event.occurred_at) for event in events], _MOVE)


def _now_with_rep(stage: str) -> Handler:
    """What an event does that says which rep has the lead."""

    async def move(tx: Transaction, received: Sequence[Received]) -> None:
        events = [one.event for one in received if isinstance(one.event, _WITH_REP)]
        moves = [(event.lead_id, stage, event.rep_id, event.occurred_at) for event in events]
        await _move(tx, moves, _MOVE_WITH_OWNER)

    return move


async def _held(tx: Transaction, received: Sequence[Received]) -> None:
    events = _events(received, LeadHeld)
    await _move(tx, [(event.lead_id, "held", None, event.occurred_at) for event in events], _MOVE_WITH_OWNER)


async def _rejected(tx: Transaction, received: Sequence[Received]) -> None:
    """Given back: nobody's, at the stage that the pact's outcome leads to."""
    moves = [
        (event.lead_id, _STAGE_AFTER.get(event.outcome, event.outcome), None, event.occurred_at)
        for event in _events(received, LeadRejected)
    ]
    await _move(tx, moves, _MOVE_WITH_OWNER)


async def _closed(tx: Transaction, received: Sequence[Received]) -> None:
    """Done with, so nobody's."""
    events = _events(received, LeadClosed)
    moves = [(event.lead_id, "closed", None, event.occurred_at) for event in events]
    await _move(tx, moves, _MOVE_WITH_OWNER)


async def _set_aside(tx: Transaction, received: Sequence[Received]) -> None:
    """A message that spoke of a receipt could not be applied."""
    events = _events(received, MessageDeadLettered)
    latest = {event.origin_receipt_id: event.dead_letter_id for event in events if event.origin_receipt_id}
    await tx.execute(_SET_ASIDE, {"id": list(latest), "dead_letter_id": list(latest.values())})


E = TypeVar("E", bound=Event)


def _events(received: Sequence[Received], kind: type[E]) -> list[E]:
    """The events inside; the consumer hands a handler those of its class only."""
    return [one.event for one in received if isinstance(one.event, kind)]


_Move = tuple[UUID, str, str | None, datetime]


async def _move(tx: Transaction, moves: Sequence[_Move], statement: TextClause) -> None:
    """Set each lead to where the last of its moves leads; UPDATE … FROM would pick one of several by chance."""
    latest = {lead_id: move for move in moves for lead_id in [move[0]]}
    columns = zip(*(latest[lead_id] for lead_id in sorted(latest)), strict=True)
    await tx.execute(statement, dict(zip(_MOVED, map(list, columns), strict=True)))


_MOVED = ("lead_id", "stage", "owner", "changed_at")
_MOVE = text(
    f"""
    UPDATE lead_progress p SET stage = r.stage, changed_at = r.changed_at
    FROM {unnest(lead_progress, _MOVED)} WHERE p.lead_id = r.lead_id
    """
)
_MOVE_WITH_OWNER = text(
    f"""
    UPDATE lead_progress p SET stage = r.stage, owner = r.owner, changed_at = r.changed_at
    FROM {unnest(lead_progress, _MOVED)} WHERE p.lead_id = r.lead_id
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
