"""Read and write the leads of a batch, a constant number of statements whatever its size.

Rows that a decision depends on are locked until the commit, always in this order, so that no two batches wait
for each other in a circle: identities (sorted), leads (by id), reps who miss a promise (by id), loads (by rep),
turns (by pool and rep). A deadlock that slips through all the same is found by the database and comes back as a passing fault.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Text, Uuid, any_, bindparam, select, text

from leadpact.events import Contribution
from leadpact.storage.bulk import Insert, insert_together
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Account, Lead, Stage, full_name
from leadpact_router.signal import Signal
from leadpact_router.tables import account as account_table
from leadpact_router.tables import lead as lead_table
from leadpact_router.tables import signal as signal_table

_IDS = bindparam("ids", type_=ARRAY(Uuid))
_LOCK_BY_ID = (
    select(lead_table).where(lead_table.c.id == any_(_IDS)).order_by(lead_table.c.id).with_for_update()
)
_LOCK_BY_PERSON = (
    select(lead_table).where(lead_table.c.person_id == any_(_IDS)).order_by(lead_table.c.id).with_for_update()
)
_SIGNALS = select(signal_table).where(signal_table.c.lead_id == any_(_IDS))
_ACCOUNTS = select(account_table).where(
    account_table.c.domain == any_(bindparam("domains", type_=ARRAY(Text)))
)

# The oldest of each line, so that a long line for one pool does not hide those who wait for another. Those who lost an owner stand in a
# line of their own: whoever they wait for may be one absent rep, while the others' turn can come at any moment. Rows
# that another instance or a request works on are left to it.
_HEADS = text(
    """
    SELECT waiting.id
    FROM (SELECT DISTINCT held_pool, hop > 0 AS had_an_owner FROM lead WHERE held_since IS NOT NULL) line
    CROSS JOIN LATERAL (
        SELECT id, held_since FROM lead
        WHERE held_since IS NOT NULL AND held_pool = line.held_pool AND (hop > 0) = line.had_an_owner
        ORDER BY held_since, id LIMIT :per_line
    ) waiting
    ORDER BY waiting.held_since, waiting.id
    """
)
_LOCK_FREE = (
    select(lead_table)
    .where(lead_table.c.id == any_(_IDS), lead_table.c.held_since.is_not(None))
    .order_by(lead_table.c.held_since, lead_table.c.id)
    .with_for_update(skip_locked=True)
)
# Behind the heads, line by line: who waits there may be able to go although the head of the line is not, since its account's owner
# is back, or it is nobody's that those who are free have had.
_BEHIND = text(
    """
    SELECT id, held_pool, hop > 0 AS had_an_owner, held_since FROM lead
    WHERE held_since IS NOT NULL AND (held_pool, (hop > 0), held_since, id) > (:pool, :had_an_owner, :since, :id)
    ORDER BY held_pool, (hop > 0), held_since, id LIMIT :limit
    """
)
_LINES = text(
    """
    SELECT asked.pool, line.held_since FROM unnest(CAST(:pools AS text[])) AS asked(pool)
    CROSS JOIN LATERAL (
        SELECT held_since FROM lead WHERE held_since IS NOT NULL AND held_pool = asked.pool AND (hop > 0) = false
        ORDER BY held_since LIMIT 1
    ) line
    """
)

_ROW_COLUMNS = [column.name for column in lead_table.columns]
_OVERWRITE = ", ".join(
    f"{name} = excluded.{name}" for name in _ROW_COLUMNS if name not in ("id", "person_id")
)


async def lock_leads(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Lead]:
    """The leads of these ids, locked until the commit, with their accounts and signals."""
    return {lead.id: lead for lead in await _locked(tx, _LOCK_BY_ID, ids)}


async def lock_leads_of_people(tx: Transaction, person_ids: Collection[UUID]) -> dict[UUID, Lead]:
    """The leads of these people, by person, locked until the commit, with their accounts and signals."""
    return {lead.person_id: lead for lead in await _locked(tx, _LOCK_BY_PERSON, person_ids)}


@dataclass(frozen=True, slots=True)
class PlaceInLine:
    """Where a look at the leads that wait has come to: the last one seen."""

    pool: str
    had_an_owner: bool
    since: datetime
    id: UUID


BEFORE_ALL = PlaceInLine("", had_an_owner=False, since=datetime.min.replace(tzinfo=UTC), id=UUID(int=0))
"""The place before the first of all lines."""


async def lock_held_leads(
    tx: Transaction, *, per_line: int, after: PlaceInLine
) -> tuple[list[Lead], PlaceInLine | None]:
    """The oldest waiting leads of every line, and as many of those behind ``after``; all of them oldest first.

    Beside them the place to go on from, None at the end of the last line.
    """
    heads = [row.id for row in await tx.execute(_HEADS, {"per_line": per_line})]
    if len(heads) < per_line:
        return await _locked(tx, _LOCK_FREE, heads), None
    behind = (await tx.execute(_BEHIND, {**asdict(after), "limit": per_line})).all()
    ids = {*heads, *(row.id for row in behind)}
    last = behind[-1] if len(behind) == per_line else None
    place = PlaceInLine(last.held_pool, last.had_an_owner, last.held_since, last.id) if last else None
    return await _locked(tx, _LOCK_FREE, ids), place


async def lines_since(tx: Transaction, pools: Collection[str]) -> dict[str, datetime]:
    """Since when leads wait that nobody has had yet, for those of ``pools`` for which some do."""
    return {row.pool: row.held_since for row in await tx.execute(_LINES, {"pools": sorted(pools)})}


async def read_accounts(tx: Transaction, domains: Iterable[str]) -> dict[str, Account]:
    """The accounts of these registrable domains."""
    wanted = sorted(set(domains))
    rows = (await tx.execute(_ACCOUNTS, {"domains": wanted})).all() if wanted else []
    return {
        row.domain: Account(row.id, row.name, row.domain, row.tier, row.owner, row.employees, row.industry)
        for row in rows
    }


async def save_leads(tx: Transaction, leads: Collection[Lead]) -> None:
    """Write leads back, new ones included, and those of their signals that were heard anew."""
    await insert_together(tx, *inserts_of_leads(leads))


def inserts_of_leads(leads: Collection[Lead]) -> list[Insert]:
    """What ``save_leads`` writes, to be written together with other things."""
    in_order = sorted(leads, key=lambda lead: lead.id.int)
    signals = [
        _signal_row(lead.id, kind, lead.signals[kind])
        for lead in in_order
        for kind in sorted(lead.heard_anew)
    ]
    overwrite = "strength = excluded.strength, as_of = excluded.as_of, times = excluded.times"
    return [
        Insert(lead_table, [_row(lead) for lead in in_order], f"(id) DO UPDATE SET {_OVERWRITE}"),
        Insert(signal_table, signals, f"(lead_id, kind) DO UPDATE SET {overwrite}"),
    ]


def _signal_row(lead_id: UUID, kind: str, signal: Signal) -> dict[str, Any]:
    return {
        "lead_id": lead_id,
        "kind": kind,
        "strength": signal.strength,
        "as_of": signal.as_of,
        "times": signal.times,
    }


async def _locked(tx: Transaction, statement: Any, ids: Collection[UUID]) -> list[Lead]:
    if not ids:
        return []
    rows = (await tx.execute(statement, {"ids": sorted(ids)})).all()
    accounts = await read_accounts(tx, (row.draft["domain"] for row in rows if "domain" in row.draft))
    leads = [_lead(row, accounts.get(row.draft.get("domain"))) for row in rows]
    by_id = {lead.id: lead for lead in leads}
    for row in await tx.execute(_SIGNALS, {"ids": sorted(by_id)}) if by_id else ():
        by_id[row.lead_id].signals[row.kind] = Signal(row.strength, row.as_of, row.times)
    return leads


def _lead(row: Row[Any], account: Account | None) -> Lead:
    return Lead(
        id=row.id,
        person_id=row.person_id,
        source=row.source,
        source_kind=row.source_kind,
        intent=row.intent,
        received_at=row.received_at,
        touched_at=row.touched_at,
        stage=Stage(row.stage),
        draft=row.draft,
        account=account,
        score=row.score,
        fit=row.fit,
        engagement=row.engagement,
        band=row.band,
        contributions=tuple(Contribution(**one) for one in row.contributions),
        qualified_at=row.qualified_at,
        qualified_because=row.qualified_because,
        unqualified_because=row.unqualified_because,
        owner=row.owner,
        assignment_id=row.assignment_id,
        owner_count=row.owner_count,
        hop=row.hop,
        hops_by_breach=row.hops_by_breach,
        held_since=row.held_since,
        held_reason=row.held_reason,
        held_pool=row.held_pool,
        held_cause_id=row.held_cause_id,
        escalated_to=row.escalated_to,
        escalated_at=row.escalated_at,
        closed_at=row.closed_at,
    )


def _row(lead: Lead) -> dict[str, Any]:
    said = lead.draft
    return {
        "id": lead.id,
        "person_id": lead.person_id,
        "stage": lead.stage.value,
        "source": lead.source,
        "source_kind": lead.source_kind,
        "intent": lead.intent,
        "received_at": lead.received_at,
        "touched_at": lead.touched_at,
        "email": said.get("email"),
        "phone": said.get("phone"),
        "full_name": full_name(said),
        "company": said.get("company"),
        "country": said.get("country"),
        "draft": said,
        "account_id": lead.account.id if lead.account else None,
        "score": lead.score,
        "fit": lead.fit,
        "engagement": lead.engagement,
        "band": lead.band,
        "contributions": lead.contributions,
        "qualified_at": lead.qualified_at,
        "qualified_because": lead.qualified_because,
        "unqualified_because": lead.unqualified_because,
        "owner": lead.owner,
        "assignment_id": lead.assignment_id,
        "owner_count": lead.owner_count,
        "hop": lead.hop,
        "hops_by_breach": lead.hops_by_breach,
        "held_since": lead.held_since,
        "held_reason": lead.held_reason,
        "held_pool": lead.held_pool,
        "held_cause_id": lead.held_cause_id,
        "escalated_to": lead.escalated_to,
        "escalated_at": lead.escalated_at,
        "closed_at": lead.closed_at,
    }
