"""Act on a missed promise: take the lead from its owner and give it to the next, ask a named human, and give nothing more to whoever
missed it, as the pact says.

What a breach leads to, asked in this order:

1. the rep of an owner's clock is *taken offline*, if the pact asks for that and they neither did what was promised nor gave
   the lead back meanwhile. This does not depend on what becomes of the lead: it may have moved on since;
2. nothing more, if the lead has moved on: the breached ownership is no longer the open one, what was promised was done
   meanwhile (the breach says what that is, by the pact under which its clock ran), or the lead is already escalated. Two clocks of one ownership
   may breach; the first takes the lead away, the second finds it gone. A clock of the team or of the customer belongs to no ownership: it matters
   while sales has the lead and no owner has done it;
3. nothing but the announcement, if the pact asks for neither a reassignment nor a human;
4. *escalated*, if the pact asks for a human at once, as it does for every clock of the team and of the customer: whoever
   has the lead keeps it, and it may be nobody's;
5. *escalated*, if the pact's number of reassignments is used up: the owner stays and a named human must decide;
6. *reassigned* or *held* (`take_away.py`);
7. *escalated*, if nobody is left who has not had it, the owner stays.

The number of reassignments counts the owners who lost the lead by a missed promise (`lead.hops_by_breach`), not the hops: an owner
who went on holiday (`owner_left.py`), or to whom it was given back (`give_back.py`), uses up nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from leadpact.events import SlaBreached
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import Handover, Ready, lock_floor_for
from leadpact_router.assignment_rows import all_owners_of
from leadpact_router.lead import Lead, Stage
from leadpact_router.lead_rows import inserts_of_leads, lock_leads
from leadpact_router.news import News
from leadpact_router.offline import Missed, take_offline
from leadpact_router.owner import Owners, in_present_round, since_given_up
from leadpact_router.take_away import escalate, take_away
from leadpact_router.terms import Terms

_WITH_SALES = frozenset({Stage.MQL, Stage.HELD, Stage.ASSIGNED, Stage.ACCEPTED})
"""Sales owes the lead its first touch."""


async def reassign(
    tx: Transaction,
    batch: Sequence[News[SlaBreached]],
    terms: Terms,
) -> None:
    """Act on breaches in log order."""
    leads = await lock_leads(tx, {one.event.lead_id for one in batch})
    ever = await all_owners_of(tx, leads.values())
    owners = {lead.id: in_present_round(lead, ever[lead.id]) for lead in leads.values()}
    # Before anything is decided: none of them is the next owner of another's lead.
    await take_offline(tx, _missed(batch, ever), terms.now)
    overdue = [
        (one.event, Ready.now(lead, one.id, terms, owners[lead.id], _reason(one.event)))
        for one in batch
        if (lead := leads.get(one.event.lead_id))
        and _still_matters(one.event, lead, owners[lead.id], ever[lead.id])
    ]
    if not overdue:
        return
    to_reassign = [ready for event, ready in overdue if event.reassign_at_most is not None]
    handover = Handover(await lock_floor_for(tx, to_reassign, terms))
    for event, ready in overdue:
        _act(tx, event, ready, handover, terms)
    await handover.save(tx, *inserts_of_leads(leads.values()))


def _missed(batch: Sequence[News[SlaBreached]], ever: Mapping[UUID, Owners]) -> Iterator[Missed]:
    """Who is to be given nothing more, whether the lead is still about what they missed or not."""
    for one in batch:
        event = one.event
        if not event.take_offline:
            continue
        for owner in ever.get(event.lead_id, ()):
            is_theirs = owner.assignment_id == event.assignment_id
            if is_theirs and not owner.has_done({*event.stops, "rejected"}):
                yield Missed(owner.rep_id, event.lead_id, _reason(event), one.id)


def _still_matters(event: SlaBreached, lead: Lead, owners: Owners, ever: Owners) -> bool:
    """Whether anything is to be done about it. Our own record may know of what the sla-timer had not heard."""
    if lead.escalated_at is not None or (event.reassign_at_most is None and event.escalate_to is None):
        return False
    if event.assignment_id is None:
        # What was due before the person asked for what they wait for now, was for an earlier request: its owners may have done it.
        theirs = since_given_up(ever) if event.due_at <= lead.received_at else owners
        return lead.stage in _WITH_SALES and not any(owner.has_done(event.stops) for owner in theirs)
    return lead.assignment_id == event.assignment_id and not owners[-1].has_done(event.stops)


def _act(
    tx: Transaction,
    event: SlaBreached,
    ready: Ready,
    handover: Handover,
    terms: Terms,
) -> None:
    """Reassign, hold or escalate; an earlier breach of the batch may have done so."""
    lead, at_most = ready.lead, event.reassign_at_most
    if lead.escalated_at is not None or event.assignment_id not in (None, lead.assignment_id):
        return
    if event.assignment_id is None or at_most is None:
        escalate(tx, ready, event.escalate_to, _reason(event), terms)
    elif lead.hops_by_breach >= at_most:
        times = f"reassigned {lead.hops_by_breach} times, as often as the pact allows"
        escalate(tx, ready, event.escalate_to, times, terms)
    elif (nobody := take_away(tx, ready, handover, terms)) is not None:
        why = f"nobody is left who has not had it: {nobody.reason}"
        escalate(tx, ready, event.escalate_to, why, terms)
    else:
        lead.hops_by_breach += 1


def _reason(event: SlaBreached) -> str:
    return f"{event.policy} was breached"
