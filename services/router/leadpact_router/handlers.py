"""Apply what the router hears: captured leads, activities and the sla-timer's clocks, each batch in one
transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from leadpact.bus.consume import Consumer, Handler, Received
from leadpact.clock import Clock
from leadpact.events import (
    ActivityRecorded,
    LeadCaptured,
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaStarted,
    SlaWarned,
    Topic,
)
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.calendars import CalendarShelf
from leadpact_router.capture import capture
from leadpact_router.clock_view import show_breached, show_cancelled, show_met, show_started, show_warned
from leadpact_router.news import news
from leadpact_router.reassign import reassign
from leadpact_router.record_activity import record_activities
from leadpact_router.terms import Terms

CONSUMER = "router"
TOPICS = (Topic.INBOUND, Topic.SLA)

Deciding = Callable[[Transaction, Sequence[Any], Terms], Awaitable[None]]
Showing = Callable[[Transaction, Sequence[Any]], Awaitable[None]]


def router_consumer(pact_book: PactBook, shelf: CalendarShelf, clock: Clock) -> Consumer:
    """The router's consumer group.

    Every batch is decided by the pact that is in force when it begins, at one instant.
    """

    def deciding(use_case: Deciding) -> Handler:
        async def handle(tx: Transaction, batch: Sequence[Received]) -> None:
            applied = await pact_book.current(tx)
            await use_case(tx, news(batch), Terms(applied, shelf.of(applied), clock.now()))

        return handle

    def showing(use_case: Showing) -> Handler:
        async def handle(tx: Transaction, batch: Sequence[Received]) -> None:
            await use_case(tx, news(batch))

        return handle

    show_breach, act_on_breach = showing(show_breached), deciding(reassign)

    async def breached(tx: Transaction, batch: Sequence[Received]) -> None:
        await show_breach(tx, batch)
        await act_on_breach(tx, batch)

    return Consumer(
        CONSUMER,
        {
            LeadCaptured: deciding(capture),
            ActivityRecorded: deciding(record_activities),
            SlaStarted: showing(show_started),
            SlaWarned: showing(show_warned),
            SlaMet: showing(show_met),
            SlaBreached: breached,
            SlaCancelled: showing(show_cancelled),
        },
        clock,
    )
