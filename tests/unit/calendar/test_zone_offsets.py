"""Every change of offset that the compiled tz database knows is found, in every zone."""

import struct
from collections.abc import Iterator
from datetime import UTC
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from leadpact.domain.zone_offsets import EPOCH, stretches, year_start

TZDATA = files("tzdata") / "zoneinfo"
SOME = [
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/St_Johns",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]


def changes_in_file(data: bytes) -> list[tuple[int, int]]:
    """(second, new offset) from the 64-bit block of a TZif file (RFC 9636); mere changes of name left out."""
    start = 0
    for time_size in (4, 8):
        isut, isstd, leaps, times, types, letters = struct.unpack(">6l", data[start + 20 : start + 44])
        start += 44
        if time_size == 4:
            start += times * 5 + types * 6 + letters + leaps * 8 + isstd + isut
    at = struct.unpack(f">{times}q", data[start : start + 8 * times])
    of_type = data[start + 8 * times : start + 9 * times]
    records = start + 9 * times
    offsets = [struct.unpack(">l", data[records + 6 * n : records + 6 * n + 4])[0] for n in range(types)]
    found: list[tuple[int, int]] = []
    before = offsets[0]
    for second, index in zip(at, of_type, strict=True):
        if offsets[index] != before:
            before = offsets[index]
            found.append((second, before))
    return found


def zone_and_changes(key: str) -> tuple[ZoneInfo, list[tuple[int, int]]]:
    path = TZDATA.joinpath(*key.split("/"))
    with path.open("rb") as file:
        zone = ZoneInfo.from_file(file, key=key)
    return zone, changes_in_file(path.read_bytes())


def changes_found(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[tuple[int, int]]:
    for year in range(first_year, last_year + 1):
        for before, after in pairwise(stretches(zone, year)):
            assert before.end == after.start
            yield after.start, after.offset


@pytest.mark.parametrize("key", SOME)
def test_every_recorded_change_since_1970_is_found(key: str) -> None:
    zone, recorded = zone_and_changes(key)
    last_recorded, _ = recorded[-1]  # later ones follow a rule, at most twice a year
    last_year = EPOCH.fromtimestamp(last_recorded, UTC).year

    found = [change for change in changes_found(zone, 1970, last_year) if change[0] <= last_recorded]

    assert found == [(second, offset) for second, offset in recorded if second > year_start(1970)]


def test_no_zone_changes_its_offset_twice_within_the_days_between_two_looks() -> None:
    shortest = min(
        later - earlier
        for key in (files("tzdata") / "zones").read_text().split()
        for (earlier, _), (later, _) in pairwise(zone_and_changes(key)[1])
        if earlier >= 0
    )
    assert shortest > 6 * 86_400
