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
    SELECT lead_id, id, rep_id, hop, contacted_at FROM assignment
    WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY lead_id, assigned_at, hop
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
    """Somebody's turn with a lead. ``is_touched`` says whether they had reached the person."""

    assignment_id: UUID
    rep_id: str
    hop: int
    is_touched: bool


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
        owner = Owner(row.id, row.rep_id, row.hop, row.contacted_at is not None)
        owners[row.lead_id] = (*earlier, owner)
    return owners


async def end_assignments(tx: Transaction, ids: Iterable[UUID], ended_as: str, now: datetime) -> None:
    """End these ownerships.

    To be done before the next owner's row is written: there is one open row per lead.
    """
    wanted = sorted(ids)
    if wanted:
        await tx.execute(_END, {"ids": wanted, "ended_as": ended_as, "ended_at": now})
