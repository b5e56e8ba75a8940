"""Record what sales did with an assignment: accepted it, reached the person, or gave the lead back.

* Saying the same again changes nothing and announces nothing.
* ``occurred_at`` is when it happened and may lie in the past: a contact reported late still counts from when
  it was made. Both times are announced. What lies in the future is taken as now.
* Once the lead was taken away and given to somebody else, its former owner cannot accept, reject or newly
  contact it: ``Conflict`` names who has it. A contact that was made *before* it was taken away is recorded
  all the same, because what happened in time counts; the lead stays where it is.
* The person reached, the lead weighs no longer on the owner's open limit. Given back as never having been a
  lead (a reason whose outcome is `disqualify`), it does not count as a turn either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.errors import Conflict, Fault, NotFound, Refused
from leadpact.events import LeadAccepted, LeadContacted, LeadRejected
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact.pact.words import nearest
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import OUTCOMES, Lead, Stage
from leadpact_router.lead_rows import lock_leads, save_leads
from leadpact_router.strategies import TURNS
from leadpact_router.strategy import Candidate

_LEAD_OF = text("SELECT lead_id FROM assignment WHERE id = :id")
_LOCK = text(
    """
    SELECT a.id, a.lead_id, a.rep_id, a.pool, a.accepted_at, a.contacted_at, a.ended_at, a.ended_as,
           a.rejection, r.email
    FROM assignment a JOIN rep r ON r.id = a.rep_id WHERE a.id = :id FOR UPDATE OF a
    """
).columns(rejection=JSONB)
_ACCEPT = text("UPDATE assignment SET accepted_at = :at WHERE id = :id")
_CONTACT = text("UPDATE assignment SET contacted_at = :at, contact_channel = :channel WHERE id = :id")
_REJECT = text(
    """
    UPDATE assignment SET ended_at = :at, ended_as = 'rejected', rejection = CAST(:rejection AS jsonb)
    WHERE id = :id
    """
)
_LIGHTEN = text("UPDATE rep_load SET open = open - 1 WHERE rep_id = :rep_id")
_LOCK_TURN = text("SELECT served FROM turn WHERE pool = :pool AND rep_id = :rep_id FOR UPDATE")
_GIVE_BACK = text(
    "UPDATE turn SET served = :served, assigned = assigned - 1 WHERE pool = :pool AND rep_id = :rep_id"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report. ``changed`` is False when all of it was known before."""

    assignment_id: UUID
    lead_id: UUID
    rep_id: str
    stage: str
    changed: bool


async def accept(tx: Transaction, assignment_id: UUID, *, occurred_at: datetime, now: datetime) -> Recorded:
    """The owner took the lead on. Raises ``NotFound``, or ``Conflict`` if the assignment has ended."""
    lead, found = await _lock(tx, assignment_id)
    if found.accepted_at is not None:
        return _recorded(lead, found, changed=False)
    _refuse_if_ended(lead, found)
    at = min(occurred_at, now)
    await tx.execute(_ACCEPT, {"id": assignment_id, "at": at})
    if lead.stage is Stage.ASSIGNED:
        lead.stage = Stage.ACCEPTED
        await save_leads(tx, [lead])
    tx.emit(LeadAccepted(occurred_at=at, recorded_at=now, **_about(found)))
    return _recorded(lead, found, changed=True)


async def contact(
    tx: Transaction, assignment_id: UUID, *, channel: str, occurred_at: datetime, now: datetime
) -> Recorded:
    """A human reached the person first at ``occurred_at``; of several reports the earliest contact stands.

    Raises ``NotFound``, or ``Conflict`` if the assignment had ended by then.
    """
    lead, found = await _lock(tx, assignment_id)
    at = min(occurred_at, now)
    if found.contacted_at is not None and found.contacted_at <= at:
        return _recorded(lead, found, changed=False)
    if found.ended_at is not None and at >= found.ended_at:
        _refuse_if_ended(lead, found)
    await tx.execute(_CONTACT, {"id": assignment_id, "at": at, "channel": channel})
    if found.ended_at is None:
        lead.stage = Stage.CONTACTED
        await save_leads(tx, [lead])
        if found.contacted_at is None:
            await tx.execute(_LIGHTEN, {"rep_id": found.rep_id})
    tx.emit(LeadContacted(occurred_at=at, recorded_at=now, channel=channel, **_about(found)))
    return _recorded(lead, found, changed=True)


async def reject(
    tx: Transaction,
    assignment_id: UUID,
    *,
    reason: str,
    note: str | None,
    occurred_at: datetime,
    now: datetime,
    applied: AppliedPact,
) -> Recorded:
    """The owner gave the lead back for one of the pact's reasons, which says what becomes of it.

    Raises ``Refused`` for a reason that the pact does not know or a note that it asks for, ``NotFound``, or
    ``Conflict`` if the assignment has ended otherwise.
    """
    outcome = _outcome(applied.pact, reason, note)
    lead, found = await _lock(tx, assignment_id)
    if found.ended_as == "rejected" and found.rejection["reason"] == reason:
        return _recorded(lead, found, changed=False)
    _refuse_if_ended(lead, found)
    at = min(occurred_at, now)
    rejection = {"reason": reason, "outcome": outcome, "note": note}
    await tx.execute(_REJECT, {"id": assignment_id, "at": now, "rejection": json.dumps(rejection)})
    lead.stage, lead.closed_at = OUTCOMES[outcome], at
    lead.owner = lead.assignment_id = None
    await save_leads(tx, [lead])
    if found.contacted_at is None:
        await tx.execute(_LIGHTEN, {"rep_id": found.rep_id})
    if outcome == "disqualify":
        await _give_turn_back(tx, found, applied.pact)
    tx.emit(
        LeadRejected(
            occurred_at=at, recorded_at=now, reason=reason, outcome=outcome, note=note, **_about(found)
        )
    )
    return _recorded(lead, found, changed=True)


async def _lock(tx: Transaction, assignment_id: UUID) -> tuple[Lead, Row[Any]]:
    """The lead first, then its assignment: the order in which everybody locks."""
    lead_id = (await tx.execute(_LEAD_OF, {"id": assignment_id})).scalar()
    if lead_id is None:
        raise NotFound(f"There is no assignment {assignment_id}")
    lead = (await lock_leads(tx, [lead_id]))[lead_id]
    return lead, (await tx.execute(_LOCK, {"id": assignment_id})).one()


def _refuse_if_ended(lead: Lead, found: Row[Any]) -> None:
    if found.ended_at is None:
        return
    if found.ended_as == "rejected":
        raise Conflict(f"This lead was already rejected as {found.rejection['reason']}")
    now_with = f"{lead.owner} has it now" if lead.owner else f"it is {lead.stage} now"
    raise Conflict(
        f"This lead was taken from {found.rep_id} at {found.ended_at:%Y-%m-%d %H:%M} UTC; {now_with}"
    )


def _outcome(pact: Pact, reason: str, note: str | None) -> str:
    known = pact.rejection_reasons.get(reason)
    if known is None:
        meant = nearest(reason, pact.rejection_reasons)
        fix = f"did you mean {meant}?" if meant else f"use one of {', '.join(pact.rejection_reasons)}"
        fault = Fault("#/reason", f"{reason!r} is no rejection reason of the pact", fix)
        raise Refused(f"{fault.what}; {fix}", faults=[fault])
    if known.note == "required" and not (note or "").strip():
        fault = Fault("#/note", f"the pact asks for a note with {reason}", "say in a sentence what was wrong")
        raise Refused(fault.what, faults=[fault])
    return known.outcome


async def _give_turn_back(tx: Transaction, found: Row[Any], pact: Pact) -> None:
    """The lead was none, so it was no turn, if it was one at all and the rep still belongs to its pool."""
    pool = pact.routing.pools.get(found.pool) if found.pool else None
    members = pool.members if pool else ()
    weight = next(
        (one.weight for one in members if one.rep.lower() in (found.rep_id.lower(), found.email)), None
    )
    if weight is None:
        return
    place = {"pool": found.pool, "rep_id": found.rep_id}
    served = (await tx.execute(_LOCK_TURN, place)).scalar_one()
    back = TURNS.given_back(Candidate(found.rep_id, weight, served))
    await tx.execute(_GIVE_BACK, {**place, "served": back})


def _about(found: Row[Any]) -> dict[str, Any]:
    return {"lead_id": found.lead_id, "assignment_id": found.id, "rep_id": found.rep_id}


def _recorded(lead: Lead, found: Row[Any], *, changed: bool) -> Recorded:
    return Recorded(found.id, lead.id, found.rep_id, lead.stage, changed)
