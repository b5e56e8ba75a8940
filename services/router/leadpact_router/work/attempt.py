"""Somebody, or a machine, tried to reach the person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from leadpact.events import LeadAttempted
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.work.recorded import (
    Recorded,
    about,
    lock_reported,
    recorded,
    refuse_if_ended_by,
    write_down,
)

# Two systems may report one attempt: `uq_work_report_attempt` keeps it at one.
_ONCE = "(assignment_id, channel, occurred_at) WHERE kind = 'attempted' DO NOTHING"


async def attempt(
    tx: Transaction,
    assignment_id: UUID,
    *,
    channel: str,
    automatic: bool,
    occurred_at: datetime,
    now: datetime,
) -> Recorded:
    """The owner tried, or if ``automatic`` a machine did. The stage stays, and so does the weight on the owner's open limit.

    Raises ``NotFound``, or ``Conflict`` if the assignment had ended by then.
    """
    lead, found = await lock_reported(tx, assignment_id, now, occurred_at)
    at = min(occurred_at, now)
    refuse_if_ended_by(lead, found, at)
    is_news = await write_down(
        tx,
        "attempted",
        lead_id=lead.id,
        assignment_id=found.id,
        occurred_at=at,
        now=now,
        channel=channel,
        conflict=_ONCE,
        automatic=automatic,
    )
    if is_news:
        said = LeadAttempted(
            occurred_at=at, recorded_at=now, channel=channel, automatic=automatic, **about(found)
        )
        tx.emit(said)
    return recorded("attempt", lead, found, changed=is_news)
