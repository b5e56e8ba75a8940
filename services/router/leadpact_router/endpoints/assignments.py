"""What sales reports on an assignment: taken on, person reached, given back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.endpoints.fields import Line, Moment, Note, happened_at
from leadpact_router.endpoints.repeats import IdempotencyKey, answer_once
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.views import Assignment, read_assignment
from leadpact_router.work import Recorded, accept, contact, reject


class Report(BaseModel):
    """Something that happened to an assignment."""

    model_config = ConfigDict(extra="forbid")

    occurred_at: Moment | None = Field(
        None,
        description="When it happened, now if left out. What happened in time counts, however late it is reported.",
    )


class Contact(Report):
    """The person was reached."""

    channel: Line = Field("call", examples=["call", "email", "meeting"])


class Rejection(Report):
    """The lead is given back."""

    reason: Line = Field(description="One of the pact's rejection reasons.")
    note: Note | None = Field(None, description="Required with some reasons.")


class Outcome(BaseModel):
    """What became of a report."""

    model_config = ConfigDict(from_attributes=True)

    assignment_id: UUID
    lead_id: UUID
    rep_id: str
    stage: str = Field(description="The lead's stage now.")
    changed: bool = Field(description="False if all of it was known before.")


Doing = Callable[[Transaction], Awaitable[Recorded]]


class Desk:
    """Takes reports in, from the API and from the board."""

    def __init__(self, uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> None:
        self._uow = uow
        self._book = book
        self._clock = clock
        self._wake = wake

    async def accept(self, assignment_id: UUID, said: Report, key: str | None = None) -> Outcome:
        """The owner took the lead on."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await accept(tx, assignment_id, occurred_at=at, now=now)

        return await self._once(f"accept {assignment_id}", said, key, doing)

    async def contact(self, assignment_id: UUID, said: Contact, key: str | None = None) -> Outcome:
        """A human reached the person."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            return await contact(tx, assignment_id, channel=said.channel, occurred_at=at, now=now)

        return await self._once(f"contact {assignment_id}", said, key, doing)

    async def reject(self, assignment_id: UUID, said: Rejection, key: str | None = None) -> Outcome:
        """The owner gave the lead back."""
        now = self._clock.now()
        at = happened_at(said.occurred_at, now)

        async def doing(tx: Transaction) -> Recorded:
            applied = await self._book.current(tx)
            return await reject(
                tx,
                assignment_id,
                reason=said.reason,
                note=said.note,
                occurred_at=at,
                now=now,
                applied=applied,
            )

        return await self._once(f"reject {assignment_id}", said, key, doing)

    async def _once(self, command: str, said: Report, key: str | None, doing: Doing) -> Outcome:
        async with self._uow.transaction() as tx:

            async def work() -> dict[str, Any]:
                return Outcome.model_validate(await doing(tx)).model_dump(mode="json")

            answer = await answer_once(tx, key, command, said.model_dump(mode="json"), work)
        self._wake.poke([FLOOR_CHANGED])
        return Outcome.model_validate(answer)


def create_router(desk: Desk, uow: UnitOfWork) -> APIRouter:
    """Routes for assignments."""
    router = APIRouter(prefix="/v1/assignments", tags=["assignments"])
    work = [require(Scope.WORK)]

    @router.get("/{assignment_id}", dependencies=[require(Scope.READ)])
    async def show(assignment_id: UUID) -> Assignment:
        """One assignment, with why it went to this rep."""
        async with uow.transaction() as tx:
            return await read_assignment(tx, assignment_id)

    @router.post("/{assignment_id}/accept", dependencies=work)
    async def accept_lead(
        assignment_id: UUID, said: Report | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The owner takes the lead on."""
        return await desk.accept(assignment_id, said or Report(), idempotency_key)

    @router.post("/{assignment_id}/contact", dependencies=work)
    async def contact_lead(
        assignment_id: UUID, said: Contact | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The person was reached by a human. This is what the promise of a first touch asks for."""
        return await desk.contact(assignment_id, said or Contact(), idempotency_key)

    @router.post("/{assignment_id}/reject", dependencies=work)
    async def reject_lead(
        assignment_id: UUID, said: Rejection, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The owner gives the lead back, for one of the pact's reasons."""
        return await desk.reject(assignment_id, said, idempotency_key)

    return router
