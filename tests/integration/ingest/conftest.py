"""The ingest service on real PostgreSQL: its app, its loops when a test runs them, and a pact to work by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.pact.book import PactBook
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.problems import install_problem_handlers
from leadpact.runtime.service import run_loops
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_ingest.metrics import IngestMetrics
from leadpact_ingest.process_upload import Pace, UploadProcessor
from leadpact_ingest.service import build
from leadpact_ingest.source_book import SourceBook
from tests.conftest import Database
from tests.support.fake_clock import FakeClock
from tests.support.gatekeeper import OpenGatekeeper
from tests.support.pacts import pact_with

PACT = pact_with(
    "  website-demo: {kind: form, intent: demo_request}\n",
    """\
  website-demo:
    kind: form
    intent: demo_request
    default_country: DE
    origins: [https://www.acme.example]
    thank_you: [https://www.acme.example/thanks]
  newsletter: {kind: form, intent: newsletter}
""",
)


UNHURRIED = Pace(in_flight=1_000_000)


@dataclass
class Ingest:
    """One instance of the service."""

    parts: Parts
    built: Built
    app: FastAPI
    client: httpx.AsyncClient
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, source: str = "website-demo", **request: Any) -> httpx.Response:
        return await self.client.post(f"/v1/forms/{source}", **request)

    def posts_counted_as(self, outcome: str, source: str = "website-demo") -> float | None:
        labels = {"source": source, "outcome": outcome}
        return self.parts.metrics.get_sample_value("leadpact_leads_received_total", labels)

    async def rows(self, table: str) -> int:
        async with self.parts.engine.connect() as connection:
            return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())

    async def fetch(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self.parts.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(text(query), parameters)).mappings()]

    def processor(self, pace: Pace = UNHURRIED) -> UploadProcessor:
        """What the service's own loop runs, to be stepped by hand; here no router empties the queue, so none is waited for."""
        uow = self.parts.uow("ingest")
        sources = SourceBook(uow, self.parts.pact_book)
        metrics = IngestMetrics(CollectorRegistry())
        return UploadProcessor(uow, sources, self.parts.clock, self.parts.wake, metrics, pace)

    async def process_uploads(self) -> None:
        """Work on uploads until none is left."""
        processor = self.processor()
        while await processor.run_once(self.stop):
            pass

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """With all of its loops."""
        loops = asyncio.create_task(run_loops(self.built.loops, self.stop))
        try:
            yield
        finally:
            self.stop.set()
            await loops


class NewInstance(Protocol):
    """Makes another instance of the service, as on another host; on the test's database unless ``engine`` is given."""

    def __call__(self, *, engine: AsyncEngine | None = None) -> Ingest: ...


@pytest.fixture
async def new_instance(database: Database, clock: FakeClock) -> AsyncIterator[NewInstance]:
    made: list[Ingest] = []

    def make(*, engine: AsyncEngine | None = None) -> Ingest:
        made.append(make_instance(engine or database.engine, clock))
        return made[-1]

    yield make
    for instance in made:
        await instance.client.aclose()


@pytest.fixture
async def ingest(new_instance: NewInstance, uow_for: Callable[[str], UnitOfWork]) -> Ingest:
    """One instance, with the pact applied; its loops run only where a test says so."""
    return await with_pact(new_instance(), PACT, uow_for("pact"))


@pytest.fixture
async def capped(new_instance: NewInstance, uow_for: Callable[[str], UnitOfWork]) -> Ingest:
    """One instance whose vendor may deliver three leads a month."""
    return await with_pact(
        new_instance(), PACT.replace("cap: 500 per month", "cap: 3 per month"), uow_for("pact")
    )


async def with_pact(instance: Ingest, pact: str, uow: UnitOfWork) -> Ingest:
    async with uow.transaction() as tx:
        await instance.parts.pact_book.apply(tx, pact, applied_by="test")
    return instance


def make_instance(engine: AsyncEngine, clock: FakeClock) -> Ingest:
    wake = Wake()
    parts = Parts(
        settings=Settings(),
        engine=engine,
        clock=clock,
        wake=wake,
        carrier=PostgresCarrier(UnitOfWork(engine, source="ingest", wake=wake), wake),
        pact_book=PactBook(),
        metrics=CollectorRegistry(),
    )
    built = build(parts)
    app = FastAPI()
    app.state.gatekeeper = OpenGatekeeper()
    install_problem_handlers(app)
    for router in built.routers:
        app.include_router(router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return Ingest(parts, built, app, httpx.AsyncClient(transport=transport, base_url="http://ingest.example"))
