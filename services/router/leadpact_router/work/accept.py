"""The owner took the lead on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from leadpact.events import LeadAccepted
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Stage
from leadpact_router.lead_rows import save_leads
from leadpact_router.work.recorded import Recorded, about, lock_reported, recorded, refuse_if_ended

_ACCEPT = text("UPDATE assignment SET accepted_at = :at WHERE id = :id")


async def accept(tx: Transaction, assignment_id: UUID, *, occurred_at: datetime, now: datetime) -> Recorded:
    """The owner took the lead on. Raises ``NotFound``, or ``Conflict`` if the assignment has ended."""
    lead, found = await lock_reported(tx, assignment_id, now, occurred_at)
    if found.accepted_at is not None:
        return recorded("accept", lead, found, changed=False)
    refuse_if_ended(lead, found)
    at = min(occurred_at, now)
    await tx.execute(_ACCEPT, {"id": found.id, "at": at})
    if lead.stage is Stage.ASSIGNED:
        lead.stage = Stage.ACCEPTED
        await save_leads(tx, [lead])
    tx.emit(LeadAccepted(occurred_at=at, recorded_at=now, **about(found)))
    return recorded("accept", lead, found, changed=True)
