"""The router's HTTP interface over a router that is at work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.runtime.parts import Parts
from leadpact.runtime.problems import install_problem_handlers
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.service import build
from tests.conftest import Database
from tests.support.fake_clock import FakeClock
from tests.support.gatekeeper import OpenGatekeeper
from tests.support.routing import PACT, REPS, Router, captured


@dataclass(frozen=True)
class Service:
    """A router at work and its door."""

    router: Router
    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """The body of an answer that must be good."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def assigned(self, email: str = "kathe@globex.example", **changes: Any) -> dict[str, Any]:
        """A demo request that has found its owner, as the list shows it."""
        await self.router.hear(captured(email, **changes))
        [lead] = (await self.get("/v1/leads", q=email))["items"]
        found: dict[str, Any] = lead
        return found


@pytest.fixture
async def service(
    database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock
) -> AsyncIterator[Service]:
    uow = uow_for("router")
    router = Router(database.engine, uow, wake, clock)
    await router.apply_pact(PACT)
    await router.put_reps(*REPS)
    settings = Settings(webhook_allow_private=True)
    carrier = PostgresCarrier(uow, wake)
    built = build(Parts(settings, database.engine, clock, wake, carrier, router.book, CollectorRegistry()))
    app = FastAPI()
    app.state.gatekeeper = OpenGatekeeper()
    install_problem_handlers(app, error_page=built.error_page)
    for one in built.routers:
        app.include_router(one)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://router"
    ) as http:
        yield Service(router, http)
    for close in built.on_stop:
        await close()
