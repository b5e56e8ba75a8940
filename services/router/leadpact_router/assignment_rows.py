"""Read who has had a lead, and end an ownership."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Lead
from leadpact_router.owner import Owner, Owners, in_present_round

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


async def owners_of(tx: Transaction, leads: Collection[Lead]) -> dict[UUID, Owners]:
    """Who has had each lead in its present round."""
    ever = await all_owners_of(tx, [lead for lead in leads if lead.hop > 0])
    return {lead.id: in_present_round(lead, ever.get(lead.id, ())) for lead in leads}


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
