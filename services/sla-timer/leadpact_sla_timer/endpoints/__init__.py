"""What the sla-timer shows and does over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from leadpact.clock import Clock
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_sla_timer.endpoints import clocks, recompute, requests


def create_routers(uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> list[APIRouter]:
    """The routes of the sla-timer, under /v1/clocks. The clocks themselves come last: there a path's last word is an id."""
    return [
        requests.create_router(uow),
        recompute.create_router(uow, book, clock, wake),
        clocks.create_router(uow, book, clock),
    ]
