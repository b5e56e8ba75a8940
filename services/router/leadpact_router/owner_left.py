"""Give a lead to the next when its owner's absence begins, if the pact asks for that (`owner_away: reassign`).

This is like a missed promise that does not count: it uses up none of the pact's reassignments, and nobody did anything wrong. Nothing
happens if the owner no longer has the lead, has reached the person, or the lead is already escalated. If nobody is left
who has not had it, whoever the pact names must decide; if it names nobody, the owner keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from leadpact.events import SlaOwnerLeft
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import Handover, Ready, lock_floor_for
from leadpact_router.assignment_rows import owners_of
from leadpact_router.lead import Lead
from leadpact_router.lead_rows import inserts_of_leads, lock_leads
from leadpact_router.news import News
from leadpact_router.owner import Owner
from leadpact_router.take_away import escalate, take_away
from leadpact_router.terms import Terms


async def hand_on(tx: Transaction, batch: Sequence[News[SlaOwnerLeft]], terms: Terms) -> None:
    """Act on absences that began, in log order."""
    leads = await lock_leads(tx, {one.event.lead_id for one in batch})
    owners = await owners_of(tx, leads.values())
    left = [
        (one.event, Ready.now(lead, one.id, terms, owners[lead.id], _reason(one.event)))
        for one in batch
        if (lead := leads.get(one.event.lead_id)) and _still_matters(one.event, lead, owners[lead.id])
    ]
    if not left:
        return
    handover = Handover(await lock_floor_for(tx, [ready for _, ready in left], terms))
    for event, ready in left:
        _act(tx, event, ready, handover, terms)
    await handover.save(tx, *inserts_of_leads(leads.values()))


def _still_matters(event: SlaOwnerLeft, lead: Lead, owners: tuple[Owner, ...]) -> bool:
    if lead.assignment_id is None or lead.escalated_at is not None:
        return False
    return lead.assignment_id == event.assignment_id and not owners[-1].has_reached


def _act(tx: Transaction, event: SlaOwnerLeft, ready: Ready, handover: Handover, terms: Terms) -> None:
    """Two clocks of one ownership may both say that the owner left: the second finds the lead gone."""
    lead = ready.lead
    if lead.assignment_id != event.assignment_id or lead.escalated_at is not None:
        return
    nobody = take_away(tx, ready, handover, terms)
    if nobody is not None and event.escalate_to is not None:
        why = f"{ready.reason}, and nobody is left who has not had it: {nobody.reason}"
        escalate(tx, ready, event.escalate_to, why, terms)


def _reason(event: SlaOwnerLeft) -> str:
    return f"owner is away until {event.away_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
