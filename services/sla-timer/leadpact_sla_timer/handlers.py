"""Say what the sla-timer does with each event it hears: assignments open clocks, feedback stops them."""

from __future__ import annotations

from collections.abc import Sequence

from leadpact.bus.consume import Consumer, Received
from leadpact.clock import Clock
from leadpact.events import (
    LeadAccepted,
    LeadAssigned,
    LeadContacted,
    LeadHeld,
    LeadReassigned,
    LeadRejected,
)
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.arm import arm
from leadpact_sla_timer.disarm import disarm, release

CONSUMER = "sla-timer"


def timer_consumer(book: PactBook, clock: Clock) -> Consumer:
    """The consumer group `sla-timer` on the topic of leads."""

    async def opens(tx: Transaction, received: Sequence[Received]) -> None:
        await arm(tx, received, book, clock.now())

    async def stops(tx: Transaction, received: Sequence[Received]) -> None:
        await disarm(tx, received, book, clock.now())

    async def releases(tx: Transaction, received: Sequence[Received]) -> None:
        await release(tx, received, book, clock.now())

    return Consumer(
        CONSUMER,
        {
            LeadAssigned: opens,
            LeadReassigned: opens,
            LeadContacted: stops,
            LeadAccepted: stops,
            LeadRejected: stops,
            LeadHeld: releases,
        },
        clock,
    )
