"""The lead is done with, won or lost: nobody owes it anything until the person asks again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from leadpact.errors import Conflict, NotFound
from leadpact.events import LeadClosed
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assignment_rows import end_assignments
from leadpact_router.lead import CLOSED_STAGES, Lead, Stage
from leadpact_router.lead_rows import lock_leads, save_leads
from leadpact_router.work.recorded import lighten, lock_assignment, write_down

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of closing a lead. ``changed`` is False if it was closed before."""

    lead_id: UUID
    stage: str
    changed: bool


async def close(
    tx: Transaction, lead_id: UUID, *, reason: str, occurred_at: datetime, now: datetime
) -> Closed:
    """End whatever is under way with the lead: its owner loses it, and it waits in no line.

    Raises ``NotFound``, or ``Conflict`` if sales gave it back.
    """
    lead = (await lock_leads(tx, [lead_id])).get(lead_id)
    if lead is None:
        raise NotFound(f"There is no lead {lead_id}")
    if lead.stage is Stage.CLOSED:
        return Closed(lead.id, lead.stage, changed=False)
    if lead.stage in CLOSED_STAGES:
        raise Conflict(f"This lead was rejected and is {lead.stage} now; there is nothing to close")
    at = min(occurred_at, now)
    assignment_id, rep_id = lead.assignment_id, lead.owner
    _end(lead, at)
    await save_leads(tx, [lead])
    if assignment_id is not None:
        await _end_assignment(tx, assignment_id, now)
    await write_down(
        tx,
        "closed",
        lead_id=lead.id,
        assignment_id=assignment_id,
        occurred_at=at,
        now=now,
        reason=reason,
    )
    log.info("router.lead_closed", lead_id=str(lead.id), rep_id=rep_id)
    tx.emit(
        LeadClosed(
            occurred_at=at,
            recorded_at=now,
            lead_id=lead.id,
            received_at=lead.received_at,
            assignment_id=assignment_id,
            rep_id=rep_id,
            reason=reason,
        )
    )
    return Closed(lead.id, lead.stage, changed=True)


def _end(lead: Lead, at: datetime) -> None:
    lead.stage, lead.closed_at = Stage.CLOSED, at
    lead.owner = lead.assignment_id = None
    lead.held_since = lead.held_reason = lead.held_pool = lead.held_cause_id = None


async def _end_assignment(tx: Transaction, assignment_id: UUID, now: datetime) -> None:
    found = await lock_assignment(tx, assignment_id)
    await end_assignments(tx, [assignment_id], "closed", now)
    if found.contacted_at is None:
        await lighten(tx, found)
