"""Read what is known of the leads and the reps of some clocks, whose clocks they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, select

from leadpact.events import Away
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.record import Assignment, Known, Request, known_to_all, known_to_owner
from leadpact_sla_timer.request_rows import assignment_of, request_of_row
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import sla_assignment, sla_rep, sla_request

_LEADS = bindparam("lead_ids", type_=ARRAY(Uuid))
_ASSIGNMENTS = select(sla_assignment).where(sla_assignment.c.lead_id == any_(_LEADS))
_REQUESTS = select(sla_request).where(sla_request.c.lead_id == any_(_LEADS))
_ABSENCES = select(sla_rep).where(sla_rep.c.rep_id == any_(bindparam("rep_ids", type_=ARRAY(Text))))
_AWAY = TypeAdapter(tuple[Away, ...])


class ClockFacts:
    """What some clocks are judged by, and when their owners are away."""

    def __init__(
        self,
        requests: Mapping[UUID, Mapping[UUID, Request]],
        assignments: Mapping[UUID, Sequence[Assignment]],
        away: Mapping[str, tuple[Away, ...]],
    ) -> None:
        self._requests = requests
        self._assignments = assignments
        self._away = away

    @classmethod
    async def read(cls, tx: Transaction, clocks: Sequence[SlaClock]) -> ClockFacts:
        """Read the facts of ``clocks``."""
        leads = {"lead_ids": sorted({clock.lead_id for clock in clocks})}
        reps = {"rep_ids": sorted({clock.rep_id for clock in clocks if clock.rep_id})}
        requests: dict[UUID, dict[UUID, Request]] = defaultdict(dict)
        for row in await tx.execute(_REQUESTS, leads):
            requests[row.lead_id][row.id] = request_of_row(row)
        assignments = defaultdict(list)
        for row in await tx.execute(_ASSIGNMENTS, leads):
            assignments[row.lead_id].append(assignment_of(row))
        return cls(
            requests,
            assignments,
            {row.rep_id: _AWAY.validate_python(row.away) for row in await tx.execute(_ABSENCES, reps)},
        )

    def known_to(self, clock: SlaClock) -> Known:
        """What the clock is judged by."""
        of_lead = self._assignments[clock.lead_id]
        if clock.assignment_id is None:
            requests = self._requests[clock.lead_id]
            return known_to_all(requests[clock.subject_id], requests.values(), of_lead)
        own = next(one for one in of_lead if one.id == clock.assignment_id)
        return known_to_owner(own, [one for one in of_lead if one is not own], clock.started_at)

    def away(self, clock: SlaClock) -> tuple[Away, ...]:
        """When its owner is away."""
        return self._away.get(clock.rep_id, ()) if clock.rep_id else ()
