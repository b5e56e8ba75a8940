"""Apply every message of a group's topics exactly once, many in one transaction, and let no bad one sink the others.

A batch passes four steps inside the transaction that also moves the group's position:

1. **inbox**: types that this consumer does not handle are passed over, what it has seen before is dropped;
2. **decode**: what cannot be read is set aside;
3. **waves**: the rest is handed to the handlers, in waves that never bring forward a message past an earlier one of its key;
4. **set aside**: a wave that raises is undone (savepoint) and halved until the message that cannot be applied stands alone; that one
   goes to the dead letters, the others are applied.

Savepoints are two round trips for each wave, and nearly every batch needs none. So a batch runs without them at first; one that raises is undone
whole (`Undone`) and comes again, and it and the next ones run under savepoints.

A passing fault (`Transient`) undoes the whole batch and it comes again; a wave that a statement's time limit ended is halved first. When most of what arrives is poison, the mistake is
more likely ours than the senders': the consumer stands still (`TooMuchPoison`) with nothing more committed, instead of draining the
topic into the dead letters. What counts is what is stored: a batch that was rolled back has judged nobody, and a restart forgets
nothing. The process lives on, since the dead letters are settled through it, and the consumer goes on by itself: with a version
that can apply what comes, or once somebody has settled enough of what was set aside.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from leadpact.bus.carrier import Delivery, Reader
from leadpact.bus.dead_letters import SetAside, set_aside, set_aside_lately
from leadpact.clock import Clock, wait_for
from leadpact.errors import LeadpactError, Poison, Transient
from leadpact.events import EVENTS
from leadpact.events.base import Event, Message, decode
from leadpact.storage.inbox import record_new
from leadpact.storage.unit_of_work import Transaction, is_passing, took_too_long

log = structlog.get_logger(__name__)


class TooMuchPoison(Transient):
    """Most of the latest messages could not be applied: somebody should look before more is set aside."""


class Undone(Transient):
    """Something in the batch cannot be applied, and nothing of it was: it comes again, and then that one alone is set aside."""


# How many batches run under savepoints after one that raised. It is among the next few, whichever shard or instance they come from;
# should it come later, it costs one more batch that is undone.
_CAREFUL_BATCHES = 100


@dataclass(frozen=True, slots=True)
class Received:
    """A message and the event that was inside."""

    message: Message
    event: Event


# A handler gets events of its types, in log order, and applies them all or raises. It may meet several events of one lead.
Handler = Callable[[Transaction, Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Item:
    delivery: Delivery
    received: Received


class Consumer:
    """One group's way of applying messages. ``handlers`` maps an event class to what is done with a batch of them.

    A handler is called with a sequence of ``Received`` whose ``event`` is of its class, or of one of those that share the handler.
    """

    def __init__(
        self,
        name: str,
        handlers: dict[type[Event], Handler],
        clock: Clock,
        *,
        poison_window: int = 200,
        poison_minimum: int = 20,
    ) -> None:
        self.name = name
        self._handlers = handlers
        self._known = {event.TYPE: event for event in EVENTS if event in handlers}
        self._clock = clock
        self._poison_window = poison_window
        self._poison_minimum = poison_minimum
        self._careful_for = 0

    async def run_once(self, reader: Reader) -> bool:
        """Apply what ``reader`` reads, one bounded batch. True if more is waiting."""
        try:
            return await reader.run_once(self.apply)
        except Undone:
            return True

    async def apply(self, tx: Transaction, deliveries: Sequence[Delivery]) -> None:
        """Apply one batch in ``tx``. Raises ``Undone`` if that takes a second try, for which ``tx`` is of no use."""
        rejected: list[SetAside] = []
        fresh = await self._unseen(tx, deliveries, rejected)
        items = [item for delivery in fresh if (item := self._decoded(delivery, rejected))]
        groups = waves(items, self._handlers)
        if self._careful_for:
            self._careful_for -= 1
            for wave in groups:
                rejected.extend(await self._apply_halving(tx, wave))
        else:
            await self._apply_all(tx, groups)
        if rejected:
            await set_aside(tx, self.name, rejected, self._clock.now())
            await self._stop_if_most_is_poison(tx, rejected[-1].reason)

    async def _unseen(
        self, tx: Transaction, deliveries: Sequence[Delivery], rejected: list[SetAside]
    ) -> list[Delivery]:
        readable: dict[object, Delivery] = {}
        for delivery in deliveries:
            if delivery.message is None:
                rejected.append(SetAside(delivery, "the record is no readable event", delivery.unreadable))
            elif delivery.message.type in self._known:
                readable.setdefault(delivery.message.id, delivery)
        ids = [delivery.message.id for delivery in readable.values() if delivery.message]
        new = await record_new(tx, self.name, ids) if ids else set()
        return [delivery for event_id, delivery in readable.items() if event_id in new]

    def _decoded(self, delivery: Delivery, rejected: list[SetAside]) -> _Item | None:
        assert delivery.message is not None
        try:
            event = decode(delivery.message, self._known)
        except Poison as error:
            rejected.append(SetAside(delivery, str(error), str(error)))
            return None
        return _Item(delivery, Received(delivery.message, event)) if event else None

    async def _apply_all(self, tx: Transaction, groups: Sequence[Sequence[_Item]]) -> None:
        """Apply everything, or raise ``Undone`` and be careful from now on."""
        wave: Sequence[_Item] = ()
        try:
            for wave in groups:
                await self._handler_of(wave)(tx, [item.received for item in wave])
        except Transient:
            raise
        except Exception as error:
            if is_passing(error) and not _is_too_much(error, sum(map(len, groups))):
                raise
            self._careful_for = _CAREFUL_BATCHES
            # Said here, too: what works at the second try leaves no other trace.
            log.warning(
                "consumer.batch_undone",
                consumer=self.name,
                type=wave[0].received.event.TYPE,
                reason=type(error).__name__,
            )
            raise Undone(f"a batch of {self.name} could not be applied as a whole") from error

    async def _apply_halving(self, tx: Transaction, items: Sequence[_Item]) -> list[SetAside]:
        """Apply what can be applied and return the rest, with the reason for each."""
        try:
            async with tx.savepoint():
                await self._handler_of(items)(tx, [item.received for item in items])
        except Transient:
            raise
        except Exception as error:
            if is_passing(error) and not _is_too_much(error, len(items)):
                raise
            if len(items) == 1:
                return [self._culprit(items[0], error)]
            middle = len(items) // 2
            return [
                *await self._apply_halving(tx, items[:middle]),
                *await self._apply_halving(tx, items[middle:]),
            ]
        return []

    def _handler_of(self, wave: Sequence[_Item]) -> Handler:
        return self._handlers[type(wave[0].received.event)]

    def _culprit(self, item: _Item, error: Exception) -> SetAside:
        reason = str(error) if isinstance(error, LeadpactError) else f"{type(error).__name__} while applying"
        log.error(
            "consumer.message_set_aside",
            consumer=self.name,
            event_id=str(item.received.message.id),
            event_type=item.received.message.type,
            reason=reason,
        )
        return SetAside(item.delivery, reason, "".join(traceback.format_exception(error)))

    async def _stop_if_most_is_poison(self, tx: Transaction, latest_reason: str) -> None:
        poison, of = await set_aside_lately(tx, self.name, self._poison_window)
        if of >= self._poison_minimum and poison * 2 > of:
            raise TooMuchPoison(
                f"{poison} of the last {of} messages of consumer {self.name} could not be applied; "
                f"the latest: {latest_reason}. Nothing of this batch was committed: settle the dead letters once you have looked."
            )


def _is_too_much(error: Exception, messages: int) -> bool:
    """What took too long in one piece may not in two. Alone, it is the database that is slow, and not the message that is bad."""
    return took_too_long(error) and messages > 1


def waves(items: Sequence[_Item], handlers: Mapping[type[Event], Handler]) -> list[list[_Item]]:
    """Group items by handler, keeping each key's order: an item joins the earliest group of its handler that stands
    behind every group holding an earlier item of its key for another handler.
    """
    groups: list[list[_Item]] = []
    takers: list[Handler] = []  # of each group
    behind: dict[str, int] = {}  # key -> the group that holds its latest item
    for item in items:
        key, handler = item.received.message.key, handlers[type(item.received.event)]
        start = behind.get(key, 0)
        for index in range(start, len(groups)):
            if takers[index] is handler:
                break
        else:
            index = len(groups)
            groups.append([])
            takers.append(handler)
        groups[index].append(item)
        behind[key] = index
    return groups


async def run_consumer(reader: Reader, consumer: Consumer, stop: asyncio.Event) -> None:
    """Read and apply until ``stop``. Passing faults are survived with back-off; anything else ends the loop and the process."""
    failures = 0
    started = False
    try:
        while not stop.is_set():
            try:
                if not started:
                    await reader.start()
                    started = True
                more = await consumer.run_once(reader)
                failures = 0
            except Transient as error:
                failures += 1
                say = log.error if isinstance(error, TooMuchPoison) else log.warning
                say("consumer.waits", consumer=consumer.name, failures=failures, reason=str(error))
                await wait_for(stop, backoff_seconds(failures))
                continue
            if not more:
                await reader.wait(stop)
    finally:
        await reader.stop()


def backoff_seconds(failures: int, *, at_most: float = 5.0) -> float:
    """Full jitter over 0.1 s, 0.2 s, 0.4 s … up to ``at_most``."""
    return random.uniform(0.02, min(at_most, 0.1 * 2 ** min(failures, 10)))  # noqa: S311 - spreads retries, guards nothing
