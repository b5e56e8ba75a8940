"""Answer a calendar's questions by looking at one second after the other.

A second opinion on business time that shares no code and no idea with the real one: no tables, no
transitions, no arithmetic on spans. It asks what a clock on the wall shows, looks up which shift that falls
into, and counts. Slow on purpose. `step_seconds` may be 60 where every edge, the zone's included, falls on a
whole minute.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Shift = tuple[int, int]
Pauses = Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True)
class SecondStepper:
    """Hours as one reads them off the door: shifts in seconds since midnight, by weekday and by date."""

    timezone: str
    weekly: Mapping[int, Sequence[Shift]]
    holidays: Collection[date] = ()
    exceptions: Mapping[date, Sequence[Shift]] = field(default_factory=dict)
    step_seconds: int = 1

    def is_open(self, at: datetime, pauses: Pauses = ()) -> bool:
        if any(paused <= at < resumed for paused, resumed in pauses):
            return False
        wall = at.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        return self._in_shift_of(wall.date(), wall) or self._in_shift_of(
            wall.date() - timedelta(days=1), wall
        )

    def between(self, a: datetime, b: datetime, pauses: Pauses = ()) -> timedelta:
        seconds, at = 0, a
        while at < b:
            if self.is_open(at, pauses):
                seconds += self.step_seconds
            at = self._tick(at)
        return timedelta(seconds=seconds)

    def add(self, start: datetime, duration: timedelta, pauses: Pauses = ()) -> datetime:
        at, left = self.next_open(start, pauses), duration
        while left:
            if self.is_open(at, pauses):
                left -= timedelta(seconds=self.step_seconds)
            at = self._tick(at)
        return at.astimezone(UTC)

    def next_open(self, at: datetime, pauses: Pauses = ()) -> datetime:
        while not self.is_open(at, pauses):
            at = self._tick(at)
        return at.astimezone(UTC)

    def intervals(self, a: datetime, b: datetime, pauses: Pauses = ()) -> list[tuple[datetime, datetime]]:
        found: list[tuple[datetime, datetime]] = []
        at = a.astimezone(UTC)
        while at < b:
            after = self._tick(at)
            if self.is_open(at, pauses):
                joined = found.pop()[0] if found and found[-1][1] == at else at
                found.append((joined, after))
            at = after
        return found

    def _in_shift_of(self, day: date, wall: datetime) -> bool:
        since_midnight = (wall - datetime.combine(day, time())) // timedelta(seconds=1)
        return any(opens <= since_midnight < closes for opens, closes in self._shifts(day))

    def _shifts(self, day: date) -> Sequence[Shift]:
        if day in self.exceptions:
            return self.exceptions[day]
        return () if day in self.holidays else self.weekly.get(day.weekday(), ())

    def _tick(self, at: datetime) -> datetime:
        return at.astimezone(UTC) + timedelta(seconds=self.step_seconds)
