"""Define what crosses the bus: facts, in the past tense, that never change.

An ``Event`` is a frozen pydantic class named ``leadpact.<noun>.<past verb>.v1``. A consumer ignores fields it does
not know; fields are added and never repurposed; a break is a new version. A ``Message`` is an event in its envelope
(CloudEvents 1.0 attributes) as the log stores it and a carrier carries it.

One lead's events of one topic stay in order because they share a key: inbound events the person's identity key (normalised
e-mail, else phone, else receipt), all others the lead id.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from leadpact.errors import Poison
from leadpact.ids import EventId


class Topic(StrEnum):
    """The streams. Few and boring."""

    INBOUND = "leadpact.inbound"
    LEADS = "leadpact.leads"
    SLA = "leadpact.sla"
    DEAD_LETTER = "leadpact.dead-letter"


class Fact(BaseModel):
    """Part of an event: frozen, and deaf to fields of a later version."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Fact):
    """Something that happened. ``occurred_at`` is when it happened, not when we heard of it."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]

    occurred_at: AwareDatetime

    @property
    @abstractmethod
    def key(self) -> str:
        """Events of one topic with equal keys are applied in the order they were announced."""

    def to_json(self) -> str:
        """The data as it stands in the log and on the wire."""
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class Message:
    """An event in its envelope. ``data`` is the JSON text exactly as it was announced."""

    id: EventId
    type: str
    source: str
    topic: str
    key: str
    occurred_at: datetime
    data: str
    causation_id: EventId | None = None


def decode(message: Message, known: dict[str, type[Event]]) -> Event | None:
    """The event inside ``message``; None for a type that this consumer does not know; ``Poison`` if unreadable."""
    event_class = known.get(message.type)
    if event_class is None:
        return None
    try:
        return event_class.model_validate_json(message.data)
    except ValidationError as error:
        fields = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'data'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        )
        raise Poison(f"{message.type} is not readable: {fields}") from error
