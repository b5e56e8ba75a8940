"""Put the router together: what decides, what gives held leads away, what tells others by webhook, and its outside over HTTP."""

from __future__ import annotations

import asyncio

from leadpact.bus.consume import run_consumer
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.service import Loop, rounds
from leadpact_router.board.changes import Changes
from leadpact_router.board.pages import Board, create_board_router, error_page
from leadpact_router.calendars import CalendarShelf
from leadpact_router.endpoints import activities, assignments, leads, pact, roster, webhooks
from leadpact_router.endpoints.desk import Desk
from leadpact_router.handlers import CONSUMER, TOPICS, router_consumer
from leadpact_router.housekeeping import clean_once
from leadpact_router.release_held import ReleaseHeld
from leadpact_router.webhooks import fan_out
from leadpact_router.webhooks.deliver import Deliverer
from leadpact_router.webhooks.http import webhook_client
from leadpact_router.webhooks.metrics import WebhookMetrics


def build(parts: Parts) -> Built:
    """The router's routes and loops."""
    uow, book, clock, wake = parts.uow(CONSUMER), parts.pact_book, parts.clock, parts.wake
    allow_private = parts.settings.webhook_allow_private
    shelf = CalendarShelf()
    consumer = router_consumer(book, shelf, clock)
    release = ReleaseHeld(uow, book, shelf, clock, wake)
    desk = Desk(uow, book, clock, wake)
    client = webhook_client(allow_private=allow_private)
    deliverer = Deliverer(uow, clock, wake, client, WebhookMetrics(parts.metrics))

    changes = Changes(wake)

    async def consume(stop: asyncio.Event) -> None:
        await run_consumer(parts.carrier.reader(CONSUMER, TOPICS), consumer, stop)

    async def queue_webhooks(stop: asyncio.Event) -> None:
        reader = fan_out.PokingReader(parts.carrier.reader(fan_out.CONSUMER, fan_out.TOPICS), wake)
        await run_consumer(reader, fan_out.fan_out_consumer(clock), stop)

    async def clean() -> bool:
        async with uow.transaction() as tx:
            return await clean_once(tx, clock.now())

    return Built(
        name=CONSUMER,
        routers=(
            leads.create_router(desk, uow, book, clock),
            assignments.create_router(desk, uow, clock),
            activities.create_router(uow, clock),
            roster.create_reps_router(uow, book, clock, wake),
            roster.create_accounts_router(uow, clock, wake),
            pact.create_router(uow, book, wake),
            webhooks.create_endpoints_router(uow, clock, wake, allow_private=allow_private),
            webhooks.create_deliveries_router(uow, clock, wake),
            create_board_router(Board(uow, book, clock, wake, desk), changes),
        ),
        loops=(
            Loop("router.consumer", consume),
            Loop("router.release-held", release.run),
            Loop("router.webhooks", queue_webhooks),
            Loop("router.deliverer", deliverer.run),
            rounds("router.housekeeping", clean, every_seconds=60),
            Loop("router.board", changes.run),
        ),
        on_stop=(client.aclose,),
        error_page=error_page,
    )
