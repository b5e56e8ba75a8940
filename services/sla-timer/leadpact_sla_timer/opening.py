"""Say which clocks a lead's news opens: one for each promise that applies, whoever it is made to. Pure but for the new ids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from leadpact.events import Away, LeadFacts
from leadpact.events.sla import Whose
from leadpact.ids import ClockId, new_id
from leadpact.pact.model import Pact
from leadpact.pact.sla import Promise, Start
from leadpact_sla_timer.hours import Whereabouts, hours_for
from leadpact_sla_timer.policy import facts_of
from leadpact_sla_timer.record import Request
from leadpact_sla_timer.schedule import timed, with_absences
from leadpact_sla_timer.sla_clock import ClockState, SlaClock

WHOSE: dict[Start, Whose] = {"assigned": "owner", "qualified": "team", "received": "customer"}
"""To whom a promise is made, by what starts its clock."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who was given the lead, and when."""

    assignment_id: UUID
    rep_id: str
    rep_name: str
    rep_timezone: str
    rep_calendar: str | None
    pool_calendar: str | None
    hop: int
    assigned_at: datetime
    away: tuple[Away, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A lead as sales is given it. ``owner`` is None while it is held, since nobody is free."""

    lead: LeadFacts
    request: Request
    pact_version: int
    owner: Owner | None


def openings(given: Given, pact: Pact, present: Collection[tuple[UUID, str]] = ()) -> list[SlaClock]:
    """The clocks to open, less those ``present``: the subject and the promise of each that is there already."""
    facts = facts_of(given.lead)
    return [
        _opened(name, promise, given, pact)
        for name, promise in pact.sla.items()
        if (given.owner is not None or promise.starts != "assigned")
        and (_subject(promise, given), name) not in present
        and (promise.applies is None or promise.applies.holds(facts))
    ]


def under(clock: SlaClock, pact: Pact, version: int) -> SlaClock:
    """An open clock as it would run under another version of the pact, which must have its promise: with the start and the
    pauses that it has.
    """
    promise = pact.sla[clock.policy]
    return timed(
        replace(clock, kind=promise.KIND, pact_version=version, **_terms(promise, clock.where, pact)), pact
    )


def _opened(name: str, promise: Promise, given: Given, pact: Pact) -> SlaClock:
    lead, request = given.lead, given.request
    owner = given.owner if promise.starts == "assigned" else None
    where = Whereabouts(
        pool_calendar=owner.pool_calendar if owner else request.pool_calendar,
        rep_calendar=owner.rep_calendar if owner else None,
        rep_timezone=owner.rep_timezone if owner else None,
        lead_timezone=lead.timezone,
    )
    started_at = _start(promise, given)
    clock = SlaClock(
        id=ClockId(new_id()),
        lead_id=lead.lead_id,
        subject_id=_subject(promise, given),
        request_id=request.id,
        assignment_id=owner.assignment_id if owner else None,
        whose=WHOSE[promise.starts],
        kind=promise.KIND,
        policy=name,
        pact_version=given.pact_version,
        rep_id=owner.rep_id if owner else None,
        rep_name=owner.rep_name if owner else None,
        rep_timezone=where.rep_timezone,
        rep_calendar=where.rep_calendar,
        pool_calendar=where.pool_calendar,
        lead_timezone=where.lead_timezone,
        hop=given.owner.hop if given.owner else 0,
        released_at_pace=request.released_at is not None,
        started_at=started_at,
        warnings=(),  # with what follows from them, worked out when the clock is timed
        due_at=started_at,
        state=ClockState.WAITING if started_at == request.released_at else ClockState.RUNNING,
        next_at=None,
        **_terms(promise, where, pact),
    )
    return with_absences(timed(clock, pact), owner.away if owner else (), pact, started_at)


def _subject(promise: Promise, given: Given) -> UUID:
    """What the promise is about: one owner's time with the lead, or the request."""
    if promise.starts == "assigned":
        assert given.owner is not None
        return given.owner.assignment_id
    return given.request.id


def _start(promise: Promise, given: Given) -> datetime:
    """Nothing of a lead that came in bulk starts before its turn."""
    request = given.request
    match promise.starts:
        case "received":
            start = request.received_at
        case "qualified":
            start = request.qualified_at
        case "assigned":
            assert given.owner is not None
            start = given.owner.assigned_at
    return max(start, request.released_at) if request.released_at else start


class _Terms(TypedDict):
    target: str
    target_seconds: int
    calendar: str
    timezone: str
    shared_calendar: str | None
    shared_timezone: str | None
    reassign_at_most: int | None
    escalate_to: str | None
    take_offline: bool
    give_back: bool


def _terms(promise: Promise, where: Whereabouts, pact: Pact) -> _Terms:
    """What a version of the pact says about a clock that is kept in these parts."""
    hours, acts = hours_for(promise.whose_hours, where, pact.calendars), promise.consequences
    return {
        "target": str(promise.target),
        "target_seconds": int(promise.target.length(hours.working).total_seconds()),
        "calendar": hours.calendar,
        "timezone": hours.timezone,
        "shared_calendar": hours.shared_calendar,
        "shared_timezone": hours.shared_timezone,
        "reassign_at_most": acts.reassign_at_most,
        "escalate_to": acts.escalate_to,
        "take_offline": acts.take_offline,
        "give_back": acts.give_back,
    }
