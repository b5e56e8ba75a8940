"""Say exactly what a clock on the wall shows, also in the hours that summer time repeats or skips.

In a repeated hour one wall time stands for two instants, in a skipped hour for none. Python tells the two
apart by `fold` (PEP 495): the first pass is fold 0, the second fold 1.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def clock_time(at: datetime) -> str:
    """The time of day of an aware local datetime: `10:00`, `10:00:59`, in an hour that repeats `02:30 CEST`."""
    shown = f"{at:%H:%M}" if not (at.second or at.microsecond) else at.time().isoformat()
    return f"{shown} {_pass(at)}" if is_repeated(at) else shown


def date_and_time(at: datetime, zone: str) -> str:
    """`Tue 26 May 2026 11:05 Europe/Berlin`, to the second."""
    local = at.astimezone(ZoneInfo(zone)).replace(microsecond=0)
    return f"{local:%a %d %b %Y} {clock_time(local)} {zone}"


def is_repeated(at: datetime) -> bool:
    """Whether the clocks show this wall time twice."""
    first, second = _offsets(at)
    return first > second


def is_skipped(at: datetime) -> bool:
    """Whether the clocks never show this wall time."""
    first, second = _offsets(at)
    return first < second


def _pass(at: datetime) -> str:
    """Which pass of a repeated hour it is, by the zone's abbreviation; by its offset where both have the same one."""
    named = at.replace(fold=0).tzname() != at.replace(fold=1).tzname()
    return f"{at:%Z}" if named else f"UTC{at:%z}"


def _offsets(at: datetime) -> tuple[timedelta, timedelta]:
    """The offsets from UTC of its two passes, which are one outside of an hour that is repeated or skipped."""
    first, second = at.replace(fold=0).utcoffset(), at.replace(fold=1).utcoffset()
    if first is None or second is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return first, second
