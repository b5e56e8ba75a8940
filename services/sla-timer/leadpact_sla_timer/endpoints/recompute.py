"""Show what another version of the pact would do to the open clocks, and move them to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import AdminCaller, Scope, require
from leadpact.clock import Clock
from leadpact.events import Topic
from leadpact.events.sla import Whose
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.recompute import Move, MovePage, move_clocks, preview
from leadpact_sla_timer.sla_clock import ClockState, SlaClock

_AT_MOST = 500
Version = Annotated[int, Field(ge=1, lt=2**31, description="A version of the pact that was applied.")]


class MoveOut(BaseModel):
    """One open clock, as it is and as it would be."""

    clock_id: UUID
    lead_id: UUID
    whose: Whose
    policy: str
    rep_id: str | None
    timezone: str = Field(description="The zone in which the clock's hours are kept under that version.")
    pact_version_before: int
    target_before: str
    target: str | None = Field(
        description="None: that version promises no such thing, and the clock stays under its own. It moves only if its lead's turn does."
    )
    due_before: datetime
    due_at: datetime
    later_by_seconds: float = Field(description="Negative: it is due earlier.")
    state: ClockState = Field(
        description="What it would be. `met`: what is known by now is enough for that version."
    )
    is_overdue_then: bool = Field(description="Whether it would be due already, and so be breached at once.")


class MovesOut(BaseModel):
    """Some of the clocks; ``next`` is the ``after`` of the following page. Those that wait for one turn come together, beyond the limit."""

    items: list[MoveOut]
    next: UUID | None


class Order(BaseModel):
    """Move the clocks."""

    model_config = ConfigDict(extra="forbid")

    pact_version: Version
    after: UUID | None = Field(None, description="`next` of the page before; left out, the first.")
    limit: int = Field(_AT_MOST, ge=1, le=_AT_MOST)


def create_router(uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> APIRouter:
    """The routes of recomputing."""
    router = APIRouter(prefix="/v1/clocks", tags=["clocks"], route_class=GuardedRoute)

    @router.get("/recompute", dependencies=[require(Scope.READ)])
    async def list_moves(
        pact_version: Annotated[int, Query(ge=1, lt=2**31)],
        after: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=_AT_MOST)] = _AT_MOST,
    ) -> MovesOut:
        """What would move under that version, and by how much. Changes nothing."""
        now = clock.now()
        async with uow.transaction() as tx:
            to = await book.at(tx, pact_version)
            page = await preview(tx, book, to, now=now, limit=limit, after=after)
        return _shown(page, now)

    @router.post("/recompute")
    async def move(order: Order, caller: AdminCaller) -> MovesOut:
        """Move a page of open clocks to that version. Old and new due times are kept; what has ended stays as it is."""
        now = clock.now()
        async with uow.transaction() as tx:
            to = await book.at(tx, order.pact_version)
            page = await move_clocks(
                tx, book, to, by=caller.name, now=now, limit=order.limit, after=order.after
            )
        wake.poke([Topic.SLA])
        return _shown(page, now)

    return router


def _shown(page: MovePage, now: datetime) -> MovesOut:
    return MovesOut(items=[_move(move, now) for move in page.moves], next=page.next)


def _move(move: Move, now: datetime) -> MoveOut:
    before, after = move.before, move.after or move.before
    return MoveOut(
        clock_id=before.id,
        lead_id=before.lead_id,
        whose=before.whose,
        policy=before.policy,
        rep_id=before.rep_id,
        timezone=after.timezone,
        pact_version_before=before.pact_version,
        target_before=before.target,
        target=after.target if move.is_promised else None,
        due_before=before.due_at,
        due_at=after.due_at,
        later_by_seconds=move.by.total_seconds(),
        state=after.state,
        is_overdue_then=move.after is not None and _is_breached(move.after, now),
    )


def _is_breached(clock: SlaClock, now: datetime) -> bool:
    return clock.state is ClockState.BREACHED or (clock.state is ClockState.RUNNING and clock.due_at <= now)
