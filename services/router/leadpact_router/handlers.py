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
    Event,
    LeadCaptured,
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
    Topic,
)
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.calendars import CalendarShelf
from leadpact_router.capture import capture
from leadpact_router.clock_view import (
    show_breached,
    show_cancelled,
    show_met,
    show_moved,
    show_paused,
    show_started,
    show_warned,
)
from leadpact_router.give_back import give_back
from leadpact_router.news import news
from leadpact_router.owner_left import hand_on
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

    def both(show: Showing, use_case: Deciding) -> Handler:
        showing_it, acting_on_it = showing(show), deciding(use_case)

        async def handle(tx: Transaction, batch: Sequence[Received]) -> None:
            await showing_it(tx, batch)
            await acting_on_it(tx, batch)

        return handle

    show_kept, return_leads = showing(show_met), deciding(give_back)

    async def met(tx: Transaction, batch: Sequence[Received]) -> None:
        await show_kept(tx, batch)
        # Nearly every promise is kept in time, and then there is nothing to decide.
        if late := [one for one in batch if _asks_for_a_return(one.event)]:
            await return_leads(tx, late)

    return Consumer(
        CONSUMER,
        {
            LeadCaptured: deciding(capture),
            ActivityRecorded: deciding(record_activities),
            SlaStarted: showing(show_started),
            SlaWarned: showing(show_warned),
            SlaPaused: showing(show_paused),
            SlaMoved: showing(show_moved),
            SlaMet: met,
            SlaBreached: both(show_breached, reassign),
            SlaOwnerLeft: both(show_cancelled, hand_on),
            SlaCancelled: showing(show_cancelled),
        },
        clock,
    )


def _asks_for_a_return(event: Event) -> bool:
    return isinstance(event, SlaMet) and event.was_breached and event.give_back
