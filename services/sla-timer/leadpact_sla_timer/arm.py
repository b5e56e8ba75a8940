"""Open the clocks that the pact asks for when sales is given a lead, and end those of the owner before.

Sales is given a lead when it gets an owner, and also when it is held, since nobody is free: the team's and the customer's clocks
run all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from leadpact.bus.consume import Received
from leadpact.events import Away, LeadAssigned, LeadHeld, LeadReassigned
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.absences import Announced, learn
from leadpact_sla_timer.lead_file import LeadFile
from leadpact_sla_timer.opening import Given, Owner, openings
from leadpact_sla_timer.record import Assignment, Request, request_of
from leadpact_sla_timer.release import queued, take_turns
from leadpact_sla_timer.sla_clock import SlaClock

GivenNews = LeadAssigned | LeadHeld


async def arm(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `LeadAssigned`, `LeadReassigned` and `LeadHeld`, each under the pact version that the router decided with."""
    events: list[GivenNews] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of these classes
    versions = {event.pact_version for event in events}
    pacts = {version: (await book.at(tx, version)).pact for version in versions}
    # Reps before clocks, as whoever changes absences locks them.
    away = await _absences(tx, pacts, events)
    file = await LeadFile.read(tx, book, (event.lead_id for event in events), now, versions)
    await _note_requests(tx, file, events)
    for event, one in zip(events, received, strict=True):
        owner = None
        if isinstance(event, LeadAssigned):
            file.note(_assigned(file, event))
            _one_owner_at_a_time(file, event)
            owner = _owner(event, away.get(event.rep_id, ()))
        elif event.previous_assignment_id is not None:
            _taken_away(file, event)
        for clock in _clocks(file, event, owner):
            file.open(clock, one.message.id)
        # What was heard before, and what an earlier owner did, is applied here: met at once.
        file.judge(event.lead_id, one.message.id)
    await file.write(tx)


async def _note_requests(tx: Transaction, file: LeadFile, events: Sequence[GivenNews]) -> None:
    """Write down the requests that are new, with the turns of those that came in bulk."""
    fresh: dict[UUID, tuple[Request, Pact]] = {}
    for event in events:
        request = _request(event, file.pact(event.pact_version))
        if file.request(event.lead_id, request.id) is None:
            fresh.setdefault(request.id, (request, file.pact(event.pact_version)))
    waiting = {
        request.id: lead
        for request, pact in fresh.values()
        if (lead := queued(request.source, request.pool_calendar, request.qualified_at, pact))
    }
    turns = dict(zip(waiting, await take_turns(tx, list(waiting.values())), strict=True))
    for request, _ in fresh.values():
        file.note_request(replace(request, released_at=turns.get(request.id)))


def _request(event: GivenNews, pact: Pact) -> Request:
    lead = event.lead
    return Request(
        id=request_of(lead.lead_id, lead.received_at),
        lead_id=lead.lead_id,
        source=lead.source,
        received_at=lead.received_at,
        qualified_at=lead.qualified_at or event.occurred_at,
        pact_version=event.pact_version,
        pool_calendar=_pool_calendar(event, pact),
    )


def _pool_calendar(event: GivenNews, pact: Pact) -> str:
    """The hours of the team that the lead went to, or waits for; those of the fallback's if there is none."""
    named = event.pool_calendar if isinstance(event, LeadAssigned) else None
    if named is not None and named in pact.calendars:
        return named
    pools = pact.routing.pools
    return pools[event.pool if event.pool and event.pool in pools else pact.routing.fallback].calendar


async def _absences(
    tx: Transaction, pacts: Mapping[int, Pact], events: Sequence[GivenNews]
) -> Mapping[str, tuple[Away, ...]]:
    """When the owners are away, if any promise minds it."""
    news = [
        Announced(event.rep_id, event.rep_away, event.rep_away_revision, event.occurred_at)
        for event in events
        if isinstance(event, LeadAssigned)
        and any(promise.owner_away != "run" for promise in pacts[event.pact_version].sla.values())
    ]
    return await learn(tx, news)


def _assigned(file: LeadFile, event: LeadAssigned) -> Assignment:
    request_id = request_of(event.lead_id, event.lead.received_at)
    request = file.request(event.lead_id, request_id)
    if request is not None and request.assigned_at is None:
        file.note_request(replace(request, assigned_at=event.occurred_at))
    return replace(
        file.assignment(event.lead_id, event.assignment_id),
        request_id=request_id,
        cycle_id=_cycle(file, event),
        rep_id=event.rep_id,
        rep_timezone=event.rep_timezone,
        rep_calendar=event.rep_calendar,
        assigned_at=event.occurred_at,
        owner_number=event.owner_number,
    )


def _cycle(file: LeadFile, event: LeadAssigned) -> UUID:
    """The first assignment of the chain that hands the lead on. A lead that is assigned anew begins a new chain."""
    if not isinstance(event, LeadReassigned):
        return event.assignment_id
    previous = file.assignment(event.lead_id, event.previous_assignment_id)
    return previous.cycle_id or previous.id


def _one_owner_at_a_time(file: LeadFile, event: LeadAssigned) -> None:
    """Each assignment ends when the next one begins, also when an older one is replayed after a newer."""
    own = file.assignment(event.lead_id, event.assignment_id)
    because = f"reassigned: {event.reason}" if isinstance(event, LeadReassigned) else "assigned anew"
    for other in file.assignments_of(event.lead_id):
        if other.id == own.id or other.assigned_at is None:
            continue
        if not other.is_before(own):
            own = own.ends("reassigned", other.assigned_at, file.now)
        elif other.ended is None or event.occurred_at >= other.assigned_at:
            file.note(other.ends(because, event.occurred_at, file.now))
        # Else the database's clock was set back since: what ended it was first.
    file.note(own)


def _taken_away(file: LeadFile, event: LeadHeld) -> None:
    """An owner who lost the lead, with nobody to give it to yet, is timed no longer."""
    assert event.previous_assignment_id is not None
    known = file.assignment(event.lead_id, event.previous_assignment_id)
    file.note(known.ends("taken away, nobody free", event.occurred_at, file.now))


def _owner(event: LeadAssigned, away: tuple[Away, ...]) -> Owner:
    return Owner(
        assignment_id=event.assignment_id,
        rep_id=event.rep_id,
        rep_name=event.rep_name,
        rep_timezone=event.rep_timezone,
        rep_calendar=event.rep_calendar,
        pool_calendar=event.pool_calendar,
        hop=event.hop,
        assigned_at=event.occurred_at,
        away=away,
    )


def _clocks(file: LeadFile, event: GivenNews, owner: Owner | None) -> list[SlaClock]:
    request = file.request(event.lead_id, request_of(event.lead_id, event.lead.received_at))
    assert request is not None
    present = {(clock.subject_id, clock.policy) for clock in file.clocks_of(event.lead_id)}
    return openings(
        Given(event.lead, request, event.pact_version, owner), file.pact(event.pact_version), present
    )
