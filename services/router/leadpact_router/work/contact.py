"""A human reached the person. What a machine sent is an attempt."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from leadpact.events import LeadContacted
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Stage
from leadpact_router.lead_rows import save_leads
from leadpact_router.work.attempt import attempt
from leadpact_router.work.recorded import (
    Recorded,
    about,
    lighten,
    lock_reported,
    recorded,
    refuse_if_ended_by,
)

_CONTACT = text("UPDATE assignment SET contacted_at = :at, contact_channel = :channel WHERE id = :id")


async def contact(
    tx: Transaction,
    assignment_id: UUID,
    *,
    channel: str,
    automatic: bool = False,
    occurred_at: datetime,
    now: datetime,
) -> Recorded:
    """A human reached the person first at ``occurred_at``; of several reports the earliest contact stands.

    Raises ``NotFound``, or ``Conflict`` if the assignment had ended by then.
    """
    if automatic:
        # An auto-reply stops nothing: nobody has reached anybody.
        return await attempt(
            tx, assignment_id, channel=channel, automatic=True, occurred_at=occurred_at, now=now
        )
    lead, found = await lock_reported(tx, assignment_id, now, occurred_at)
    at = min(occurred_at, now)
    if found.contacted_at is not None and found.contacted_at <= at:
        return recorded("contact", lead, found, changed=False)
    refuse_if_ended_by(lead, found, at)
    await tx.execute(_CONTACT, {"id": found.id, "at": at, "channel": channel})
    if found.ended_at is None:
        lead.stage = Stage.CONTACTED
        await save_leads(tx, [lead])
        if found.contacted_at is None:
            await lighten(tx, found)
    tx.emit(LeadContacted(occurred_at=at, recorded_at=now, channel=channel, **about(found)))
    return recorded("contact", lead, found, changed=True)
