"""Say of one rep whether they can be given a lead, and if not, the one reason they are passed over.

Reasons are asked in a fixed order and the first that holds is the one shown: not on the roster, inactive, had
this lead before, offline, away, at the daily limit, at the open limit. Outside working hours is not a reason by
itself: a lead that comes at night goes to somebody who opens next; the pool compares who that is
(`decide.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from leadpact.domain.working_calendar import WorkingCalendar


@dataclass(frozen=True, slots=True)
class Absence:
    """Away in [starts_at, ends_at)."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Rep:
    """Somebody who works leads.

    ``calendar`` names one of the pact's; None is the pool's hours in the rep's own zone.
    """

    id: str
    name: str
    email: str
    timezone: str
    calendar: str | None = None
    active: bool = True
    open_limit: int | None = None
    daily_limit: int | None = None
    absences: tuple[Absence, ...] = ()
    absences_revision: int = 0
    offline_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a rep has on the desk: leads that wait for their first touch, and leads given today in the rep's
    own zone.
    """

    open: int = 0
    today: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Who has as many is passed over; None is no limit."""

    open: int | None = None
    daily: int | None = None

    def narrowed(self, other: Limits) -> Limits:
        """The lower of both."""
        return Limits(_lower(self.open, other.open), _lower(self.daily, other.daily))


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Why somebody cannot be given the lead: ``kind`` in few words for counting, ``because`` in full."""

    kind: str
    because: str


NOT_ON_THE_ROSTER = PassedOver("not on the roster", "nobody of that name is on the roster")
INACTIVE = PassedOver("inactive", "inactive")
HAD_IT_BEFORE = PassedOver("had it before", "had this lead before")


def offline(rep: Rep) -> PassedOver | None:
    """That the rep missed a promise and has not returned since. It says nothing of others: leads wait for them."""
    if rep.offline_since is None:
        return None
    since = shown(rep.offline_since, rep.timezone)
    return PassedOver("offline", f"offline since {since} after a missed promise")


def away(rep: Rep, now: datetime) -> PassedOver | None:
    """The absence that keeps the rep from being given anything at ``now``."""
    ends_at = _absent_until(rep, now)
    return PassedOver("away", f"away until {shown(ends_at, rep.timezone)}") if ends_at is not None else None


def opens_at(rep: Rep, calendar: WorkingCalendar, now: datetime) -> datetime:
    """When the rep is next at work: ``now`` itself if they are, and not during an absence."""
    return calendar.next_open(now, pauses=[(absence.starts_at, absence.ends_at) for absence in rep.absences])


def over_limit(load: Load, limits: Limits) -> PassedOver | None:
    """The limit that the rep has reached."""
    if limits.daily is not None and load.today >= limits.daily:
        return PassedOver("at the daily limit", f"at the daily limit: {load.today} of {limits.daily} today")
    if limits.open is not None and load.open >= limits.open:
        return PassedOver("at the open limit", f"at the open limit: {load.open} of {limits.open} untouched")
    return None


def shown(at: datetime, timezone: str) -> str:
    """An instant as its rep reads it."""
    return f"{at.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M} ({timezone})"


def _absent_until(rep: Rep, now: datetime) -> datetime | None:
    """The end of the absence that covers ``now``, run on through those that follow without a gap."""
    until = None
    for absence in sorted(rep.absences, key=lambda one: one.starts_at):
        if absence.starts_at <= (until or now) < absence.ends_at:
            until = absence.ends_at
    return until


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
