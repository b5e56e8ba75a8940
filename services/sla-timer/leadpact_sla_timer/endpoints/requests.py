"""Show how long each request waited, from the customer's, the team's and the owner's side."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_sla_timer.record import Request, Waits
from leadpact_sla_timer.request_rows import request_of_row
from leadpact_sla_timer.tables import sla_request


class WaitsOut(BaseModel):
    """How long a request waited for its first contact or booked meeting."""

    touched_at: datetime
    touched_by: str
    customer_seconds: float = Field(description="Wall time since it was received.")
    customer_business_seconds: float = Field(description="Of that, in the pool's hours.")
    team_seconds: float = Field(description="Wall time since it qualified.")
    team_business_seconds: float = Field(description="Of that, in the pool's hours.")
    owner_seconds: float = Field(description="Wall time since whoever touched it had been given it.")
    owner_business_seconds: float = Field(description="Of that, in the owner's hours.")


class RequestOut(BaseModel):
    """One time that the person asked, until sales is done with it."""

    id: UUID
    lead_id: UUID
    source: str
    received_at: datetime
    qualified_at: datetime
    assigned_at: datetime | None = Field(description="When its first owner was found.")
    released_at: datetime | None = Field(description="Came in bulk: when its turn is, and its clocks start.")
    pact_version: int
    closed_at: datetime | None
    closed_because: str | None
    waits: WaitsOut | None = Field(description="None while nobody has touched it.")


class RequestList(BaseModel):
    """A lead's requests, the latest first."""

    items: list[RequestOut]


def create_router(uow: UnitOfWork) -> APIRouter:
    """The route of requests."""
    router = APIRouter(prefix="/v1/clocks", tags=["clocks"], route_class=GuardedRoute)

    @router.get("/requests", dependencies=[require(Scope.READ)])
    async def list_requests(lead: UUID) -> RequestList:
        """The times that this lead's person asked, and how long each waited."""
        newest_first = (
            select(sla_request)
            .where(sla_request.c.lead_id == lead)
            .order_by(sla_request.c.received_at.desc())
        )
        async with uow.transaction() as tx:
            rows = (await tx.execute(newest_first)).all()
        return RequestList(items=[_shown(request_of_row(row)) for row in rows])

    return router


def _shown(request: Request) -> RequestOut:
    return RequestOut(
        id=request.id,
        lead_id=request.lead_id,
        source=request.source,
        received_at=request.received_at,
        qualified_at=request.qualified_at,
        assigned_at=request.assigned_at,
        released_at=request.released_at,
        pact_version=request.pact_version,
        closed_at=request.closed.at if request.closed else None,
        closed_because=request.closed.what if request.closed else None,
        waits=_waits(request.waits) if request.waits else None,
    )


def _waits(waits: Waits) -> WaitsOut:
    return WaitsOut.model_validate(waits, from_attributes=True)
