"""Cut a year into the stretches in which one zone keeps one offset from UTC.

Inside such a stretch local wall time and UTC differ by a constant, so everything that is awkward about
daylight saving (skipped hours, repeated hours, half-hour steps, a day left out at the date line) is
reduced to where the stretches begin and end. `zoneinfo` does not publish its transitions, so they are
found by looking at the offset every second day and halving the interval in which it changed. That is
exact as long as no zone changes its offset twice within two days; since 1970 none has done so within
six, which a test reads from the compiled tz database itself.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PROBE_SECONDS = 2 * 86_400


class Stretch(NamedTuple):
    """UTC seconds since 1970, half open, in which local time is UTC plus `offset` seconds."""

    start: int
    end: int
    offset: int


def year_start(year: int) -> int:
    """The first second of a UTC year, in seconds since 1970."""
    return (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)


@lru_cache(maxsize=4096)
def stretches(zone: ZoneInfo, year: int) -> tuple[Stretch, ...]:
    """The stretches that together cover one UTC year without gaps, in order."""
    end = year_start(year + 1)
    found = []
    start = before = year_start(year)
    offset = _offset_at(zone, start)
    while before < end:
        after = min(before + _PROBE_SECONDS, end)
        if _offset_at(zone, after) != offset:
            change = _first_second_off(zone, before, after, offset)
            found.append(Stretch(start, change, offset))
            start, offset = change, _offset_at(zone, change)
        before = after
    if start < end:
        found.append(Stretch(start, end, offset))
    return tuple(found)


def _first_second_off(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The second in (before, after] at which the zone leaves `offset`."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset_at(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows its offset; this tells the type checker
    return int(offset.total_seconds())
