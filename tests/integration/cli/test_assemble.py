"""How a process is put together, as far as no single part can show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
from prometheus_client import CollectorRegistry

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.cli.assemble import create_app
from leadpact.pact.book import PactBook
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.fake_clock import FakeClock


async def test_tokens_last_in_real_time_however_fast_the_products_time_runs(
    database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock
) -> None:
    real_time = FakeClock()
    carrier = PostgresCarrier(uow_for("core"), wake)
    parts = Parts(Settings(), database.engine, clock, wake, carrier, PactBook(), CollectorRegistry())
    async with uow_for("access").transaction() as tx:
        expires_at = real_time.now() + timedelta(hours=1)
        token = await create_token(
            tx, name="t", scopes=[Scope.ADMIN], now=real_time.now(), expires_at=expires_at
        )
    transport = httpx.ASGITransport(create_app(parts, [], real_time=real_time))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://pact.example") as client:
        clock.advance(timedelta(days=365))
        assert (await client.get("/v1/tokens", headers=headers)).status_code == 200
        real_time.advance(timedelta(hours=2))
        assert (await client.get("/v1/tokens", headers=headers)).status_code == 401
