"""Nobody expects sales to act for a while, since the lead is in one of the pact's pause states; or they do again.

The pause is a property of the ownership, so it ends with it. It begins and ends when we hear of it. One whose ``until`` has
passed is over without anybody saying so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from leadpact.errors import Fault, Refused
from leadpact.events import LeadPaused, LeadResumed
from leadpact.pact.model import Pact
from leadpact.pact.words import nearest
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.work.recorded import (
    Recorded,
    about,
    lock_reported,
    recorded,
    refuse_if_ended,
    write_down,
)

_PAUSE = text(
    """
    UPDATE assignment SET paused_state = :state, paused_since = :since, paused_until = :until WHERE id = :id
    """
)


async def pause(
    tx: Transaction,
    assignment_id: UUID,
    *,
    state: str,
    until: datetime | None,
    now: datetime,
    pact: Pact,
) -> Recorded:
    """The lead is in ``state`` from now on, until ``until`` or until it is resumed. Another state or end takes its place.

    Raises ``Refused`` for a state in which no promise of the pact stands still and for an end that does not lie ahead,
    ``NotFound``, or ``Conflict`` if the assignment has ended.
    """
    _refuse_unknown(state, pact)
    if until is not None and until <= now:
        fault = Fault("#/until", "does not lie ahead", "say when the pause ends, or leave it out")
        raise Refused("A pause ends in the future.", faults=[fault])
    lead, found = await lock_reported(tx, assignment_id, now)
    refuse_if_ended(lead, found)
    is_same_state = _is_paused(found, now) and found.paused_state == state
    if is_same_state and found.paused_until == until:
        return recorded("pause", lead, found, changed=False)
    since = found.paused_since if is_same_state else now
    await tx.execute(_PAUSE, {"id": found.id, "state": state, "since": since, "until": until})
    await _write_down(tx, "paused", found, now, state=state, until=until)
    tx.emit(LeadPaused(occurred_at=now, recorded_at=now, state=state, until=until, **about(found)))
    return recorded("pause", lead, found, changed=True)


async def resume(tx: Transaction, assignment_id: UUID, *, now: datetime) -> Recorded:
    """Sales is expected to act again. Raises ``NotFound``, or ``Conflict`` if the assignment has ended."""
    lead, found = await lock_reported(tx, assignment_id, now)
    refuse_if_ended(lead, found)
    if not _is_paused(found, now):
        return recorded("resume", lead, found, changed=False)
    await tx.execute(_PAUSE, {"id": found.id, "state": None, "since": None, "until": None})
    await _write_down(tx, "resumed", found, now, state=found.paused_state)
    tx.emit(LeadResumed(occurred_at=now, recorded_at=now, **about(found)))
    return recorded("resume", lead, found, changed=True)


def _is_paused(found: Row[Any], now: datetime) -> bool:
    return found.paused_state is not None and (found.paused_until is None or found.paused_until > now)


def _refuse_unknown(state: str, pact: Pact) -> None:
    known = sorted(pact.pause_states)
    if state in known:
        return
    meant = nearest(state, known)
    if not known:
        what, fix = "the pact has no pause states", "name it in a promise's `pause_while` first"
    else:
        what = f"{state!r} is no pause state of the pact"
        fix = f"did you mean {meant}?" if meant else f"use one of {', '.join(known)}"
    raise Refused(f"{what}; {fix}", faults=[Fault("#/state", what, fix)])


async def _write_down(tx: Transaction, kind: str, found: Row[Any], now: datetime, **details: Any) -> None:
    await write_down(
        tx, kind, lead_id=found.lead_id, assignment_id=found.id, occurred_at=now, now=now, **details
    )
