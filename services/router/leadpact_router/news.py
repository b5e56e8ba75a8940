"""What a use case is told: an event of one kind, and the id by which it is named as a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from leadpact.bus.consume import Received
from leadpact.events import Event
from leadpact.ids import EventId

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class News(Generic[E]):
    """An event, and what everything that it leads to is caused by."""

    id: EventId
    event: E


def news(batch: Sequence[Received]) -> Sequence[News[Any]]:
    """The batch as the use cases take it. The consumer has seen to it that all events are of one class."""
    return [News(received.message.id, received.event) for received in batch]
