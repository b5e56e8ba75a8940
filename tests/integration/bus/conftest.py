"""The carriers that face the contract."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.carrier import Reader
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.events import Topic
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.carrying import Carrying


@dataclass(frozen=True)
class OnPostgres:
    """PostgreSQL alone."""

    engine: AsyncEngine
    uow: UnitOfWork
    wake: Wake
    name: str = "postgres"

    def reader(self, consumer: str) -> Reader:
        return PostgresCarrier(self.uow, self.wake).reader(consumer, [Topic.SLA])


@pytest.fixture
def carrying(database: Database, wake: Wake) -> Carrying:
    return OnPostgres(database.engine, UnitOfWork(database.engine, source="contract", wake=wake), wake)
