"""Give nothing to whoever missed a promise, until they return.

A pact asks for this with `take_offline`. An offline rep is passed over in every pool, as an account's owner and as overflow; what is
on their desk stays there. It is announced when it begins and when it ends, and not again in between, however many
promises are missed meanwhile. Only the return ends it: a list of reps that names them does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text

from leadpact.errors import NotFound
from leadpact.events import RepReturned, RepTakenOffline
from leadpact.ids import EventId
from leadpact.storage.unit_of_work import Transaction

log = structlog.get_logger(__name__)

# Locked in one order for everybody, so that two batches wait for each other instead of deadlocking. Of two that miss a promise at
# once, the second waits here and finds the rep offline.
_LOCK = text(
    """
    SELECT id FROM rep WHERE id = ANY(CAST(:reps AS text[])) AND offline_since IS NULL
    ORDER BY id FOR NO KEY UPDATE
    """
)
_TAKE_OFFLINE = text(
    """
    UPDATE rep SET offline_since = :now, offline_because = r.because
    FROM unnest(CAST(:reps AS text[]), CAST(:because AS text[])) AS r(id, because) WHERE rep.id = r.id
    """
)
_BRING_BACK = text(
    """
    UPDATE rep SET offline_since = NULL, offline_because = NULL
    WHERE id = :id AND offline_since IS NOT NULL RETURNING id
    """
)
_KNOWN = text("SELECT 1 FROM rep WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Missed:
    """A promise that the rep did not keep, on which lead, and the event that says so."""

    rep_id: str
    lead_id: UUID
    because: str
    cause_id: EventId


async def take_offline(tx: Transaction, missed: Iterable[Missed], now: datetime) -> None:
    """Give these reps no more leads; of several promises that one has missed, the first is the reason."""
    first: dict[str, Missed] = {}
    for one in missed:
        first.setdefault(one.rep_id, one)
    if not first:
        return
    online = [row.id for row in await tx.execute(_LOCK, {"reps": sorted(first)})]
    if not online:
        return
    await tx.execute(
        _TAKE_OFFLINE, {"reps": online, "because": [first[rep_id].because for rep_id in online], "now": now}
    )
    for rep_id in online:
        one = first[rep_id]
        log.warning("router.rep_taken_offline", rep=rep_id, lead_id=str(one.lead_id), because=one.because)
        tx.emit(
            RepTakenOffline(occurred_at=now, rep_id=rep_id, lead_id=one.lead_id, because=one.because),
            caused_by=one.cause_id,
        )


async def bring_back(tx: Transaction, rep_id: str, now: datetime) -> bool:
    """Give the rep leads again; False if they were never offline. Raises ``NotFound`` for an unknown rep."""
    if (await tx.execute(_BRING_BACK, {"id": rep_id})).first() is not None:
        log.info("router.rep_returned", rep=rep_id)
        tx.emit(RepReturned(occurred_at=now, rep_id=rep_id))
        return True
    if (await tx.execute(_KNOWN, {"id": rep_id})).first() is None:
        raise NotFound(f"There is no rep {rep_id}")
    return False
