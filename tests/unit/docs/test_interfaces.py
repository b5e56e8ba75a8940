"""docs/interfaces.md lists every route with its scope and every event on its topic, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from leadpact.access.endpoints import create_access_router
from leadpact.access.scopes import OpenDoor, Requirement
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.cli.assemble import SERVICES
from leadpact.events import EVENTS
from leadpact.operations.dead_letters import create_dead_letters_router
from leadpact.pact.book import PactBook
from leadpact.runtime.health import health_router
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.webhooks.payload import LARGEST_BODY_BYTES
from leadpact_router.webhooks.schedule import STANDARD_STEPS
from tests.support.fake_clock import FakeClock

DOCUMENT = (Path(__file__).parents[3] / "docs/interfaces.md").read_text()

Route = tuple[str, str]


def _routers() -> list[APIRouter]:
    """Every router of an installation, built on a database that nobody connects to."""
    engine = create_engine("postgresql://nobody@localhost/nothing", application="docs")
    wake, clock, metrics = Wake(), FakeClock(), CollectorRegistry()
    carrier = PostgresCarrier(UnitOfWork(engine, source="docs", wake=wake), wake)
    parts = Parts(Settings(), engine, clock, wake, carrier, PactBook(), metrics)
    services = [router for build in SERVICES.values() for router in build(parts).routers]
    probes = health_router({}, metrics, metrics_public=True)
    core = [create_access_router(parts.uow("access"), clock), create_dead_letters_router(parts.uow("core"))]
    return [*services, *core, probes]


def _served() -> dict[Route, str]:
    """Every route that the OpenAPI documents have, with its scope."""
    return {
        (method, route.path): _scope(route)
        for router in _routers()
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods or ()
    }


def _scope(route: APIRoute) -> str:
    for dependency in route.dependant.dependencies:
        match dependency.call:
            case Requirement(scope):
                return scope.value
            case OpenDoor():
                return "public"
    raise AssertionError(f"nobody has decided who may call {route.path}")


def test_every_route_is_listed_with_its_scope_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (\w+) \|", DOCUMENT, re.MULTILINE)

    assert {(method, path): scope for method, path, scope in rows} == _served()


def test_every_event_is_listed_under_its_topic_and_no_other() -> None:
    listed: list[tuple[str, str]] = []
    topic = ""
    for cell, event in re.findall(
        r"^\| (`[\w.-]+`|) ?\| `(leadpact\.\w+\.\w+\.v\d+)` \|", DOCUMENT, re.MULTILINE
    ):
        topic = cell.strip("`") or topic
        listed.append((topic, event))

    assert listed == [(event.TOPIC.value, event.TYPE) for event in EVENTS]


def test_the_steps_and_the_size_of_webhooks_are_those_of_the_code() -> None:
    steps = re.search(r"tried (\w+) times over three days: at once, after ([^.]*?), with", DOCUMENT)
    seconds = {"s": 1, "min": 60, "h": 3_600}

    assert steps is not None
    waits = [int(number) * seconds[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", steps[2])]
    assert [0, *waits] == [step.total_seconds() for step in STANDARD_STEPS]
    assert steps[1] == {10: "ten"}[len(STANDARD_STEPS)]
    assert f"below {LARGEST_BODY_BYTES // 1_000} kB" in DOCUMENT
