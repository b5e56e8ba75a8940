"""Measure how long a request waited for its first touch, from the customer's, the team's and the owner's side. Pure.

Each side is measured in wall time and in business time, whatever the pact promises: business time is the pool's for the
customer and the team, the owner's own for the owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.model import Pact
from leadpact_sla_timer.hours import Whereabouts, hours_for
from leadpact_sla_timer.record import Assignment, Request, Waits


def waits_of(request: Request, assignments: Iterable[Assignment], pact: Pact) -> Waits | None:
    """How long ``request`` waited for the first of ``assignments`` that touched the person; None while none has. ``pact`` is the
    version it came under.
    """
    touches = [(at, one) for one in assignments if (at := _touched_at(one))]
    if not touches:
        return None
    at, by = min(touches, key=lambda touch: touch[0])
    team = hours_for(("pool",), Whereabouts(pool_calendar=request.pool_calendar), pact.calendars).working
    where = Whereabouts(request.pool_calendar, by.rep_calendar, by.rep_timezone)
    owner = hours_for(("rep",), where, pact.calendars).working
    assert by.assigned_at is not None
    return Waits(
        touched_at=at,
        touched_by=by.rep_id or "",
        customer_seconds=_wall(request.received_at, at),
        customer_business_seconds=_business(team, request.received_at, at),
        team_seconds=_wall(request.qualified_at, at),
        team_business_seconds=_business(team, request.qualified_at, at),
        owner_seconds=_wall(by.assigned_at, at),
        owner_business_seconds=_business(owner, by.assigned_at, at),
    )


def _touched_at(assignment: Assignment) -> datetime | None:
    """The first contact or booked meeting."""
    facts = [assignment.done[what] for what in ("contacted", "meeting_booked") if what in assignment.done]
    return min((fact.at for fact in facts), default=None)


def _wall(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())


def _business(hours: WorkingCalendar, since: datetime, until: datetime) -> float:
    return hours.between(since, until).total_seconds()
