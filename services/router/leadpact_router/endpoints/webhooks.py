"""Webhook endpoints and what was delivered to them, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.errors import Fault
from leadpact.runtime.pages import cursor, link_next, read_cursor
from leadpact.runtime.problems import Problem
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.endpoints.fields import After, Limit, Moment, Note, Word
from leadpact_router.webhooks.addresses import LONGEST_URL
from leadpact_router.webhooks.fan_out import QUEUED, WEBHOOK_EVENTS
from leadpact_router.webhooks.read import (
    DeliveryFilter,
    DeliveryState,
    delivery_place,
    page_of_deliveries,
    read_delivery,
    read_endpoint,
    read_endpoints,
)
from leadpact_router.webhooks.registry import (
    DEFAULT_EVENTS,
    TEST_EVENT,
    Wanted,
    change_endpoint,
    check_wanted,
    create_endpoint,
    current_wish,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    replay_one,
    replay_since,
    rotate_secret,
    send_test,
)

Address = Annotated[str, Field(min_length=1, max_length=LONGEST_URL, pattern=NO_NUL)]
Events = Annotated[tuple[str, ...], Field(max_length=100, examples=[list(DEFAULT_EVENTS)])]


class EndpointIn(BaseModel):
    """An endpoint to make."""

    model_config = ConfigDict(extra="forbid")

    url: Address
    events: Events = DEFAULT_EVENTS
    description: Note = ""


class EndpointChange(BaseModel):
    """What should be otherwise; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: Address | None = None
    events: Events | None = None
    description: Note | None = None


class ReplaySince(BaseModel):
    """Which deliveries to send again."""

    model_config = ConfigDict(extra="forbid")

    since: Moment = Field(
        description="Those that were queued then or later and were given up, or wait for their next attempt."
    )


class EndpointOut(BaseModel):
    """An endpoint and how it does. Its secret is not shown again."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    url: str
    description: str
    events: list[str]
    state: str = Field(description="`on`, `failing` (its latest calls failed) or `off`.")
    created_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None
    failing_since: datetime | None
    paused_until: datetime | None = Field(
        description="After five failures in a row it is called every half minute."
    )
    waiting: int = Field(description="Deliveries that are still to be made.")
    dead: int = Field(description="Deliveries that were given up; they can be replayed.")
    last_outcome: str | None = Field(description="Of the latest attempt, whichever delivery it was for.")
    last_attempt_at: datetime | None = Field(
        description="Exact to the second while the outcome stays the same."
    )


class EndpointCreated(EndpointOut):
    """A new endpoint, with its secret."""

    secret: str = Field(description="Verify signatures with it. It cannot be read again.")


class Secret(BaseModel):
    """A new signing secret."""

    secret: str = Field(description="It cannot be read again. The old one signs too for 24 hours.")


class DeliveryOut(BaseModel):
    """One event on its way to one endpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    endpoint_id: UUID
    url: str
    event_id: UUID = Field(description="The `webhook-id`: the same over retries and replays.")
    type: str
    lead_id: UUID | None
    state: DeliveryState
    attempts: int = Field(description="Begun since it was queued or replayed.")
    next_at: datetime | None = Field(description="Of a pending one: the next attempt.")
    outcome: str | None = Field(description="Of the latest attempt.")
    is_replay: bool
    queued_at: datetime
    ended_at: datetime | None


class AttemptOut(BaseModel):
    """One call. A number that is missing was begun by a process that ended before it could record the outcome."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    elapsed_ms: int
    status: int | None
    fault: str | None = Field(description="Why there was no answer.")
    detail: str
    body: str = Field(description="The beginning of the answer.")
    is_replay: bool


class DeliveryDetail(DeliveryOut):
    """A delivery with its attempts and the body that is sent."""

    tries: list[AttemptOut]
    body: str


class EndpointList(BaseModel):
    """All endpoints."""

    items: list[EndpointOut]


class DeliveryPage(BaseModel):
    """Deliveries, the newest first; ``next`` is the cursor of the following page."""

    items: list[DeliveryOut]
    next: str | None


class Replayed(BaseModel):
    """How many deliveries are due now that were given up or had to wait."""

    replayed: int


def create_endpoints_router(uow: UnitOfWork, clock: Clock, wake: Wake, *, allow_private: bool) -> APIRouter:
    """Routes for endpoints."""
    router = APIRouter(
        prefix="/v1/webhook-endpoints",
        tags=["webhooks"],
        dependencies=[require(Scope.ADMIN)],
        route_class=GuardedRoute,
    )

    @router.post("", status_code=201)
    async def create(wanted: EndpointIn) -> EndpointCreated:
        """Make an endpoint. The answer is the only time that its secret can be read."""
        wish = Wanted(**wanted.model_dump())
        check_wanted(wish, allow_private=allow_private)
        async with uow.transaction() as tx:
            endpoint_id, secret = await create_endpoint(tx, wish, clock.now())
            made = await read_endpoint(tx, endpoint_id)
        return EndpointCreated(**EndpointOut.model_validate(made).model_dump(), secret=secret)

    @router.get("")
    async def show_all() -> EndpointList:
        """Every endpoint."""
        async with uow.transaction() as tx:
            found = await read_endpoints(tx)
        return EndpointList(items=[EndpointOut.model_validate(one) for one in found])

    @router.get("/{endpoint_id}")
    async def show(endpoint_id: UUID) -> EndpointOut:
        """One endpoint."""
        return await _shown(uow, endpoint_id)

    @router.patch("/{endpoint_id}")
    async def change(endpoint_id: UUID, wanted: EndpointChange) -> EndpointOut:
        """Give it another address, other events or another description."""
        async with uow.transaction() as tx:
            wish = replace(await current_wish(tx, endpoint_id), **wanted.model_dump(exclude_none=True))
            check_wanted(wish, allow_private=allow_private)
            await change_endpoint(tx, endpoint_id, wish)
        return await _shown(uow, endpoint_id)

    @router.delete("/{endpoint_id}", status_code=204)
    async def remove(endpoint_id: UUID) -> Response:
        """Forget it with all of its deliveries. To keep them, disable it."""
        async with uow.transaction() as tx:
            await delete_endpoint(tx, endpoint_id)
        return Response(status_code=204)

    @router.post("/{endpoint_id}/disable")
    async def disable(endpoint_id: UUID) -> EndpointOut:
        """Stop calling it. What happens meanwhile is kept and sent when it is enabled."""
        async with uow.transaction() as tx:
            await disable_endpoint(tx, endpoint_id, clock.now(), because="switched off by hand")
        return await _shown(uow, endpoint_id)

    @router.post("/{endpoint_id}/enable")
    async def enable(endpoint_id: UUID) -> EndpointOut:
        """Call it again, at once with what has been kept or waits for its next attempt."""
        async with uow.transaction() as tx:
            await enable_endpoint(tx, endpoint_id, clock.now())
        wake.poke([QUEUED])
        return await _shown(uow, endpoint_id)

    @router.post("/{endpoint_id}/rotate")
    async def rotate(endpoint_id: UUID) -> Secret:
        """Make a new secret. For 24 hours both sign, so that the receiver can change over in between."""
        async with uow.transaction() as tx:
            secret = await rotate_secret(tx, endpoint_id, clock.now())
        return Secret(secret=secret)

    @router.post("/{endpoint_id}/test", status_code=202)
    async def test(endpoint_id: UUID) -> DeliveryOut:
        """Send it a `webhook.test` event, signed like any other. Ask for the delivery to see what came of it."""
        async with uow.transaction() as tx:
            delivery_id = await send_test(tx, endpoint_id, clock.now())
            made, _, _ = await read_delivery(tx, delivery_id)
        wake.poke([QUEUED])
        return DeliveryOut.model_validate(made)

    @router.post("/{endpoint_id}/replay", status_code=202)
    async def replay(endpoint_id: UUID, wanted: ReplaySince) -> Replayed:
        """Send it now what was queued since a moment and was given up, or waits for its next attempt."""
        async with uow.transaction() as tx:
            count = await replay_since(tx, endpoint_id, wanted.since, clock.now())
        wake.poke([QUEUED])
        return Replayed(replayed=count)

    return router


def create_deliveries_router(uow: UnitOfWork, clock: Clock, wake: Wake) -> APIRouter:
    """Routes for deliveries."""
    router = APIRouter(prefix="/v1/deliveries", tags=["webhooks"], route_class=GuardedRoute)

    @router.get("", dependencies=[require(Scope.READ)])
    async def show_all(
        request: Request,
        response: Response,
        state: DeliveryState | None = None,
        endpoint: UUID | None = None,
        lead: UUID | None = None,
        type: Annotated[Word, Query(description="Such as `lead.assigned`.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> DeliveryPage:
        """Deliveries, the newest first."""
        _check_type(type)
        wanted = DeliveryFilter(state, endpoint, lead, type)
        async with uow.transaction() as tx:
            found, place = await page_of_deliveries(
                tx, wanted, limit=limit, after=read_cursor(after, delivery_place)
            )
        following = None if place is None else cursor(place)
        link_next(request, response, following)
        return DeliveryPage(items=[DeliveryOut.model_validate(one) for one in found], next=following)

    @router.get("/{delivery_id}", dependencies=[require(Scope.READ)])
    async def show(delivery_id: UUID) -> DeliveryDetail:
        """One delivery with its attempts."""
        async with uow.transaction() as tx:
            found, attempts, body = await read_delivery(tx, delivery_id)
        tries = [AttemptOut.model_validate(one) for one in attempts]
        return DeliveryDetail(**DeliveryOut.model_validate(found).model_dump(), tries=tries, body=body)

    @router.post("/{delivery_id}/replay", status_code=202, dependencies=[require(Scope.ADMIN)])
    async def replay(delivery_id: UUID) -> DeliveryOut:
        """Send it now, with the same `webhook-id` and body: again, or without waiting for its next attempt. 409 while it is being sent."""
        async with uow.transaction() as tx:
            await replay_one(tx, delivery_id, clock.now())
            found, _, _ = await read_delivery(tx, delivery_id)
        wake.poke([QUEUED])
        return DeliveryOut.model_validate(found)

    return router


async def _shown(uow: UnitOfWork, endpoint_id: UUID) -> EndpointOut:
    async with uow.transaction() as tx:
        return EndpointOut.model_validate(await read_endpoint(tx, endpoint_id))


def _check_type(type_: str | None) -> None:
    known = (*WEBHOOK_EVENTS, TEST_EVENT)
    if type_ is not None and type_ not in known:
        fault = Fault("query:type", f"{type_!r} is no event", f"use one of: {', '.join(known)}")
        raise Problem(422, "invalid-field", "There is no such event.", faults=[fault])
