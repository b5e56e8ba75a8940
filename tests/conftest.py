"""What every test may ask for."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.support.fake_clock import FakeClock
from tests.support.kafka import kafka, whole_kafka
from tests.support.kafka_broker import durable_kafka_broker, kafka_broker, kafka_header_line
from tests.support.postgres import PostgresServer, database_url, postgres_server

__all__ = [
    "PostgresServer",
    "database_url",
    "durable_kafka_broker",
    "kafka",
    "kafka_broker",
    "postgres_server",
    "whole_kafka",
]


# As every command does: the zones of the tzdata package, not of the machine that the tests run on.
zoneinfo.reset_tzpath(())


def pytest_report_header() -> str:
    return kafka_header_line()


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """A test that configures logging, as a command does, leaves its captured stream, closed by then, to nobody."""
    yield
    structlog.reset_defaults()


@dataclass(frozen=True)
class Database:
    """A fresh database with the whole schema."""

    url: str
    engine: AsyncEngine


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    engine = create_engine(database_url, application="test")
    yield Database(database_url, engine)
    await engine.dispose()


@pytest.fixture
def wake() -> Wake:
    return Wake()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def uow_for(database: Database, wake: Wake) -> Callable[[str], UnitOfWork]:
    """Transactions in the name of a service."""
    return lambda source: UnitOfWork(database.engine, source=source, wake=wake)
