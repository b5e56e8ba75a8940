"""Keep together what is known of the leads of one batch: read with two statements, written with three.

Between the reading and the writing everything is plain values in memory, so that several events of one lead in a batch see each
other, and the rules (`judge.py`, `policies/`) stay pure. The rows of the clocks are locked when read, in the order of their ids: a
sweep that holds some of them finishes first, and what it fired is seen; a sweep that comes later passes them over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select, text

from leadpact.events.sla import ClockEvent
from leadpact.ids import EventId
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact
from leadpact.storage.bulk import columns_of, insert_rows, unnest
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.judge import Assignment, Heard, judge
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import sla_assignment, sla_clock

_LEADS = bindparam("lead_ids", type_=ARRAY(Uuid))
_ASSIGNMENTS = select(sla_assignment).where(sla_assignment.c.lead_id == any_(_LEADS))
_CLOCKS = (
    select(sla_clock).where(sla_clock.c.lead_id == any_(_LEADS)).order_by(sla_clock.c.id).with_for_update()
)

_CHANGING = (
    "id",
    "state",
    "next_at",
    "warned_percent",
    "breached_at",
    "met_at",
    "met_by",
    "ended_at",
    "ended_because",
    "recorded_at",
    "elapsed_seconds",
    "business_seconds",
)
_UPDATE_CLOCKS = text(
    f"UPDATE sla_clock c SET {', '.join(f'{name} = r.{name}' for name in _CHANGING[1:])} "
    f"FROM {unnest(sla_clock, _CHANGING)} WHERE c.id = r.id"
)
_UPSERT_ASSIGNMENT = "(id) DO UPDATE SET " + ", ".join(
    f"{column.name} = EXCLUDED.{column.name}"
    for column in sla_assignment.c
    if column.name not in ("id", "lead_id")
)


class LeadFile:
    """The assignments and clocks of some leads, as known and as changed in this transaction."""

    def __init__(self, pacts: dict[int, Pact], now: datetime) -> None:
        self.now = now
        self._pacts = pacts
        self._assignments: dict[UUID, dict[UUID, Assignment]] = defaultdict(dict)
        self._clocks: dict[UUID, dict[UUID, SlaClock]] = defaultdict(dict)
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
        assignments = [_assignment(row) for row in await tx.execute(_ASSIGNMENTS, leads)]
        clocks = [SlaClock.from_row(row) for row in await tx.execute(_CLOCKS, leads)]
        versions = {clock.pact_version for clock in clocks} | set(pact_versions)
        file = cls({version: (await book.at(tx, version)).pact for version in versions}, now)
        for assignment in assignments:
            file._assignments[assignment.lead_id][assignment.id] = assignment
        for clock in clocks:
            file._clocks[clock.lead_id][clock.id] = clock
        return file

    def pact(self, version: int) -> Pact:
        """A version that was asked for when reading."""
        return self._pacts[version]

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

    def note(self, assignment: Assignment) -> None:
        """Write down what became known of an assignment."""
        if self._assignments[assignment.lead_id].get(assignment.id) != assignment:
            self._assignments[assignment.lead_id][assignment.id] = assignment
            self._noted.add((assignment.lead_id, assignment.id))

    def open(self, clock: SlaClock, cause: EventId) -> None:
        """Start a clock and say so."""
        self._clocks[clock.lead_id][clock.id] = clock
        self._opened.add(clock.id)
        self._changed.add((clock.lead_id, clock.id))
        self._said.append((announce.started(clock), cause))

    def judge(self, lead_id: UUID, cause: EventId) -> None:
        """Bring every clock of a lead up to what is known now, and say what changed."""
        for clock in self.clocks_of(lead_id):
            own = self.assignment(lead_id, clock.assignment_id)
            others = [other for other in self.assignments_of(lead_id) if other.id != own.id]
            judged = judge(clock, own, others, self.now, self._pacts[clock.pact_version])
            if judged == clock:
                continue
            self._clocks[lead_id][clock.id] = judged
            self._changed.add((lead_id, clock.id))
            if event := announce.change(clock, judged):
                self._said.append((event, cause))

    async def write(self, tx: Transaction) -> None:
        """Write the changes and announce them."""
        noted = [self._assignments[lead_id][id_] for lead_id, id_ in sorted(self._noted)]
        await insert_rows(tx, sla_assignment, [_row(one) for one in noted], conflict=_UPSERT_ASSIGNMENT)
        changed = [self._clocks[lead_id][id_] for lead_id, id_ in sorted(self._changed)]
        opened = [clock.to_row() for clock in changed if clock.id in self._opened]
        await insert_rows(tx, sla_clock, opened)
        await update_clocks(tx, [clock for clock in changed if clock.id not in self._opened])
        for event, cause in self._said:
            tx.emit(event, caused_by=cause)


async def update_clocks(tx: Transaction, clocks: Collection[SlaClock]) -> None:
    """Write what may change of clocks whose rows this transaction has locked."""
    if clocks:
        await tx.execute(
            _UPDATE_CLOCKS, columns_of(sla_clock, _CHANGING, [clock.to_row() for clock in clocks])
        )


def _assignment(row: Any) -> Assignment:
    return Assignment(
        id=row.id,
        lead_id=row.lead_id,
        cycle_id=row.cycle_id,
        assigned_at=row.assigned_at,
        contacted=_heard("contacted", row.contacted_at, row.contact_recorded_at),
        accepted=_heard("accepted", row.accepted_at, row.accept_recorded_at),
        ended=_heard(row.ended_because, row.ended_at, row.end_recorded_at),
    )


def _heard(what: str, at: datetime | None, recorded_at: datetime | None) -> Heard | None:
    return Heard(what, at, recorded_at) if at and recorded_at else None


def _row(assignment: Assignment) -> dict[str, Any]:
    contacted, accepted, ended = assignment.contacted, assignment.accepted, assignment.ended
    return {
        "id": assignment.id,
        "lead_id": assignment.lead_id,
        "cycle_id": assignment.cycle_id,
        "assigned_at": assignment.assigned_at,
        "contacted_at": contacted.at if contacted else None,
        "contact_recorded_at": contacted.recorded_at if contacted else None,
        "accepted_at": accepted.at if accepted else None,
        "accept_recorded_at": accepted.recorded_at if accepted else None,
        "ended_at": ended.at if ended else None,
        "end_recorded_at": ended.recorded_at if ended else None,
        "ended_because": ended.what if ended else None,
    }
