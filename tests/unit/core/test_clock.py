"""The clock follows the database's time and is never ahead of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadpact.clock import READINGS_TO_TRUST_A_STEP, DatabaseClock, ScaledClock

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


class Host:
    """A database clock and a host's monotonic clock that a test moves by hand."""

    def __init__(self) -> None:
        self.database = NOON
        self.monotonic_seconds = 1_000.0
        self.answer_takes = timedelta(0)
        self.clock = DatabaseClock(self._read, monotonic=lambda: self.monotonic_seconds)

    async def _read(self) -> datetime:
        shown = self.database
        self.pass_time(self.answer_takes)
        return shown

    def pass_time(self, by: timedelta) -> None:
        self.database += by
        self.monotonic_seconds += by.total_seconds()


async def test_it_must_be_read_before_it_is_asked() -> None:
    with pytest.raises(RuntimeError, match="synchronise"):
        Host().clock.now()


async def test_between_readings_it_runs_with_the_hosts_monotonic_clock() -> None:
    host = Host()
    await host.clock.synchronise()
    host.pass_time(timedelta(minutes=3))
    assert host.clock.now() == NOON + timedelta(minutes=3)


async def test_a_slow_answer_makes_it_late_and_never_early() -> None:
    host = Host()
    host.answer_takes = timedelta(seconds=1)
    await host.clock.synchronise()
    assert host.clock.now() == host.database - timedelta(seconds=1)


async def test_a_slow_answer_sets_no_time_back() -> None:
    host = Host()
    await host.clock.synchronise()
    host.answer_takes = timedelta(seconds=1)
    await host.clock.synchronise()
    assert host.clock.now() == host.database
    host.answer_takes = timedelta(0)
    host.database -= timedelta(milliseconds=5)
    await host.clock.synchronise()
    assert host.clock.now() == host.database, "never ahead of the database"


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
async def test_a_step_is_not_followed_until_readings_confirm_it(jump: timedelta) -> None:
    host = Host()
    await host.clock.synchronise()
    host.database += jump

    for _ in range(READINGS_TO_TRUST_A_STEP - 1):
        await host.clock.synchronise()
        assert host.clock.now() == host.database - jump
        assert not host.clock.is_steady
    await host.clock.synchronise()

    assert host.clock.now() == host.database
    assert host.clock.is_steady


async def test_one_wild_reading_changes_nothing() -> None:
    host = Host()
    await host.clock.synchronise()
    host.database += timedelta(hours=5)
    await host.clock.synchronise()
    host.database -= timedelta(hours=5)
    await host.clock.synchronise()
    assert host.clock.now() == host.database
    assert host.clock.is_steady


async def test_small_corrections_are_followed_at_once() -> None:
    host = Host()
    await host.clock.synchronise()
    host.database += timedelta(milliseconds=300)
    await host.clock.synchronise()
    assert host.clock.now() == host.database
    assert host.clock.is_steady


def test_the_scaled_clock_runs_at_its_rate_and_says_how_long_to_wait() -> None:
    seconds = 50.0
    clock = ScaledClock(NOON, 60, monotonic=lambda: seconds)
    seconds = 51.0
    assert clock.now() == NOON + timedelta(minutes=1)
    assert clock.seconds_until(NOON + timedelta(minutes=3)) == pytest.approx(2.0)


def test_a_scaled_clock_goes_on_from_the_present_instant_at_its_new_rate() -> None:
    seconds = 50.0
    clock = ScaledClock(NOON, 60, monotonic=lambda: seconds)
    seconds = 51.0
    clock.run_at(1)
    assert clock.now() == NOON + timedelta(minutes=1)
    seconds = 61.0
    assert clock.now() == NOON + timedelta(minutes=1, seconds=10)
    assert clock.seconds_until(NOON + timedelta(minutes=2)) == pytest.approx(50.0)
