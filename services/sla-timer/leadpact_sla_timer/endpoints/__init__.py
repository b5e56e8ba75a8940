"""What the sla-timer shows and does over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from leadpact.clock import Clock
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.endpoints import clocks, recompute, requests


def create_router(uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> APIRouter:
    """The routes of the sla-timer, under /v1/clocks."""
    router = APIRouter(prefix="/v1/clocks", tags=["clocks"])
    # Before the clocks themselves: there a path's last word is an id.
    router.include_router(requests.create_router(uow))
    router.include_router(recompute.create_router(uow, book, clock, wake))
    router.include_router(clocks.create_router(uow, book, clock))
    return router
