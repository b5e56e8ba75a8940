from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.fake_clock import FakeClock
from tests.support.postgres import PostgresServer
from tests.support.routing import PACT, REPS, Router


@pytest.fixture
async def router(
    database: Database, uow_for: Callable[[str], UnitOfWork], wake: Wake, clock: FakeClock
) -> Router:
    """A router with a pact in force and four reps at work."""
    return await _at_work(Router(database.engine, uow_for("router"), wake, clock))


@pytest.fixture
async def second_router(postgres_server: PostgresServer, clock: FakeClock) -> AsyncIterator[Router]:
    """Another one, with a database of its own, to compare the first with."""
    engine = create_engine(await postgres_server.create_database("second_router"), application="test")
    wake = Wake()
    yield await _at_work(Router(engine, UnitOfWork(engine, source="router", wake=wake), wake, clock))
    await engine.dispose()
    await postgres_server.drop_database("second_router")


async def _at_work(router: Router) -> Router:
    await router.apply_pact(PACT)
    await router.put_reps(*REPS)
    return router
