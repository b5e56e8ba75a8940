"""Return a lead to whoever kept the promise in time after all, if the pact asks for that (`give_back`).

The news of a touch in time came late; meanwhile the clock was breached and the lead taken away. It returns as a new assignment of that
rep, with what they had done carried over: who has reached the person need not do so again, and the lead does not weigh on their desk.

It stays where it is

* if somebody has touched it since: the present owner accepted it, tried to reach the person, or did. It is theirs by now;
* if the rep whose clock it is did nothing by then. A contact also keeps the promises of those who had the lead after it was made, and
  says of each that it was kept; only the one who made it gets the lead;
* if the lead was rejected or closed, or begun anew by another request;
* if the rep has it already, or is no longer active.

A lead that waits for an owner returns as well. The return is no turn and no reassignment that the pact's number would limit; the
breach that it undoes no longer counts either. Limits, absences and being offline do not matter: it is the rep's own lead.
The event is the cause of the new assignment, so a repetition of it assigns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from leadpact.events import SlaMet
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import Handover, Ready, give, lock_floor_for
from leadpact_router.assignment_rows import owners_of
from leadpact_router.availability import Rep
from leadpact_router.decide import Given
from leadpact_router.lead import Lead, Stage
from leadpact_router.lead_rows import inserts_of_leads, lock_leads
from leadpact_router.news import News
from leadpact_router.owner import Owner
from leadpact_router.terms import Terms

GIVEN_BACK = "give back"
"""Stands where other assignments name the routing rule."""

log = structlog.get_logger(__name__)


async def give_back(tx: Transaction, batch: Sequence[News[SlaMet]], terms: Terms) -> None:
    """Return leads in log order."""
    leads = await lock_leads(tx, {one.event.lead_id for one in batch})
    owners = await owners_of(tx, leads.values())
    returning = [
        (keeper, Ready.now(lead, one.id, terms, owners[lead.id], _reason(one.event)))
        for one in batch
        if (lead := leads.get(one.event.lead_id)) and (keeper := _keeper(one.event, lead, owners[lead.id]))
    ]
    if not returning:
        return
    handover = Handover(await lock_floor_for(tx, [ready for _, ready in returning], terms))
    for keeper, ready in returning:
        _return(tx, keeper, ready, handover, terms)
    await handover.save(tx, *inserts_of_leads(leads.values()))


def _keeper(event: SlaMet, lead: Lead, owners: tuple[Owner, ...]) -> Owner | None:
    """Whom the lead returns to; None if it stays where it is."""
    keeper = next((owner for owner in owners if owner.assignment_id == event.assignment_id), None)
    if keeper is None or not _had_done_it_by(event.met_at, keeper):
        return None
    if lead.assignment_id is None:
        return keeper if lead.held_since is not None else None
    present = owners[-1]
    is_anothers = present.hop > keeper.hop and present.rep_id != keeper.rep_id
    return keeper if is_anothers and not present.is_touched else None


def _had_done_it_by(met_at: datetime, keeper: Owner) -> bool:
    return keeper.first_touch_at is not None and keeper.first_touch_at <= met_at


def _return(tx: Transaction, keeper: Owner, ready: Ready, handover: Handover, terms: Terms) -> None:
    """Enter and announce the new assignment; of several returns of one lead in a batch, the first stands."""
    lead, floor, present = ready.lead, handover.floor, ready.owners[-1]
    rep = floor.rep(keeper.rep_id)
    if lead.hop != present.hop or rep is None or not rep.active:
        return
    if lead.assignment_id is not None:
        floor.take_away(present.rep_id)
        handover.taken.append(lead.assignment_id)
    lead.held_cause_id = None  # whatever asked for an owner has one
    lead.hops_by_breach = max(0, lead.hops_by_breach - 1)
    give(tx, ready, _given(rep, ready), handover, terms, _stage_with(keeper))
    handover.given[-1] |= {
        "accepted_at": keeper.accepted_at,
        "contacted_at": keeper.contacted_at,
        "contact_channel": keeper.contact_channel,
    }
    if keeper.has_reached:
        floor.take_away(rep.id)  # it does not wait for a first touch
    log.info("router.lead_given_back", lead_id=str(lead.id), rep=rep.id, reason=ready.reason)


def _stage_with(keeper: Owner) -> Stage:
    """Where the lead stands with somebody who had it before."""
    if keeper.has_reached:
        return Stage.CONTACTED
    return Stage.ASSIGNED if keeper.accepted_at is None else Stage.ACCEPTED


def _given(rep: Rep, ready: Ready) -> Given:
    explanation = {"decision": f"{rep.name} gets it back: {ready.reason}", "rules": [], "pools": []}
    return Given(rep, GIVEN_BACK, None, {}, explanation)


def _reason(event: SlaMet) -> str:
    return f"{event.policy} was kept in time after all"
