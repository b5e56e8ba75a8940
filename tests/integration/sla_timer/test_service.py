"""The service as it is put together: its loops hear an assignment, and announce the breach by themselves."""

from __future__ import annotations

import asyncio

from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from leadpact.access.scopes import Requirement, Scope
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.clock import ScaledClock
from leadpact.events import SlaBreached, Topic
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.service import run_loops
from leadpact.runtime.settings import Settings, load_settings
from leadpact_sla_timer.service import build
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import assigned
from tests.support.fake_clock import TUESDAY_MORNING


def _built(timer: Timer, clock: ScaledClock) -> Built:
    return build(
        Parts(
            settings=load_settings(Settings, {}),
            engine=timer.database.engine,
            clock=clock,
            wake=timer.wake,
            carrier=PostgresCarrier(timer.uow, timer.wake),
            pact_book=timer.book,
            metrics=CollectorRegistry(),
        )
    )


async def test_two_instances_side_by_side_announce_each_breach_once_and_stop_when_asked(timer: Timer) -> None:
    clock = ScaledClock(TUESDAY_MORNING, rate=7200)  # two hours in one second
    loops = [*_built(timer, clock).loops, *_built(timer, clock).loops]
    stop = asyncio.Event()
    said = timer.wake.sleeper([Topic.SLA])
    running = asyncio.create_task(run_loops(loops, stop))

    await timer.announce(*[assigned(clock.now()) for _ in range(50)])
    async with asyncio.timeout(20):
        while len(await timer.said(SlaBreached)) < 50:
            await said.wait(stop, 1)
    stop.set()
    await running

    breaches = await timer.said(SlaBreached)
    assert len({breach.clock_id for breach in breaches}) == len(breaches) == 50


def test_every_route_is_for_those_who_may_read_and_only_moving_clocks_for_admins(timer: Timer) -> None:
    routers = _built(timer, ScaledClock(TUESDAY_MORNING, 1)).routers
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    asked = {
        (method, route.path): [dependency.call for dependency in route.dependant.dependencies]
        for route in routes
        for method in route.methods or ()
    }
    read, admin = [Requirement(Scope.READ)], [Requirement(Scope.ADMIN)]
    assert asked == {
        ("GET", "/v1/clocks/requests"): read,
        ("GET", "/v1/clocks/recompute"): read,
        ("POST", "/v1/clocks/recompute"): admin,
        ("GET", "/v1/clocks"): read,
        ("GET", "/v1/clocks/{clock_id}"): read,
    }
