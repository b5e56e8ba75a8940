"""Take a lead from its owner and give it to the next who never had it, or let it wait for them; or ask a named human.

Who had the lead in this round is excluded, the present owner included. Three things can follow:

* somebody who may have it can be given it: it is *reassigned*;
* others exist and none is free: it is *held*. The owner loses it, and the next who is free gets it;
* nobody is left who has not had it (waiting would change nothing): the owner *keeps* it, and whoever asked decides what then.

No turn is given back: the owner had the lead.
"""

from __future__ import annotations

import structlog

from leadpact.events import LeadEscalated
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import Handover, Ready, choose_for, give, hold
from leadpact_router.decide import Given, Kept
from leadpact_router.terms import Terms

log = structlog.get_logger(__name__)


def take_away(tx: Transaction, ready: Ready, handover: Handover, terms: Terms) -> Kept | None:
    """The lead leaves its owner. If it does not, the answer says why there is nobody left to give it to."""
    lead = ready.lead
    assert lead.owner is not None
    assert lead.assignment_id is not None
    decision = choose_for(ready, handover.floor, terms)
    if isinstance(decision, Kept) and decision.is_hopeless:
        return decision
    handover.floor.take_away(lead.owner)
    handover.taken.append(lead.assignment_id)
    lead.owner = lead.assignment_id = None
    if isinstance(decision, Given):
        give(tx, ready, decision, handover, terms)
    else:
        hold(tx, ready, decision, handover, terms)
    return None


def escalate(tx: Transaction, ready: Ready, to: str | None, reason: str, terms: Terms) -> None:
    """A named human must decide. Whoever has the lead keeps it until then."""
    lead = ready.lead
    lead.escalated_at, lead.escalated_to = terms.now, to
    log.warning("router.lead_escalated", lead_id=str(lead.id), reason=reason)
    tx.emit(
        LeadEscalated(
            occurred_at=terms.now,
            lead_id=lead.id,
            assignment_id=lead.assignment_id,
            rep_id=lead.owner,
            escalated_to=to,
            hops=lead.hop,
            reason=reason,
            lead=lead.event_facts(),
        ),
        caused_by=ready.cause_id,
    )
