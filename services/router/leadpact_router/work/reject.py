"""The owner gave the lead back for one of the pact's reasons, which says what becomes of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from leadpact.errors import Fault, Refused
from leadpact.events import LeadRejected
from leadpact.pact.book import AppliedPact
from leadpact.pact.model import Pact
from leadpact.pact.words import nearest
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import OUTCOMES
from leadpact_router.lead_rows import save_leads
from leadpact_router.rep_refs import RepRefs
from leadpact_router.strategies import TURNS
from leadpact_router.strategy import Candidate
from leadpact_router.work.recorded import (
    Recorded,
    about,
    lighten,
    lock_reported,
    recorded,
    refuse_if_ended,
)

_REJECT = text(
    """
    UPDATE assignment SET ended_at = :at, ended_as = 'rejected', rejection = CAST(:rejection AS jsonb)
    WHERE id = :id
    """
)
_LOCK_TURN = text("SELECT served FROM turn WHERE pool = :pool AND rep_id = :rep_id FOR UPDATE")
_GIVE_BACK = text(
    "UPDATE turn SET served = :served, assigned = assigned - 1 WHERE pool = :pool AND rep_id = :rep_id"
)


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
    """The owner gave the lead back.

    Raises ``Refused`` for a reason that the pact does not know or a note that it asks for, ``NotFound``, or
    ``Conflict`` if the assignment has ended otherwise.
    """
    outcome = _outcome(applied.pact, reason, note)
    lead, found = await lock_reported(tx, assignment_id, now, occurred_at)
    if found.ended_as == "rejected" and found.rejection["reason"] == reason:
        return recorded("reject", lead, found, changed=False)
    refuse_if_ended(lead, found)
    at = min(occurred_at, now)
    rejection = {"reason": reason, "outcome": outcome, "note": note}
    await tx.execute(_REJECT, {"id": found.id, "at": now, "rejection": json.dumps(rejection)})
    lead.stage, lead.closed_at = OUTCOMES[outcome], at
    lead.owner = lead.assignment_id = None
    await save_leads(tx, [lead])
    if found.contacted_at is None:
        await lighten(tx, found)
    if outcome == "disqualify":
        await _give_turn_back(tx, found, applied.pact)
    tx.emit(
        LeadRejected(
            occurred_at=at, recorded_at=now, reason=reason, outcome=outcome, note=note, **about(found)
        )
    )
    return recorded("reject", lead, found, changed=True)


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
    refs = RepRefs([(found.rep_id, found.email)])
    weight = next((one.weight for one in members if refs.id_of(one.rep)), None)
    if weight is None:
        return
    place = {"pool": found.pool, "rep_id": found.rep_id}
    served = (await tx.execute(_LOCK_TURN, place)).scalar_one()
    back = TURNS.given_back(Candidate(found.rep_id, weight, served))
    await tx.execute(_GIVE_BACK, {**place, "served": back})
