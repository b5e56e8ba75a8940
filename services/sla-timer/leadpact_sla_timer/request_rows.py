"""Read and write what is known of requests and assignments."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from leadpact_sla_timer.record import Assignment, Heard, Paused, Request, Waits
from leadpact_sla_timer.tables import sla_assignment, sla_request


def upsert(table: Any, *given: str) -> str:
    """What a known row takes over from the one that is inserted: all but ``given``, which never change."""
    changing = [column.name for column in table.c if column.name not in given]
    return "(id) DO UPDATE SET " + ", ".join(f"{name} = EXCLUDED.{name}" for name in changing)


UPSERT_ASSIGNMENT = upsert(sla_assignment, "id", "lead_id")
UPSERT_REQUEST = upsert(
    sla_request,
    "id",
    "lead_id",
    "source",
    "received_at",
    "qualified_at",
    "pact_version",
    "pool_calendar",
    "released_at",
)

_WAITS = tuple(field.name for field in fields(Waits))


def assignment_of(row: Any) -> Assignment:
    """A row of `sla_assignment`."""
    return Assignment(
        id=row.id,
        lead_id=row.lead_id,
        request_id=row.request_id,
        cycle_id=row.cycle_id,
        rep_id=row.rep_id,
        rep_timezone=row.rep_timezone,
        rep_calendar=row.rep_calendar,
        assigned_at=row.assigned_at,
        owner_number=row.owner_number,
        done={what: Heard.from_json(stored) for what, stored in row.done.items()},
        attempts=tuple(map(Heard.from_json, row.attempts)),
        pausing=tuple(map(Paused.from_json, row.pauses)),
        ended=_heard(row.ended),
    )


def assignment_row(assignment: Assignment) -> dict[str, Any]:
    """The assignment as `leadpact.storage.bulk` writes it."""
    return {
        "id": assignment.id,
        "lead_id": assignment.lead_id,
        "request_id": assignment.request_id,
        "cycle_id": assignment.cycle_id,
        "rep_id": assignment.rep_id,
        "rep_timezone": assignment.rep_timezone,
        "rep_calendar": assignment.rep_calendar,
        "assigned_at": assignment.assigned_at,
        "owner_number": assignment.owner_number,
        "done": {what: fact.to_json() for what, fact in assignment.done.items()},
        "attempts": [attempt.to_json() for attempt in assignment.attempts],
        "pauses": [pause.to_json() for pause in assignment.pausing],
        "ended": assignment.ended.to_json() if assignment.ended else None,
    }


def request_of_row(row: Any) -> Request:
    """A row of `sla_request`."""
    return Request(
        id=row.id,
        lead_id=row.lead_id,
        source=row.source,
        received_at=row.received_at,
        qualified_at=row.qualified_at,
        assigned_at=row.assigned_at,
        pact_version=row.pact_version,
        pool_calendar=row.pool_calendar,
        released_at=row.released_at,
        closed=_heard(row.closed),
        waits=Waits(**{name: getattr(row, name) for name in _WAITS}) if row.touched_at else None,
    )


def request_row(request: Request) -> dict[str, Any]:
    """The request as `leadpact.storage.bulk` writes it."""
    waits = asdict(request.waits) if request.waits else dict.fromkeys(_WAITS)
    return {
        "id": request.id,
        "lead_id": request.lead_id,
        "source": request.source,
        "received_at": request.received_at,
        "qualified_at": request.qualified_at,
        "assigned_at": request.assigned_at,
        "pact_version": request.pact_version,
        "pool_calendar": request.pool_calendar,
        "released_at": request.released_at,
        "closed": request.closed.to_json() if request.closed else None,
        **waits,
    }


def _heard(stored: list[str] | None) -> Heard | None:
    return Heard.from_json(stored) if stored else None
