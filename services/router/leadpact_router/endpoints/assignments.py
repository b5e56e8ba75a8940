"""What sales reports on an assignment: taken on, tried, person reached, meeting booked, paused, given back."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_router.endpoints.desk import (
    Attempt,
    Contact,
    Desk,
    Meeting,
    Outcome,
    Pause,
    Rejection,
    Report,
    Resumption,
)
from leadpact_router.endpoints.repeats import IdempotencyKey
from leadpact_router.views import Assignment, read_assignment


def create_router(desk: Desk, uow: UnitOfWork, clock: Clock) -> APIRouter:
    """Routes for assignments."""
    router = APIRouter(prefix="/v1/assignments", tags=["assignments"], route_class=GuardedRoute)
    work = [require(Scope.WORK)]

    @router.get("/{assignment_id}", dependencies=[require(Scope.READ)])
    async def show(assignment_id: UUID) -> Assignment:
        """One assignment, with why it went to this rep."""
        async with uow.transaction() as tx:
            return await read_assignment(tx, assignment_id, clock.now())

    @router.post("/{assignment_id}/accept", dependencies=work)
    async def accept_lead(
        assignment_id: UUID, said: Report | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The owner takes the lead on."""
        return await desk.accept(assignment_id, said or Report(), idempotency_key)

    @router.post("/{assignment_id}/attempt", dependencies=work)
    async def attempt_lead(
        assignment_id: UUID, said: Attempt, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The owner tried to reach the person. The same channel and `occurred_at` again are the same attempt."""
        return await desk.attempt(assignment_id, said, idempotency_key)

    @router.post("/{assignment_id}/contact", dependencies=work)
    async def contact_lead(
        assignment_id: UUID, said: Contact | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The person was reached by a human. This is what the promise of a first touch asks for."""
        return await desk.contact(assignment_id, said or Contact(), idempotency_key)

    @router.post("/{assignment_id}/meeting", dependencies=work)
    async def book_meeting(
        assignment_id: UUID, said: Meeting | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """A meeting was agreed. Of several the one agreed first stands; it is no contact by itself."""
        return await desk.meeting(assignment_id, said or Meeting(), idempotency_key)

    @router.post("/{assignment_id}/pause", dependencies=work)
    async def pause_lead(assignment_id: UUID, said: Pause, idempotency_key: IdempotencyKey = None) -> Outcome:
        """Nobody is expected to act from now on: the promises that name this state in `pause_while` stand still."""
        return await desk.pause(assignment_id, said, idempotency_key)

    @router.post("/{assignment_id}/resume", dependencies=work)
    async def resume_lead(
        assignment_id: UUID, said: Resumption | None = None, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """Sales is expected to act again, from now on."""
        return await desk.resume(assignment_id, said or Resumption(), idempotency_key)

    @router.post("/{assignment_id}/reject", dependencies=work)
    async def reject_lead(
        assignment_id: UUID, said: Rejection, idempotency_key: IdempotencyKey = None
    ) -> Outcome:
        """The owner gives the lead back, for one of the pact's reasons."""
        return await desk.reject(assignment_id, said, idempotency_key)

    return router
