"""Tell in which time zone a lead lives: as they said themselves, else by their phone number, else by their country.

A zone is only told if there is one answer. Zones that keep the same time from now on are one answer: Berlin and Büsingen are,
Madrid and the Canaries are not. So a number from New York has a zone, and `US` alone has none; nor has a mobile number
of a country with several. Most calling codes have one answer, and of those in North America the area code tells it,
so few numbers are parsed: this runs for every lead that is given away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, parse
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from leadpact.domain.time_zones import available_timezones

_SAID_AS = frozenset({"timezone", "time_zone", "tz"})
_LONGEST_KEY = max(map(len, _SAID_AS))
_NORTH_AMERICA = 1


def timezone_of(draft: Mapping[str, Any]) -> str | None:
    """The zone of whoever gave these answers (a lead's draft, as JSON); None if it cannot be told."""
    extras, phone, country = draft.get("extras"), draft.get("phone"), draft.get("country")
    return (
        (_said(extras) if extras else None)
        or (_of_phone(phone) if phone else None)
        or (_of_country(country) if country else None)
    )


def _said(extras: Mapping[str, Any]) -> str | None:
    """A zone that was sent along, as a browser knows its own."""
    for key, value in extras.items():
        if len(key) > _LONGEST_KEY or key.lower().replace(" ", "_") not in _SAID_AS:
            continue
        if isinstance(value, str) and value in available_timezones():
            return value
    return None


def _of_phone(phone: str) -> str | None:
    """What a number in E.164 says."""
    code = _calling_code(phone[1:4])
    if code == _NORTH_AMERICA:
        return _of_area(phone[1 : 1 + TIMEZONE_LONGEST_PREFIX])
    return (_of_calling_code(code) or _of_number(phone)) if code else None


@lru_cache(maxsize=1024)
def _calling_code(digits: str) -> int | None:
    """The calling code that a number begins with: none is the beginning of another."""
    codes = (int(digits[:length]) for length in range(1, len(digits) + 1) if digits.isdecimal())
    return next((code for code in codes if code in COUNTRY_CODE_TO_REGION_CODE), None)


@cache
def _of_calling_code(code: int) -> str | None:
    """What all its numbers say."""
    digits = str(code)
    below = (zones for prefix, zones in TIMEZONE_DATA.items() if prefix.startswith(digits))
    return _the_one({zone for zones in below for zone in zones}, code)


@lru_cache(maxsize=20_000)
def _of_area(digits: str) -> str | None:
    """What a number of the North American plan says that begins with ``digits``: there, mobiles are numbered like telephones at home."""
    beginnings = (digits[:length] for length in range(len(digits), 0, -1))
    known = next((beginning for beginning in beginnings if beginning in TIMEZONE_DATA), "")
    return _the_one(TIMEZONE_DATA.get(known, ()), _NORTH_AMERICA)


@lru_cache(maxsize=20_000)
def _of_number(phone: str) -> str | None:
    try:
        number = parse(phone)
    except NumberParseException:
        return None
    return _the_one(time_zones_for_number(number), number.country_code or 0)


@lru_cache(maxsize=512)
def _of_country(country: str) -> str | None:
    zones = _zones_by_country().get(country, ())
    return zones[0] if _agree(zones) else None


def _the_one(zones: Collection[str], code: int) -> str | None:
    """If they all keep the same time: the one that most people with this calling code would name."""
    if not _agree(zones):
        return None
    region = COUNTRY_CODE_TO_REGION_CODE.get(code, ("",))[0]
    named = _zones_by_country().get(region, ("",))[0]
    return named if named in zones else min(zones)


def _agree(zones: Collection[str]) -> bool:
    """Whether they are all known and keep the same time from now on."""
    return available_timezones().issuperset(zones) and len({_rule(zone) for zone in zones}) == 1


@cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    """The time zone database's own table: for each country its zones, the one of the most people first."""
    zones: dict[str, tuple[str, ...]] = {}
    for line in _tzdata().joinpath("zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            zones[country] = (*zones.get(country, ()), zone)
    return zones


@cache
def _rule(zone: str) -> str:
    """How the zone keeps time after everything that its file lists: the file's last line (RFC 9636)."""
    return _tzdata().joinpath(*zone.split("/")).read_bytes().rsplit(b"\n", 2)[-2].decode("ascii")


def _tzdata() -> Traversable:
    return resources.files("tzdata").joinpath("zoneinfo")
