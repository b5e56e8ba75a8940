"""When something happened, out of what exports write: ISO, epochs, spreadsheet serials, month names, slashes.

A time without a zone is read in the zone that the caller assumes, and the answer says so. Whether `03/04` is
March or April is never guessed from one value: a whole column may settle it (`day_first_of`), else the caller does.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from leadpact_ingest.normalise.text import clean

Precision = Literal["second", "minute", "date"]

EARLIEST_YEAR = 1990
LATEST_YEAR = 2100
"""Outside of these a value is a typing slip or a placeholder (`1900-01-00`, `9999-12-31`), not a visit."""

_SERIAL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  (a spreadsheet serial has no zone)
_SERIALS = range(30_000, 60_000)  # 1982 to 2064; smaller numbers are counts, larger ones are ids
_EPOCH_SECONDS = range(631_152_000, 4_102_444_800)  # 1990 to 2100

_CLOCK = (
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
)
_ZONE = r"(?P<zone>z|utc|gmt|[a-z]{3,4}|(?:utc|gmt)?[+-]\d{1,2}:?(?:\d{2})?)"
_CLOCK_AND_ZONE = rf"{_CLOCK}(?:\s*uhr)?(?:\s*\(?{_ZONE}\)?)?"
_REST = rf"(?:(?:[t,\s]|\s(?:at|um|à|a las)\s)+{_CLOCK_AND_ZONE})?"
_DATES = tuple(
    re.compile(rf"(?:[a-zäéû]+\.?,?\s+)?{written}{_REST}", re.IGNORECASE)
    for written in (
        r"(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        r"(?P<first>\d{1,2})[-/.]\s?(?P<other>\d{1,2})[-/.]\s?(?P<year>\d{4}|\d{2})",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.|º|er)?[-\s](?:de\s)?(?P<name>[^\W\d]{3,12})\.?[-,\s]\s?(?:de\s)?(?P<year>\d{4}|\d{2})",
        r"(?P<name>[^\W\d]{3,12})\.?\s(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s(?P<year>\d{4})",
    )
)
_COMPACT = re.compile(
    r"(?P<date>\d{8})t?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>z)?", re.IGNORECASE
)
_TIME_ONLY = re.compile(_CLOCK_AND_ZONE, re.IGNORECASE)
_MIDNIGHT = re.compile(r"[t\s]0?0:00(?::00)?$", re.IGNORECASE)
_SLASHED = re.compile(r"(\d{1,2})[-/.]\s?(\d{1,2})[-/.]\s?(?:\d{4}|\d{2})(?!\d)")

_MONTHS = {
    prefix: month
    for month, prefixes in enumerate(
        (
            "jan gen ene jän", "feb fev fév", "mar mär mrz maa", "apr avr abr", "may mai mag mei maj", "jun juin giu",
            "jul juil lug", "aug aou aoû ago", "sep set", "oct okt ott out", "nov", "dec dez déc dic",
        ),
        start=1,
    )
    for prefix in prefixes.split()
}  # fmt: skip
"""English, German, French, Spanish, Italian, Portuguese and Dutch month names by how they begin."""

_ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 60, "west": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120,
    "eest": 180, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "jst": 540, "kst": 540, "sgt": 480, "aest": 600, "aedt": 660,
}  # fmt: skip
"""Minutes east of UTC. `IST` is missing on purpose: it is Indian, Irish or Israeli."""


class When(NamedTuple):
    """An instant in UTC, how exactly it was stated, and the zone assumed because none was stated."""

    at: datetime
    precision: Precision
    assumed_zone: str | None


def read_when(values: Sequence[str], *, zone: str, day_first: bool | None = None) -> When | None:
    """The first instant that `values` state, a date and a time in two cells being one; None if they state none.

    `zone` is the IANA name assumed for values without one. `day_first` settles `03/04/2026`; None leaves such a
    value unread unless it settles itself (`25/03/2026`). A date alone is noon there, so that no zone moves its day.
    """
    texts = [clean(value) for value in values]
    clock = next((text for text in texts if _TIME_ONLY.fullmatch(text)), None)
    if clock:
        texts = [f"{_MIDNIGHT.sub('', text)} {clock}" for text in texts] + texts
    readings = [reading for text in texts if (reading := _read(text, zone, day_first))]
    return next(
        (reading for reading in readings if reading.precision != "date"), readings[0] if readings else None
    )


def day_first_of(values: Iterable[str]) -> bool | None:
    """Whether a column's slashed dates start with the day; None if no value settles it or two contradict."""
    verdicts = set()
    for value in values:
        slashed = _SLASHED.search(value)
        if slashed:
            first, other = int(slashed[1]), int(slashed[2])
            verdicts |= ({True} if first > 12 else set()) | ({False} if other > 12 else set())
    return verdicts.pop() if len(verdicts) == 1 else None


def _read(text: str, zone: str, day_first: bool | None) -> When | None:
    number = _number(text)
    if number is not None:
        return _from_number(number, zone)
    compact = _COMPACT.fullmatch(text)
    if compact:
        text = f"{compact['date']} {compact['hour']}:{compact['minute']}:{compact['second'] or '00'}{compact['zone'] or ''}"
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match:
            return _from_words(match.groupdict(), zone, day_first)
    return None


def _number(text: str) -> float | None:
    """Serials and epochs; eight digits are a compact date and no number."""
    return float(text) if re.fullmatch(r"\d{5,7}|\d{5}\.\d+|\d{9,10}(?:\.\d+)?|\d{12,13}", text) else None


def _from_number(number: float, zone: str) -> When | None:
    if int(number) in _SERIALS:
        moment = (_SERIAL_EPOCH + timedelta(days=number) + timedelta(milliseconds=500)).replace(microsecond=0)
        if number == int(number):
            return _on(moment.date(), zone)
        return When(moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), "second", zone)
    for seconds in (number, number / 1_000):
        if int(seconds) in _EPOCH_SECONDS:
            return When(datetime.fromtimestamp(seconds, UTC), "second", None)
    return None


def _from_words(words: dict[str, str | None], zone: str, day_first: bool | None) -> When | None:
    day = _date(words, day_first)
    if day is None or not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
        return None
    if words["hour"] is None:
        return _on(day, zone)
    clock = _time(words)
    if clock is None:
        return None
    precision: Precision = "minute" if words["second"] is None else "second"
    stated = words["zone"]
    if stated is None:
        return When(datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC), precision, zone)
    offset = _offset(stated.lower())
    return When((datetime.combine(day, clock, offset)).astimezone(UTC), precision, None) if offset else None


def _on(day: date, zone: str) -> When:
    return When(datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC), "date", zone)


def _date(words: dict[str, str | None], day_first: bool | None) -> date | None:
    month = _month(words)
    day = words.get("day")
    if words.get("first"):
        first, other = int(words["first"] or 0), int(words["other"] or 0)
        if day_first is None and first <= 12 and other <= 12 and first != other:
            return None
        starts_with_day = first > 12 if first > 12 or other > 12 else day_first
        month, day = (other, str(first)) if starts_with_day else (first, str(other))
    year = words["year"] or ""
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), month or 0, int(day or 0))
    except ValueError:
        return None


def _month(words: dict[str, str | None]) -> int | None:
    name, number = words.get("name"), words.get("month")
    if name:
        lower = name.lower()
        return _MONTHS.get(lower[:4]) or _MONTHS.get(lower[:3])
    return int(number) if number else None


def _time(words: dict[str, str | None]) -> time | None:
    hour, minute, second = (int(words[unit] or 0) for unit in ("hour", "minute", "second"))
    half = (words["half"] or "")[:1].lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, minute, min(second, 59))
    except ValueError:
        return None


def _offset(stated: str) -> timezone | None:
    if stated in _ZONES:
        return timezone(timedelta(minutes=_ZONES[stated]))
    sign = re.fullmatch(r"(?:utc|gmt)?([+-])(\d{1,2}):?(\d{2})?", stated)
    if not sign or int(sign[2]) > 14:
        return None
    minutes = int(sign[2]) * 60 + int(sign[3] or 0)
    return timezone(timedelta(minutes=-minutes if sign[1] == "-" else minutes))
