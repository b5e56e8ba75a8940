"""Every route of every service says who may call it, and the doors are really shut.

The table is what the three applications serve, walked anew in each run: a route that is added is in it, and fails
here unless it carries exactly one of ``require(Scope.…)`` and ``public("why")``.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.routing import Mount

from leadpact.access.scopes import OpenDoor, Requirement, Scope, public, require
from leadpact.access.tokens import create_token
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.cli.assemble import SERVICES, create_app
from leadpact.pact.book import PactBook
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.fake_clock import FakeClock

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def app_of(service: str, *, metrics_public: bool = True, url: str = NOWHERE) -> FastAPI:
    """One service's application, put together as `leadpact <service>` does. Nothing is opened."""
    settings = Settings(database_url=SecretStr(url), data=Path("not-made"), metrics_public=metrics_public)
    engine, wake, clock = create_engine(url, application="test"), Wake(), FakeClock()
    carrier = PostgresCarrier(UnitOfWork(engine, source="core", wake=wake), wake)
    parts = Parts(settings, engine, clock, wake, carrier, PactBook(), CollectorRegistry())
    return create_app(parts, [SERVICES[service](parts)], real_time=clock)


@dataclass(frozen=True)
class Door:
    """A route of one service, as its application serves it."""

    service: str
    route: RouteContext

    @property
    def methods(self) -> list[str]:
        return sorted(self.route.methods or ())

    def __str__(self) -> str:
        return f"{self.service}: {','.join(self.methods)} {self.route.path}"

    @property
    def is_api(self) -> bool:
        return str(self.route.path).startswith("/v1/")

    @property
    def decisions(self) -> list[Requirement | OpenDoor]:
        """What the route says of its callers. Only FastAPI's own routes can say anything."""
        if not isinstance(self.route.original_route, APIRoute):
            return []
        return list(_decisions(self.route.dependant))


def _decisions(dependant: Dependant) -> Iterator[Requirement | OpenDoor]:
    if isinstance(dependant.call, Requirement | OpenDoor):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _decisions(inner)


def doors_of(service: str, app: FastAPI) -> list[Door]:
    return [Door(service, route) for route in iter_route_contexts(app.routes)]


DOORS = [door for service in SERVICES for door in doors_of(service, app_of(service))]
GUARDED = [(door, one.scope) for door in DOORS for one in door.decisions if isinstance(one, Requirement)]


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_somebody_decided_who_may_call(door: Door) -> None:
    assert len(door.decisions) == 1, f"{door} needs exactly one of require(...) and public(...)"


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_an_open_door_says_why(door: Door) -> None:
    reasons = [one.reason for one in door.decisions if isinstance(one, OpenDoor)]
    assert all(len(reason.split()) > 2 for reason in reasons)


def test_only_reading_and_a_few_named_doors_are_open_to_everybody() -> None:
    """A public route that changes something has to be added here, by somebody who thought about it."""
    open_to_all = {
        f"{method} {door.route.path}"
        for door in DOORS
        for one in door.decisions
        if isinstance(one, OpenDoor)
        for method in door.methods
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    assert open_to_all == {"POST /v1/forms/{source}", "POST /sign-in", "POST /sign-out"}


@pytest.mark.parametrize(
    ("dependencies", "decided"),
    [
        ([], 0),
        ([require(Scope.READ)], 1),
        ([public("a test's route")], 1),
        ([require(Scope.READ), public("both cannot be")], 2),
    ],
)
def test_the_walk_sees_what_a_route_carries(dependencies: list[Any], decided: int) -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()

    @router.get("/new", dependencies=dependencies)
    async def new() -> None: ...

    app.include_router(router)
    assert [len(door.decisions) for door in doors_of("any", app)] == [decided]


def test_what_cannot_carry_a_decision_counts_as_undecided() -> None:
    app = FastAPI(openapi_url=None)
    app.router.routes.append(Mount("/files", app=FastAPI()))
    assert [door.decisions for door in doors_of("any", app)] == [[]]


@pytest.mark.parametrize("service", SERVICES)
async def test_without_a_token_every_guarded_door_is_shut(service: str) -> None:
    doors = [door for door, _ in GUARDED if door.service == service]
    assert doors
    async with calling(app_of(service)) as http:
        answers = {str(door): await knock(http, door) for door in doors}
    assert answers == dict.fromkeys(answers, 401)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_shut_door_reads_no_body(service: str) -> None:
    """Not one byte, whatever it is said to be: else anybody could fill the memory, or be told what is wrong with their JSON."""
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"{bad"

    doors = [door for door, _ in GUARDED if door.service == service]
    async with calling(app_of(service)) as http:
        answers = {
            f"{door} with {kind}": await knock(http, door, body(), **{"content-type": kind})
            for door in doors
            for kind in ("application/json", "multipart/form-data; boundary=x", "text/csv")
        }
    assert answers == dict.fromkeys(answers, 401)
    assert not read


@pytest.mark.parametrize("service", SERVICES)
async def test_a_token_of_another_scope_opens_no_guarded_door(service: str, database: Database) -> None:
    clock = FakeClock()
    async with UnitOfWork(database.engine, source="test", wake=Wake()).transaction() as tx:
        tokens = {
            scope: await create_token(tx, name=scope, scopes=[scope], now=clock.now())
            for scope in Scope
            if scope is not Scope.ADMIN
        }
    app = app_of(service, url=database.url)
    answers = {}
    async with calling(app) as http:
        for door, needed in GUARDED:
            if door.service == service:
                other = next(token for scope, token in tokens.items() if scope is not needed)
                answers[str(door)] = await knock(http, door, authorization=f"Bearer {other}")
    assert answers == dict.fromkeys(answers, 403)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_api_route_refuses_a_parameter_that_it_does_not_know(
    service: str, database: Database
) -> None:
    async with UnitOfWork(database.engine, source="test", wake=Wake()).transaction() as tx:
        token = await create_token(tx, name="all", scopes=[Scope.ADMIN], now=FakeClock().now())
    doors = [door for door, _ in GUARDED if door.service == service and door.is_api]
    told, stranger = {}, {}
    async with calling(app_of(service, url=database.url)) as http:
        for door in doors:
            answer = await call(http, door, query="?unheard-of=1", authorization=f"Bearer {token}")
            told[str(door)] = answer.status_code, "query:unheard-of" in answer.text
            stranger[str(door)] = (await call(http, door, query="?unheard-of=1")).status_code
    assert told == dict.fromkeys(told, (422, True))
    assert stranger == dict.fromkeys(stranger, 401)


def test_the_form_door_alone_is_public_under_v1() -> None:
    """Whoever is asked for no scope is not asked for known parameters: trackers append theirs to a form's address."""
    guarded = {str(door) for door, _ in GUARDED}
    free = {door.route.path for door in DOORS if door.is_api and str(door) not in guarded}
    assert free == {"/v1/forms/{source}"}


async def test_metrics_ask_for_a_token_when_the_settings_say_so() -> None:
    async with calling(app_of("ingest", metrics_public=False)) as http:
        assert (await http.get("/metrics")).status_code == 401
    async with calling(app_of("ingest")) as http:
        assert (await http.get("/metrics")).status_code == 200


def calling(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://leadpact")


async def knock(
    http: httpx.AsyncClient, door: Door, body: AsyncIterator[bytes] | None = None, **headers: str
) -> int:
    """Call the door with a well-formed path, and no body unless there is one; the answer's status."""
    return (await call(http, door, body, **headers)).status_code


async def call(
    http: httpx.AsyncClient,
    door: Door,
    body: AsyncIterator[bytes] | None = None,
    *,
    query: str = "",
    **headers: str,
) -> httpx.Response:
    names = dict.fromkeys(door.route.param_convertors, str(uuid.uuid4()))
    path = str(door.route.path_format).format(**names)
    return await http.request(door.methods[0], path + query, headers=headers, content=body)
