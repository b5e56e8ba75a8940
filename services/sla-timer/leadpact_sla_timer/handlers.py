"""Say what the sla-timer does with each event it hears: leads given to sales open clocks, what sales does stops or moves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from leadpact.bus.consume import Consumer, Handler, Received
from leadpact.clock import Clock
from leadpact.events import (
    Event,
    LeadAssigned,
    LeadClosed,
    LeadHeld,
    LeadReassigned,
    RepAbsencesChanged,
    Topic,
)
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer.arm import arm
from leadpact_sla_timer.disarm import WORKED, close, disarm
from leadpact_sla_timer.move import mind_absences

CONSUMER = "sla-timer"
TOPICS = (Topic.LEADS,)

_UseCase = Callable[[Transaction, Sequence[Received], PactBook, datetime], Awaitable[None]]
_USE_CASES: dict[_UseCase, tuple[type[Event], ...]] = {
    arm: (LeadAssigned, LeadReassigned, LeadHeld),
    disarm: WORKED,
    close: (LeadClosed,),
    mind_absences: (RepAbsencesChanged,),
}


def timer_consumer(book: PactBook, clock: Clock) -> Consumer:
    """The consumer group `sla-timer` on the topic of leads."""
    handlers: dict[type[Event], Handler] = {}
    for use_case, events in _USE_CASES.items():
        handlers |= dict.fromkeys(events, _handler(use_case, book, clock))
    return Consumer(CONSUMER, handlers, clock)


def _handler(use_case: _UseCase, book: PactBook, clock: Clock) -> Handler:
    async def handle(tx: Transaction, received: Sequence[Received]) -> None:
        await use_case(tx, received, book, clock.now())

    return handle
