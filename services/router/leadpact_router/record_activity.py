"""Take activities in: remember them, fade and add their signal, score, qualify, and give the lead away if it
has become ready.

An activity belongs to the lead it names, else to the lead of the person behind its address or number. Of
somebody who is no lead there is nothing to score: such an activity is passed over. What happened before a
person first became a lead thus earns no points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from leadpact.events import ActivityRecorded
from leadpact.storage.bulk import Insert
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.appraise import appraise
from leadpact_router.assign import Ready, assign_all, save_decided
from leadpact_router.identity_rows import read_address_book
from leadpact_router.lead import Lead, Stage
from leadpact_router.lead_rows import inserts_of_leads, lock_leads
from leadpact_router.news import News
from leadpact_router.recognise import Caller
from leadpact_router.tables import activity as activity_table
from leadpact_router.terms import Terms

log = structlog.get_logger(__name__)

_LEADS_OF = text("SELECT id, person_id FROM lead WHERE person_id = ANY(CAST(:people AS uuid[]))")
_KNOWN = text("SELECT id FROM activity WHERE id = ANY(CAST(:ids AS uuid[]))")


async def record_activities(
    tx: Transaction,
    batch: Sequence[News[ActivityRecorded]],
    terms: Terms,
) -> None:
    """Apply recorded activities in log order, each activity id once."""
    lead_of = await _lead_of_each(tx, batch)
    leads = await lock_leads(tx, set(lead_of.values()))
    known = await _recorded_before(tx, batch)
    ready: list[Ready] = []
    rows = []
    for one in batch:
        event = one.event
        lead = leads.get(lead_of.get(event.activity_id, event.activity_id))
        if event.activity_id in known or lead is None:
            log.info(
                "router.activity_passed_over", activity_id=str(event.activity_id), known_lead=lead is not None
            )
            continue
        known.add(event.activity_id)
        rows.append(_row(lead, event))
        at = min(event.occurred_at, event.received_at)
        lead.hear(event.kind, at, terms.applied.pact.scoring.engagement)
        for result in appraise(lead, terms.applied, terms.now):
            tx.emit(result, caused_by=one.id)
        if lead.stage is Stage.MQL:
            ready.append(Ready.now(lead, one.id, terms))
    handover = await assign_all(tx, ready, terms)
    await save_decided(tx, handover, *inserts_of_leads(leads.values()), Insert(activity_table, rows))


async def _lead_of_each(tx: Transaction, batch: Sequence[News[ActivityRecorded]]) -> dict[UUID, UUID]:
    """The lead that each activity belongs to, by activity; those of unknown people are left out."""
    callers = {
        event.activity_id: Caller(event.email, event.phone)
        for event in (one.event for one in batch)
        if event.lead_id is None
    }
    book = await read_address_book(tx, list(callers.values()))
    people = {
        activity: found.person_id for activity, caller in callers.items() if (found := book.find(caller))
    }
    rows = await tx.execute(_LEADS_OF, {"people": sorted(set(people.values()))}) if people else ()
    lead_of = {row.person_id: row.id for row in rows}
    named = {one.event.activity_id: one.event.lead_id for one in batch if one.event.lead_id is not None}
    return named | {activity: lead_of[person] for activity, person in people.items() if person in lead_of}


async def _recorded_before(tx: Transaction, batch: Sequence[News[ActivityRecorded]]) -> set[UUID]:
    """The inbox forgets after its retention; the activities never do."""
    rows = await tx.execute(_KNOWN, {"ids": [one.event.activity_id for one in batch]})
    return {row.id for row in rows}


def _row(lead: Lead, event: ActivityRecorded) -> dict[str, Any]:
    return {
        "id": event.activity_id,
        "lead_id": lead.id,
        "kind": event.kind,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "details": event.details,
    }
