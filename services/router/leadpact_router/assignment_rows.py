"""Read who has had a lead, and end an ownership."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Lead

_OWNERS = text(
    """
    SELECT a.lead_id, a.id, a.rep_id, a.hop, a.accepted_at, a.contacted_at, a.contact_channel, a.ended_as,
        w.tried_at, coalesce(w.has_meeting, false) AS has_meeting
    FROM assignment a LEFT JOIN LATERAL (
        SELECT min(occurred_at) AS tried_at, bool_or(kind = 'meeting_booked') AS has_meeting FROM work_report
        WHERE lead_id = a.lead_id AND assignment_id = a.id AND (kind = 'meeting_booked'
            OR (kind = 'attempted' AND NOT coalesce(CAST(details ->> 'automatic' AS boolean), false)))) w ON true
    WHERE a.lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY a.lead_id, a.assigned_at, a.hop
    """
)
_END = text(
    """
    UPDATE assignment SET ended_at = :ended_at, ended_as = :ended_as
    WHERE id = ANY(CAST(:ids AS uuid[])) AND ended_at IS NULL
    """
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody's turn with a lead, and what they did with it."""

    assignment_id: UUID
    rep_id: str
    hop: int
    accepted_at: datetime | None = None
    contacted_at: datetime | None = None
    contact_channel: str | None = None
    ended_as: str | None = None
    tried_at: datetime | None = None
    """When they first tried to reach the person, or agreed on a meeting."""
    has_meeting: bool = False

    @property
    def has_reached(self) -> bool:
        """Whether they reached the person."""
        return self.contacted_at is not None

    def has_done(self, stops: Collection[str]) -> bool:
        """Whether they did any of what stops a clock, in the pact's words."""
        done = {
            "accepted": self.accepted_at is not None,
            "contacted": self.has_reached,
            "meeting_booked": self.has_meeting,
            "rejected": self.ended_as == "rejected",
        }
        return any(done.get(stop, False) for stop in stops)

    @property
    def first_touch_at(self) -> datetime | None:
        """When they first did something for it."""
        touches = (self.accepted_at, self.contacted_at, self.tried_at)
        return min((at for at in touches if at is not None), default=None)

    @property
    def is_touched(self) -> bool:
        """Whether they did anything for it."""
        return self.first_touch_at is not None


async def owners_of(tx: Transaction, leads: Collection[Lead]) -> dict[UUID, tuple[Owner, ...]]:
    """Who has had each lead in its present round, in order.

    A round begins with hop 1: the first owner since the person asked. A lead at hop 0 has had none, whoever had it in
    the rounds before.
    """
    owners: dict[UUID, tuple[Owner, ...]] = {lead.id: () for lead in leads}
    begun = sorted(lead.id for lead in leads if lead.hop > 0)
    if not begun:
        return owners
    for row in await tx.execute(_OWNERS, {"leads": begun}):
        earlier = owners[row.lead_id] if row.hop > 1 else ()
        owner = Owner(
            row.id,
            row.rep_id,
            row.hop,
            row.accepted_at,
            row.contacted_at,
            row.contact_channel,
            row.ended_as,
            row.tried_at,
            row.has_meeting,
        )
        owners[row.lead_id] = (*earlier, owner)
    return owners


async def end_assignments(tx: Transaction, ids: Iterable[UUID], ended_as: str, now: datetime) -> None:
    """End these ownerships.

    To be done before the next owner's row is written: there is one open row per lead.
    """
    wanted = sorted(ids)
    if wanted:
        await tx.execute(_END, {"ids": wanted, "ended_as": ended_as, "ended_at": now})
