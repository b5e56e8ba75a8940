"""A clock on the wall is read exactly, also where it shows a time twice or never."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from leadpact.domain.wall_time import clock_time, is_repeated, is_skipped


def local(text: str, zone: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (local("2026-11-23 10:00", "Europe/Berlin"), "10:00"),
        (local("2026-11-23 10:00:59", "Europe/Berlin"), "10:00:59"),
        (local("2026-11-23 10:00:00.25", "Europe/Berlin"), "10:00:00.250000"),
        (datetime(2026, 11, 23, 10, tzinfo=UTC), "10:00"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")), "02:30 CEST"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")), "02:30 CET"),
        (local("2026-10-25 02:00:01", "Europe/Berlin"), "02:00:01 CEST"),
    ],
)
def test_a_clock_time_says_seconds_and_the_pass_only_where_they_tell_something(
    at: datetime, said: str
) -> None:
    assert clock_time(at) == said


def test_a_repeated_hour_ends_where_the_clocks_are_set_back_from() -> None:
    assert clock_time(local("2026-10-25 01:59:59", "Europe/Berlin")) == "01:59:59"
    assert clock_time(local("2026-10-25 02:59:59", "Europe/Berlin")) == "02:59:59 CEST"
    assert clock_time(local("2026-10-25 03:00", "Europe/Berlin")) == "03:00"


def test_passes_of_one_abbreviation_are_told_apart_by_their_offsets() -> None:
    # Moscow's standard time moved from +04 to +03 in 2014 and kept its name.
    passes = [local("2014-10-26 01:30", "Europe/Moscow", fold=fold) for fold in (0, 1)]
    assert [clock_time(one) for one in passes] == ["01:30 UTC+0400", "01:30 UTC+0300"]


def test_a_skipped_time_is_none_that_repeats() -> None:
    assert is_skipped(local("2026-03-29 02:00", "Europe/Berlin"))
    assert is_skipped(local("2026-03-29 02:59:59", "Europe/Berlin"))
    assert not is_skipped(local("2026-03-29 03:00", "Europe/Berlin"))
    assert not is_repeated(local("2026-03-29 02:30", "Europe/Berlin"))
    assert is_skipped(local("2011-12-30 12:00", "Pacific/Apia"))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        clock_time(datetime.fromisoformat("2026-11-23 10:00"))
