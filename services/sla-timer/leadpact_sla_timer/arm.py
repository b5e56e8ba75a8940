"""Open the clocks that the pact asks for when a lead gets an owner, and end those of the owner before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from leadpact.bus.consume import Received
from leadpact.events import LeadAssigned, LeadReassigned
from leadpact.ids import ClockId, new_id
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.judge import Assignment, Heard, earliest
from leadpact_sla_timer.lead_file import LeadFile
from leadpact_sla_timer.policies import POLICIES
from leadpact_sla_timer.policy import Opening
from leadpact_sla_timer.sla_clock import ClockState, SlaClock, next_moment


async def arm(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `LeadAssigned` or `LeadReassigned`, each under the pact version that the router decided with."""
    events: list[LeadAssigned] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of this class
    versions = {event.pact_version for event in events}
    file = await LeadFile.read(tx, book, (event.lead_id for event in events), now, versions)
    for event, one in zip(events, received, strict=True):
        file.note(_assigned(file, event))
        _one_owner_at_a_time(file, event)
        for clock in _clocks(file, event):
            file.open(clock, one.message.id)
        # What was heard before the assignment was, and what an earlier owner did, is applied here: met at once.
        file.judge(event.lead_id, one.message.id)
    await file.write(tx)


def _one_owner_at_a_time(file: LeadFile, event: LeadAssigned) -> None:
    """Each assignment ends when the next one begins, also when an older one is replayed after a newer."""
    own = file.assignment(event.lead_id, event.assignment_id)
    because = f"reassigned: {event.reason}" if isinstance(event, LeadReassigned) else "assigned anew"
    for other in file.assignments_of(event.lead_id):
        if other.id == own.id or other.assigned_at is None:
            continue
        if other.assigned_at <= event.occurred_at:
            file.note(_ended(other, because, event.occurred_at, file.now))
        else:
            own = _ended(own, "reassigned", other.assigned_at, file.now)
    file.note(own)


def _ended(assignment: Assignment, because: str, at: datetime, recorded_at: datetime) -> Assignment:
    return replace(assignment, ended=earliest(assignment.ended, Heard(because, at, recorded_at)))


def _assigned(file: LeadFile, event: LeadAssigned) -> Assignment:
    known = file.assignment(event.lead_id, event.assignment_id)
    return replace(known, cycle_id=_cycle(file, event), assigned_at=event.occurred_at)


def _cycle(file: LeadFile, event: LeadAssigned) -> UUID:
    """The first assignment of the chain that hands the lead on. A lead that is assigned anew begins a new chain."""
    if not isinstance(event, LeadReassigned):
        return event.assignment_id
    previous = file.assignment(event.lead_id, event.previous_assignment_id)
    return previous.cycle_id or previous.id


def _clocks(file: LeadFile, event: LeadAssigned) -> list[SlaClock]:
    pact = file.pact(event.pact_version)
    present = {
        clock.policy for clock in file.clocks_of(event.lead_id) if clock.assignment_id == event.assignment_id
    }
    return [
        _clock(event, opening)
        for policy in POLICIES
        for opening in policy.openings(event, pact)
        if opening.promise not in present
    ]


def _clock(event: LeadAssigned, opening: Opening) -> SlaClock:
    return SlaClock(
        id=ClockId(new_id()),
        lead_id=event.lead_id,
        assignment_id=event.assignment_id,
        policy=opening.promise,
        pact_version=event.pact_version,
        rep_id=event.rep_id,
        rep_name=event.rep_name,
        rep_timezone=event.rep_timezone,
        hop=event.hop,
        target=opening.target,
        target_seconds=opening.target_seconds,
        calendar=opening.hours.calendar,
        timezone=opening.hours.timezone,
        stops=opening.stops,
        warnings=opening.warnings,
        reassign_at_most=opening.reassign_at_most,
        escalate_to=opening.escalate_to,
        started_at=opening.started_at,
        due_at=opening.due_at,
        state=ClockState.RUNNING,
        next_at=next_moment(opening.warnings, opening.due_at),
    )
