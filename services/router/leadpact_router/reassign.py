"""Take a lead whose time is up from its owner, give it to the next who never had it, and in the end to a
named human.

What a breach leads to, asked in this order:

1. nothing, if the lead has moved on: the breached ownership is no longer the open one, the person was reached
   meanwhile, or the lead is already escalated. Two clocks of one ownership may breach; the first takes the
   lead away, the second finds it gone;
2. nothing but the announcement, if the pact asks for no reassignment;
3. *escalated*, if the pact's number of reassignments is used up: the owner stays and a named human must
   decide;
4. *reassigned*, if somebody who may have it can be given it;
5. *escalated*, if nobody is left who has not had it (waiting would change nothing), the owner stays;
6. *held* otherwise: others exist and none is free. The owner loses the lead, and the next who is free gets
   it.

A missed promise gives no turn back: the owner had the lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from leadpact.events import LeadEscalated, SlaBreached
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import Handover, Ready, choose_for, give, hold, lock_floor_for
from leadpact_router.assignment_rows import Owner, end_assignments, owners_of
from leadpact_router.decide import Given
from leadpact_router.lead import Lead
from leadpact_router.lead_rows import lock_leads, save_leads
from leadpact_router.news import News
from leadpact_router.terms import Terms

log = structlog.get_logger(__name__)


async def reassign(
    tx: Transaction,
    batch: Sequence[News[SlaBreached]],
    terms: Terms,
) -> None:
    """Act on breaches in log order."""
    leads = await lock_leads(tx, {one.event.lead_id for one in batch})
    owners = await owners_of(tx, leads.values())
    overdue = [
        (one.event, Ready.now(lead, one.id, terms, owners[lead.id], f"{one.event.policy} was breached"))
        for one in batch
        if (lead := leads.get(one.event.lead_id)) and _still_matters(one.event, lead, owners[lead.id])
    ]
    if not overdue:
        return
    handover = Handover(await lock_floor_for(tx, [one for _, one in overdue], terms))
    ended = [event.assignment_id for event, ready in overdue if _act(tx, event, ready, handover, terms)]
    await save_leads(tx, leads.values())
    await end_assignments(tx, ended, "reassigned", terms.now)
    await handover.save(tx)


def _still_matters(event: SlaBreached, lead: Lead, owners: tuple[Owner, ...]) -> bool:
    if event.reassign_at_most is None or lead.escalated_at is not None:
        return False
    return lead.assignment_id == event.assignment_id and not owners[-1].is_touched


def _act(
    tx: Transaction,
    event: SlaBreached,
    ready: Ready,
    handover: Handover,
    terms: Terms,
) -> bool:
    """Reassign, hold or escalate; True if the owner lost the lead."""
    lead = ready.lead
    if lead.assignment_id != event.assignment_id or lead.escalated_at is not None:
        return False
    assert event.reassign_at_most is not None
    if lead.hop > event.reassign_at_most:
        _escalate(
            tx, event, ready, terms.now, f"reassigned {lead.hop - 1} times, as often as the pact allows"
        )
        return False
    decision = choose_for(ready, handover.floor, terms)
    if isinstance(decision, Given):
        handover.floor.take_away(event.rep_id)
        give(tx, ready, decision, handover, terms)
        return True
    if decision.is_hopeless:
        _escalate(tx, event, ready, terms.now, f"nobody is left who has not had it: {decision.reason}")
        return False
    handover.floor.take_away(event.rep_id)
    lead.owner = lead.assignment_id = None
    hold(tx, ready, decision, terms)
    return True


def _escalate(tx: Transaction, event: SlaBreached, ready: Ready, now: datetime, reason: str) -> None:
    lead = ready.lead
    lead.escalated_at, lead.escalated_to = now, event.escalate_to
    log.warning("router.lead_escalated", lead_id=str(lead.id), to=event.escalate_to, reason=reason)
    tx.emit(
        LeadEscalated(
            occurred_at=now,
            lead_id=lead.id,
            assignment_id=event.assignment_id,
            rep_id=event.rep_id,
            escalated_to=event.escalate_to,
            hops=lead.hop,
            reason=reason,
            lead=lead.event_facts(),
        ),
        caused_by=ready.cause_id,
    )
