"""What the verbs share: finding and locking what a report speaks of, refusing what comes too late, and writing it down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import JSONB

from leadpact.errors import Conflict, Fault, NotFound, Refused
from leadpact.ids import new_id
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Lead
from leadpact_router.lead_rows import lock_leads
from leadpact_router.tables import work_report

Verb = Literal["accept", "attempt", "contact", "meeting", "pause", "resume", "reject"]

CLOCK_SKEW = timedelta(minutes=5)
"""How far another system's clock may be from ours."""

_LEAD_OF = text("SELECT lead_id FROM assignment WHERE id = :id")
_LOCK = text(
    """
    SELECT a.id, a.lead_id, a.rep_id, a.pool, a.accepted_at, a.contacted_at, a.ended_at, a.ended_as,
           a.renewed_as, a.renewed_from, a.assigned_at, a.rejection, a.paused_state, a.paused_since, a.paused_until, r.email
    FROM assignment a JOIN rep r ON r.id = a.rep_id WHERE a.id = :id FOR UPDATE OF a
    """
).columns(rejection=JSONB)
# An assignment of before the person asked again is measured by all that is known of them.
_FIRST_HEARD = text(
    """
    SELECT min(least(occurred_at, received_at)) FROM touch
    WHERE lead_id = :lead_id AND (received_at >= :asked_at OR :assigned_at < :asked_at)
    """
)
_LIGHTEN = text("UPDATE rep_load SET open = open - 1 WHERE rep_id = :rep_id")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report.

    ``changed`` is False when all of it was known before. ``recorded_as`` is the verb, except that an automatic contact
    is recorded as an attempt.
    """

    assignment_id: UUID
    lead_id: UUID
    rep_id: str
    stage: str
    changed: bool
    recorded_as: Verb


async def lock_reported(
    tx: Transaction, assignment_id: UUID, now: datetime, occurred_at: datetime | None = None
) -> tuple[Lead, Row[Any]]:
    """The lead first, then its assignment: the order in which everybody locks.

    What was done on an assignment after the person asked again, and the same rep had another for it, was done on that one: whoever
    reports it may not have heard of it yet.

    Raises ``NotFound``, or ``Refused`` if what is reported, at ``occurred_at`` if not just now, is older than the request that the assignment is about: it would
    keep every promise before it was made. Between the request and the assignment is right: a colleague may have called.
    """
    lead_id = (await tx.execute(_LEAD_OF, {"id": assignment_id})).scalar()
    if lead_id is None:
        raise NotFound(f"There is no assignment {assignment_id}")
    lead = (await lock_leads(tx, [lead_id]))[lead_id]
    found = await lock_assignment(tx, assignment_id)
    at = min(occurred_at or now, now)
    while found.renewed_as is not None and at >= found.renewed_from:
        found = await lock_assignment(tx, found.renewed_as)
    if occurred_at is not None and occurred_at < now:
        await _refuse_if_older_than_the_request(tx, lead, found, occurred_at, now)
    return lead, found


async def lock_assignment(tx: Transaction, assignment_id: UUID) -> Row[Any]:
    """One assignment, whose lead is locked already."""
    return (await tx.execute(_LOCK, {"id": assignment_id})).one()


async def _refuse_if_older_than_the_request(
    tx: Transaction, lead: Lead, found: Row[Any], at: datetime, now: datetime
) -> None:
    about_request = {"lead_id": lead.id, "asked_at": lead.received_at, "assigned_at": found.assigned_at}
    first_heard: datetime | None = (await tx.execute(_FIRST_HEARD, about_request)).scalar()
    # Heard of after now: the clock was set back since, and cannot tell what was first.
    if first_heard is None or first_heard > now or at >= first_heard - CLOCK_SKEW:
        return
    what = f"lies before the request, of {first_heard.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    fault = Fault("#/occurred_at", what, "send when it happened, with the offset from UTC")
    raise Refused("That cannot have happened for this request.", faults=[fault])


def refuse_if_ended_by(lead: Lead, found: Row[Any], at: datetime) -> None:
    """Raise ``Conflict`` unless the assignment was still open at ``at``."""
    if found.ended_at is not None and at >= found.ended_at:
        refuse_if_ended(lead, found)


def refuse_if_ended(lead: Lead, found: Row[Any]) -> None:
    """Raise ``Conflict`` for an assignment that has ended, with how, and who has the lead now."""
    if found.ended_at is None:
        return
    if found.ended_as == "rejected":
        raise Conflict(f"This lead was already rejected as {found.rejection['reason']}")
    ended = _ENDED.get(found.ended_as, f"taken from {found.rep_id}")
    now_with = f"{lead.owner} has it now" if lead.owner else f"it is {lead.stage} now"
    raise Conflict(f"This lead was {ended} at {found.ended_at:%Y-%m-%d %H:%M} UTC; {now_with}")


_ENDED = {"closed": "closed", "renewed": "asked for anew"}


async def lighten(tx: Transaction, found: Row[Any]) -> None:
    """The lead no longer waits for its owner's first touch."""
    await tx.execute(_LIGHTEN, {"rep_id": found.rep_id})


async def write_down(
    tx: Transaction,
    kind: str,
    *,
    lead_id: UUID,
    assignment_id: UUID | None,
    occurred_at: datetime,
    now: datetime,
    channel: str | None = None,
    conflict: str = "",
    **details: Any,
) -> bool:
    """Add a report to the lead's history. ``conflict`` as for ``insert_rows``; False if it kept the row out."""
    row = {
        "id": new_id(),
        "lead_id": lead_id,
        "assignment_id": assignment_id,
        "kind": kind,
        "channel": channel,
        "occurred_at": occurred_at,
        "recorded_at": now,
        "details": {name: value for name, value in details.items() if value is not None},
    }
    return bool(await insert_rows(tx, work_report, [row], conflict=conflict, returning="id"))


def about(found: Row[Any]) -> dict[str, Any]:
    """What every event of an assignment says."""
    return {"lead_id": found.lead_id, "assignment_id": found.id, "rep_id": found.rep_id}


def recorded(verb: Verb, lead: Lead, found: Row[Any], *, changed: bool) -> Recorded:
    """The answer to a report."""
    return Recorded(found.id, lead.id, found.rep_id, lead.stage, changed, verb)
