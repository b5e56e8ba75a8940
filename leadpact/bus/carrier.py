"""Say what a carrier must do; who carries is decided in ``main()``.

A *carrier* brings the log's messages to consumer groups. There are two: PostgreSQL alone (`carriers/postgres.py`) and Kafka
(`carriers/kafka.py`, fed by `relay.py`). Both give the same promises, and one contract suite checks both:

* a group sees every message of its topics at least once, from the beginning of the log, however often it is killed;
* messages of one topic with one key arrive in the order they were announced, and never at two instances of the group at a time;
* the position moves in the same transaction as the effect, so an effect is applied exactly once; what is delivered
  again is recognised by the inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from leadpact.events.base import Message, Topic
from leadpact.storage.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a carrier hands it over, with the place it came from.

    ``message`` is None when the record is no readable envelope at all; ``raw`` and ``unreadable`` then say what came and why.
    """

    topic: str
    position: str
    message: Message | None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""


# What a consumer does with a batch, inside the transaction that also moves the group's position.
ApplyBatch = Callable[[Transaction, Sequence[Delivery]], Awaitable[None]]


class Reader(Protocol):
    """One instance of a consumer group."""

    async def start(self) -> None:
        """Join the group. Raises ``Transient`` while the carrier is away."""
        ...

    async def run_once(self, apply: ApplyBatch) -> bool:
        """Read one bounded batch and apply it, in one transaction. True if more is waiting."""
        ...

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when there may be something to read, or at the stop."""
        ...

    async def stop(self) -> None:
        """Leave the group. Does not raise and does not take longer than a few seconds."""
        ...


class Carrier(Protocol):
    """Makes readers."""

    def reader(self, consumer: str, topics: Sequence[Topic]) -> Reader:
        """A new instance of the group ``consumer`` that reads ``topics``."""
        ...
