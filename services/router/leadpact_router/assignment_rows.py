"""Read who has had a lead, and end an ownership."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Lead

_OWNERS = text(
    """
    SELECT a.lead_id, a.id, a.rep_id, a.hop, a.accepted_at, a.contacted_at, a.contact_channel, a.ended_at, a.ended_as,
        w.tried_at, w.meeting_agreed_at
    FROM assignment a LEFT JOIN LATERAL (
        SELECT min(occurred_at) AS tried_at, min(occurred_at) FILTER (WHERE kind = 'meeting_booked') AS meeting_agreed_at
        FROM work_report
        WHERE lead_id = a.lead_id AND assignment_id = a.id AND (kind = 'meeting_booked'
            OR (kind = 'attempted' AND NOT coalesce(CAST(details ->> 'automatic' AS boolean), false)))) w ON true
    WHERE a.lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY a.lead_id, a.number
    """
)
_END = text(
    """
    UPDATE assignment SET ended_at = :ended_at, ended_as = :ended_as
    WHERE id = ANY(CAST(:ids AS uuid[])) AND ended_at IS NULL
    """
)
_RENEW = text(
    """
    UPDATE assignment a SET ended_at = :now, ended_as = 'renewed', renewed_as = n.renewed_as, renewed_from = n.renewed_from
    FROM unnest(CAST(:ids AS uuid[]), CAST(:as AS uuid[]), CAST(:from AS timestamptz[])) AS n(id, renewed_as, renewed_from)
    WHERE a.id = n.id AND a.ended_at IS NULL
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
    ended_at: datetime | None = None
    ended_as: str | None = None
    tried_at: datetime | None = None
    """When they first tried to reach the person, or agreed on a meeting."""
    meeting_agreed_at: datetime | None = None
    """When they first agreed with the person on a meeting, whenever that is to be."""

    @property
    def has_reached(self) -> bool:
        """Whether they reached the person."""
        return self.contacted_at is not None

    def has_done(self, stops: Collection[str]) -> bool:
        """Whether they did any of what stops a clock, in the pact's words."""
        done = {
            "accepted": self.accepted_at is not None,
            "contacted": self.has_reached,
            "meeting_booked": self.meeting_agreed_at is not None,
            "rejected": self.ended_as == "rejected",
        }
        return any(done.get(stop, False) for stop in stops)

    @property
    def answered_at(self) -> datetime | None:
        """When they first spoke with the person, or agreed on a meeting."""
        return min((at for at in (self.contacted_at, self.meeting_agreed_at) if at is not None), default=None)

    @property
    def gave_up_at(self) -> datetime | None:
        """When they gave the lead back, or sales was done with it while they had it."""
        return self.ended_at if self.ended_as in ("rejected", "closed") else None

    @property
    def first_touch_at(self) -> datetime | None:
        """When they first did something for it."""
        touches = (self.accepted_at, self.contacted_at, self.tried_at)
        return min((at for at in touches if at is not None), default=None)

    @property
    def is_touched(self) -> bool:
        """Whether they did anything for it."""
        return self.first_touch_at is not None


Owners = tuple[Owner, ...]
"""Who has had a lead, in order."""


async def owners_of(tx: Transaction, leads: Collection[Lead]) -> dict[UUID, Owners]:
    """Who has had each lead in its present round."""
    ever = await all_owners_of(tx, [lead for lead in leads if lead.hop > 0])
    return {lead.id: in_present_round(lead, ever.get(lead.id, ())) for lead in leads}


def in_present_round(lead: Lead, ever: Owners) -> Owners:
    """Those of ``ever`` who have had the lead since the person asked for what they wait for now.

    A round begins with hop 1. A lead at hop 0 has had nobody in it, whoever had it in the rounds before.
    """
    if lead.hop == 0:
        return ()
    first = max(place for place, owner in enumerate(ever) if owner.hop == 1)
    return ever[first:]


def since_given_up(ever: Owners) -> Owners:
    """Those of ``ever`` who have had the lead since sales last gave it back or was done with it: in this round or one that went over into it."""
    given_up = [place for place, owner in enumerate(ever) if owner.gave_up_at is not None]
    return ever[given_up[-1] + 1 :] if given_up else ever


async def all_owners_of(tx: Transaction, leads: Collection[Lead]) -> dict[UUID, Owners]:
    """Who has ever had each lead."""
    owners: dict[UUID, Owners] = {lead.id: () for lead in leads}
    if not owners:
        return owners
    for row in await tx.execute(_OWNERS, {"leads": sorted(owners)}):
        owner = Owner(
            row.id,
            row.rep_id,
            row.hop,
            row.accepted_at,
            row.contacted_at,
            row.contact_channel,
            row.ended_at,
            row.ended_as,
            row.tried_at,
            row.meeting_agreed_at,
        )
        owners[row.lead_id] = (*owners[row.lead_id], owner)
    return owners


@dataclass(frozen=True, slots=True)
class Renewal:
    """An ownership that goes on as another of the same rep, since the person asked for more at ``asked_at``."""

    assignment_id: UUID
    renewed_as: UUID
    asked_at: datetime


async def renew_assignments(tx: Transaction, renewals: Sequence[Renewal], now: datetime) -> None:
    """End these ownerships, before those as which they go on are written."""
    if renewals:
        columns = {
            "ids": [one.assignment_id for one in renewals],
            "as": [one.renewed_as for one in renewals],
            "from": [one.asked_at for one in renewals],
        }
        await tx.execute(_RENEW, {**columns, "now": now})


async def end_assignments(tx: Transaction, ids: Iterable[UUID], ended_as: str, now: datetime) -> None:
    """End these ownerships.

    To be done before the next owner's row is written: there is one open row per lead.
    """
    wanted = sorted(ids)
    if wanted:
        await tx.execute(_END, {"ids": wanted, "ended_as": ended_as, "ended_at": now})
