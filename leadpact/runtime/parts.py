"""The parts that every service is built from, made once in ``main()`` and handed down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.carrier import Carrier
from leadpact.clock import Clock
from leadpact.pact.book import PactBook
from leadpact.runtime.problems import ErrorPage
from leadpact.runtime.service import Loop
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service may use. Which carrier and which clock these are is known to ``main()`` alone."""

    settings: Settings
    engine: AsyncEngine
    clock: Clock
    wake: Wake
    carrier: Carrier
    pact_book: PactBook
    metrics: CollectorRegistry

    def uow(self, source: str) -> UnitOfWork:
        """Transactions in the name of the service ``source``."""
        return UnitOfWork(self.engine, source=source, wake=self.wake)


@dataclass(frozen=True, slots=True)
class Built:
    """A service: its routes, its loops, what it waits for before it is ready, and what it must close at the end.

    ``error_page`` is how its pages tell of an error, if it has pages.
    """

    name: str
    routers: Sequence[APIRouter]
    loops: Sequence[Loop]
    ready_checks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    on_stop: Sequence[Callable[[], Awaitable[None]]] = ()
    error_page: ErrorPage | None = None
