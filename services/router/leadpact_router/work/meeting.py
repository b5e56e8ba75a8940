"""A meeting with the person is agreed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from leadpact.events import LeadMeetingBooked
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.work.recorded import (
    Recorded,
    about,
    lock_reported,
    recorded,
    refuse_if_ended_by,
    write_down,
)

# The earliest stands, in whatever order they are reported: `uq_work_report_meeting` keeps it at one for each assignment.
_EARLIEST = """
    (assignment_id) WHERE kind = 'meeting_booked' DO UPDATE
    SET occurred_at = excluded.occurred_at, recorded_at = excluded.recorded_at, details = excluded.details
    WHERE excluded.occurred_at < work_report.occurred_at
"""


async def book_meeting(
    tx: Transaction,
    assignment_id: UUID,
    *,
    meeting_at: datetime | None,
    occurred_at: datetime,
    now: datetime,
) -> Recorded:
    """A meeting was agreed at ``occurred_at``; of several the one agreed first stands. It is no contact, so the stage stays.

    Raises ``NotFound``, or ``Conflict`` if the assignment had ended by then.
    """
    lead, found = await lock_reported(tx, assignment_id, now, occurred_at)
    at = min(occurred_at, now)
    refuse_if_ended_by(lead, found, at)
    is_news = await write_down(
        tx,
        "meeting_booked",
        lead_id=lead.id,
        assignment_id=found.id,
        occurred_at=at,
        now=now,
        conflict=_EARLIEST,
        meeting_at=meeting_at,
    )
    if is_news:
        tx.emit(LeadMeetingBooked(occurred_at=at, recorded_at=now, meeting_at=meeting_at, **about(found)))
    return recorded("meeting", lead, found, changed=is_news)
