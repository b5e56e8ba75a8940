"""What the router says of a rep: when they are away, whether they are given leads. Keyed by rep."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from leadpact.events.base import Event, Topic
from leadpact.events.lead import Away


class RepEvent(Event):
    """An event about one rep, keyed by it."""

    TOPIC: ClassVar[Topic] = Topic.LEADS

    rep_id: str

    @property
    def key(self) -> str:
        return self.rep_id


class RepAbsencesChanged(RepEvent):
    """The absences that lie ahead of the rep are now these, and no others.

    ``revision`` counts the changes: of two announcements the one with the greater is the later, whatever their times say.
    """

    TYPE: ClassVar[str] = "leadpact.rep.absences_changed.v1"

    away: tuple[Away, ...] = ()
    revision: int = 0


class RepTakenOffline(RepEvent):
    """The rep missed a promise and is given no more leads until they return."""

    TYPE: ClassVar[str] = "leadpact.rep.taken_offline.v1"

    lead_id: UUID
    because: str


class RepReturned(RepEvent):
    """The rep is given leads again."""

    TYPE: ClassVar[str] = "leadpact.rep.returned.v1"
