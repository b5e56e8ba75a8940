"""Know who has had a lead, what they did with it, and for which of the person's requests. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadpact_router.lead import Lead


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody's turn with a lead, and what they did with it."""

    assignment_id: UUID
    rep_id: str
    hop: int
    accepted_at: datetime | None = None
    contacted_at: datetime | None = None
    contact_channel: str | None = None
    ended_at: datetime | None = None
    ended_as: str | None = None
    tried_at: datetime | None = None
    """When they first tried to reach the person, or agreed on a meeting."""
    meeting_agreed_at: datetime | None = None
    """When they first agreed with the person on a meeting, whenever that is to be."""

    @property
    def has_reached(self) -> bool:
        """Whether they reached the person."""
        return self.contacted_at is not None

    def has_done(self, stops: Collection[str]) -> bool:
        """Whether they did any of what stops a clock, in the pact's words."""
        done = {
            "accepted": self.accepted_at is not None,
            "contacted": self.has_reached,
            "meeting_booked": self.meeting_agreed_at is not None,
            "rejected": self.ended_as == "rejected",
        }
        return any(done.get(stop, False) for stop in stops)

    @property
    def answered_at(self) -> datetime | None:
        """When they first spoke with the person, or agreed on a meeting."""
        return min((at for at in (self.contacted_at, self.meeting_agreed_at) if at is not None), default=None)

    @property
    def gave_up_at(self) -> datetime | None:
        """When they gave the lead back, or sales was done with it while they had it."""
        return self.ended_at if self.ended_as in ("rejected", "closed") else None

    @property
    def first_touch_at(self) -> datetime | None:
        """When they first did something for it."""
        touches = (self.accepted_at, self.contacted_at, self.tried_at)
        return min((at for at in touches if at is not None), default=None)

    @property
    def is_touched(self) -> bool:
        """Whether they did anything for it."""
        return self.first_touch_at is not None


Owners = tuple[Owner, ...]
"""Who has had a lead, in order."""


def in_present_round(lead: Lead, ever: Owners) -> Owners:
    """Those of ``ever`` who have had the lead since the person asked for what they wait for now.

    A round begins with hop 1. A lead at hop 0 has had nobody in it, whoever had it in the rounds before.
    """
    if lead.hop == 0:
        return ()
    first = max(place for place, owner in enumerate(ever) if owner.hop == 1)
    return ever[first:]


def since_given_up(ever: Owners) -> Owners:
    """Those of ``ever`` who have had the lead since sales last gave it back or was done with it: in this round or one that went over into it."""
    given_up = [place for place, owner in enumerate(ever) if owner.gave_up_at is not None]
    return ever[given_up[-1] + 1 :] if given_up else ever
