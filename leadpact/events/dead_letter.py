"""What is said when a message could not be applied: it is kept, with the reason and where it came from."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from leadpact.events.base import Event, Topic


class MessageDeadLettered(Event):
    """A consumer group set a message aside. Its body stays in the dead-letter table, which can replay it."""

    TYPE: ClassVar[str] = "leadpact.message.dead_lettered.v1"
    TOPIC: ClassVar[Topic] = Topic.DEAD_LETTER

    dead_letter_id: UUID
    consumer: str
    origin_topic: str
    origin_position: str
    origin_type: str
    origin_key: str
    reason: str
    origin_receipt_id: UUID | None = None
    """The receipt that the message spoke of, if it named one: what became of a post is told without its body."""

    @property
    def key(self) -> str:
        return self.origin_key
