"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TUESDAY_MORNING = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


class FakeClock:
    """Mirrors `leadpact.clock.Clock`."""

    def __init__(self, at: datetime = TUESDAY_MORNING) -> None:
        self._now = at
        self.is_steady = True

    def now(self) -> datetime:
        return self._now

    def seconds_until(self, at: datetime) -> float:
        return max(0.0, (at - self._now).total_seconds())

    def advance(self, by: timedelta) -> datetime:
        self._now += by
        return self._now

    def set(self, at: datetime) -> None:
        self._now = at
