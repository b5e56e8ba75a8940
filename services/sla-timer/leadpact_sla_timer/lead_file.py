"""Keep together what is known of the leads of one batch: read with three statements, written with two.

Between the reading and the writing everything is plain values in memory, so that several events of one lead in a batch see each
other, and the rules (`judge.py`, `policies/`) stay pure. The rows of the clocks are locked when read, in the order of their ids: a
sweep that holds some of them finishes first, and what it fired is seen; a sweep that comes later passes them over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from leadpact.events.sla import ClockEvent
from leadpact.ids import EventId
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact
from leadpact.storage.bulk import Insert, insert_together
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.clock_rows import update_clocks
from leadpact_sla_timer.judge import judge
from leadpact_sla_timer.measure import waits_of
from leadpact_sla_timer.record import Assignment, Known, Request, answering, known_to_all, known_to_owner
from leadpact_sla_timer.request_rows import (
    UPSERT_ASSIGNMENT,
    UPSERT_REQUEST,
    assignment_of,
    assignment_row,
    request_of_row,
    request_row,
)
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from leadpact_sla_timer.tables import sla_assignment, sla_clock, sla_request

_LEADS = bindparam("lead_ids", type_=ARRAY(Uuid))
_ASSIGNMENTS = select(sla_assignment).where(sla_assignment.c.lead_id == any_(_LEADS))
_REQUESTS = select(sla_request).where(sla_request.c.lead_id == any_(_LEADS))
_CLOCKS = (
    select(sla_clock).where(sla_clock.c.lead_id == any_(_LEADS)).order_by(sla_clock.c.id).with_for_update()
)


class LeadFile:
    """The requests, assignments and clocks of some leads, as known and as changed in this transaction."""

    def __init__(self, pacts: dict[int, Pact], now: datetime) -> None:
        self.now = now
        self._pacts = pacts
        self._requests: dict[UUID, dict[UUID, Request]] = defaultdict(dict)
        self._assignments: dict[UUID, dict[UUID, Assignment]] = defaultdict(dict)
        self._clocks: dict[UUID, dict[UUID, SlaClock]] = defaultdict(dict)
        self._noted_requests: set[tuple[UUID, UUID]] = set()
        self._noted: set[tuple[UUID, UUID]] = set()
        self._opened: set[UUID] = set()
        self._changed: set[tuple[UUID, UUID]] = set()
        self._said: list[tuple[ClockEvent, EventId]] = []

    @classmethod
    async def read(
        cls,
        tx: Transaction,
        book: PactBook,
        lead_ids: Iterable[UUID],
        now: datetime,
        pact_versions: Collection[int] = (),
    ) -> LeadFile:
        """What is known of ``lead_ids``, with the pacts of their clocks and of ``pact_versions``.

        Raises ``NotFound`` for a pact version that there is not.
        """
        leads = {"lead_ids": sorted(set(lead_ids))}
        # The clocks first: once they are locked nobody gives their lead another turn.
        clocks = [SlaClock.from_row(row) for row in await tx.execute(_CLOCKS, leads)]
        requests = [request_of_row(row) for row in await tx.execute(_REQUESTS, leads)]
        assignments = [assignment_of(row) for row in await tx.execute(_ASSIGNMENTS, leads)]
        versions = {clock.pact_version for clock in clocks} | set(pact_versions)
        versions |= {request.pact_version for request in requests}
        file = cls({version: (await book.at(tx, version)).pact for version in versions}, now)
        for request in requests:
            file._requests[request.lead_id][request.id] = request
        for assignment in assignments:
            file._assignments[assignment.lead_id][assignment.id] = assignment
        for clock in clocks:
            file._clocks[clock.lead_id][clock.id] = clock
        return file

    def pact(self, version: int) -> Pact:
        """A version that was asked for when reading."""
        return self._pacts[version]

    def request(self, lead_id: UUID, request_id: UUID) -> Request | None:
        """What is known of a request."""
        return self._requests[lead_id].get(request_id)

    def request_at(self, lead_id: UUID, at: datetime) -> Request | None:
        """The last time that the person had asked by ``at``."""
        asked = (one for one in self._requests[lead_id].values() if one.received_at <= at)
        return max(asked, key=lambda one: one.received_at, default=None)

    def assignment(self, lead_id: UUID, assignment_id: UUID) -> Assignment:
        """What is known of an assignment; a blank one if nothing is."""
        known = self._assignments[lead_id].get(assignment_id)
        return known or Assignment(assignment_id, lead_id)

    def assignments_of(self, lead_id: UUID) -> list[Assignment]:
        """All assignments of a lead."""
        return list(self._assignments[lead_id].values())

    def clocks_of(self, lead_id: UUID) -> list[SlaClock]:
        """All clocks of a lead, ended ones as well."""
        return list(self._clocks[lead_id].values())

    def note_request(self, request: Request) -> None:
        """Write down what became known of a request."""
        if self._requests[request.lead_id].get(request.id) != request:
            self._requests[request.lead_id][request.id] = request
            self._noted_requests.add((request.lead_id, request.id))

    def note(self, assignment: Assignment) -> None:
        """Write down what became known of an assignment."""
        if self._assignments[assignment.lead_id].get(assignment.id) != assignment:
            self._assignments[assignment.lead_id][assignment.id] = assignment
            self._noted.add((assignment.lead_id, assignment.id))

    def open(self, clock: SlaClock, cause: EventId) -> None:
        """Start a clock and say so; one that waits for its turn is announced when that has come."""
        self._clocks[clock.lead_id][clock.id] = clock
        self._opened.add(clock.id)
        self._changed.add((clock.lead_id, clock.id))
        if clock.state is not ClockState.WAITING:
            self._said.append((announce.started(clock), cause))

    def judge(self, lead_id: UUID, cause: EventId) -> None:
        """Bring every clock and every request of a lead up to what is known now, and say what changed."""
        for clock in self.clocks_of(lead_id):
            pact = self._pacts[clock.pact_version]
            judged = judge(clock, self._known_to(clock), self.now, pact)
            if judged == clock:
                continue
            self._clocks[lead_id][clock.id] = judged
            self._changed.add((lead_id, clock.id))
            if event := announce.change(clock, judged, self.now, pact):
                self._said.append((event, cause))
        requests = list(self._requests[lead_id].values())
        for request in requests:
            owners = answering(request, requests, self.assignments_of(lead_id)).owners
            waits = waits_of(request, owners, self._pacts[request.pact_version])
            self.note_request(replace(request, waits=waits))

    def _known_to(self, clock: SlaClock) -> Known:
        assignments = self._assignments[clock.lead_id].values()
        if clock.assignment_id is not None:
            own = self.assignment(clock.lead_id, clock.assignment_id)
            return known_to_owner(own, [one for one in assignments if one.id != own.id], clock.started_at)
        requests = self._requests[clock.lead_id]
        return known_to_all(requests[clock.subject_id], requests.values(), assignments)

    async def write(self, tx: Transaction) -> None:
        """Write the changes and announce them."""
        requests = [self._requests[lead_id][id_] for lead_id, id_ in sorted(self._noted_requests)]
        noted = [self._assignments[lead_id][id_] for lead_id, id_ in sorted(self._noted)]
        changed = [self._clocks[lead_id][id_] for lead_id, id_ in sorted(self._changed)]
        await insert_together(
            tx,
            Insert(sla_request, [request_row(one) for one in requests], UPSERT_REQUEST),
            Insert(sla_assignment, [assignment_row(one) for one in noted], UPSERT_ASSIGNMENT),
            Insert(sla_clock, [clock.to_row() for clock in changed if clock.id in self._opened]),
        )
        await update_clocks(tx, [clock for clock in changed if clock.id not in self._opened])
        for event, cause in self._said:
            tx.emit(event, caused_by=cause)
