"""Read the short phrases a pact is written in: `500 per month`, `45 EUR`, `14 days`, `80%`, `5 within 10 business days`.

Each becomes a value that prints as it is written, so that a pact read, dumped and read again is the same pact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from leadpact.domain.business_duration import (
    AmbiguousDuration,
    BusinessDuration,
    WallDuration,
    parse_duration,
)
from leadpact.domain.wall_time import is_skipped
from leadpact.pact.base import mistake
from leadpact.pact.words import respelt

Duration = BusinessDuration | WallDuration
"""How long something may take, in working time or in wall time."""

_CAP = r"([1-9]\d{0,8}) per (day|week|month)"
_MONEY = r"(\d{1,9}(?:\.\d{1,2})?) ([A-Z]{3})"
_HALF_LIFE = r"([1-9]\d{0,3}) (hour|day|week)s?"
_PERCENT = r"([1-9]\d?)%"
_PACE = r"([1-9]\d{0,5}) per hour"
_ATTEMPTS = r"([1-9]\d?)(?: attempts?)? within (.+?)(?: over ([1-9]\d?) channels?)?"
_UNITS = ("second", "seconds", "minute", "minutes", "hour", "hours", "day", "days")
_OF_DURATIONS = ("business", *_UNITS, "and")
_OF_ATTEMPTS = (*_OF_DURATIONS, "attempt", "attempts", "within", "over", "channel", "channels")
_LOCAL_TIME = r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d) ([A-Za-z][\w+-]*(?:/[\w+-]+)*)"


_PER = re.compile(r" ?/ ?| an? ")
_LONGEST = 80  # what is longer is no phrase, and each of its words would be looked up
_A_DURATION = 'a length of time such as "2 business hours", "1 business day" or "24 hours"'
_CURRENCY_CODES = """
    AED AUD BGN BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS INR ISK JPY KRW MXN NOK NZD PLN RON SAR SEK SGD TRY USD ZAR
"""
_CURRENCIES = frozenset(_CURRENCY_CODES.split())
"""Those that letters are taken for in a suggestion; a pact may name any."""


def _groups(pattern: str, found: object) -> tuple[str, ...] | None:
    match = re.fullmatch(pattern, found.strip(), re.ASCII) if isinstance(found, str) else None
    return match.groups() if match else None


def _meant(found: object, words: Collection[str], is_right: Callable[[str], object]) -> str:
    """The phrase that ``found`` is a misspelling of, by the words that such a phrase has; an empty string if it is none."""
    if not isinstance(found, str) or len(found) > _LONGEST:
        return ""
    meant = respelt(found, words)
    return meant if is_right(meant) else ""


def _meant_rate(found: object, words: Collection[str], pattern: str) -> str:
    """The same of so many in a time, which is also written `500/month` or `500 a month`."""
    rate = _PER.sub(" per ", found) if isinstance(found, str) else found
    return _meant(rate, ("per", *words), lambda meant: _groups(pattern, meant))


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` leads in each calendar day, week or month."""

    count: int
    per: Literal["day", "week", "month"]

    def __str__(self) -> str:
        return f"{self.count} per {self.per}"


def _read_cap(found: object) -> Cap:
    groups = _groups(_CAP, found)
    if groups is None:
        suggestion = _meant_rate(found, ("day", "week", "month"), _CAP)
        raise mistake('a cap such as "500 per month", by day, week or month', suggestion)
    return Cap(int(groups[0]), cast("Literal['day', 'week', 'month']", groups[1]))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its ISO 4217 currency."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def _read_money(found: object) -> Money:
    groups = _groups(_MONEY, found)
    if groups is None:
        raise mistake('an amount with its currency, such as "45 EUR"', _meant_money(found))
    return Money(Decimal(groups[0]), groups[1])


def _meant_money(found: object) -> str:
    """`45 eur` and `EUR 45` are 45 EUR."""
    groups = _groups(r"([A-Za-z]{3})? ?([\d.]+) ?([A-Za-z]{3})?", found)
    before, amount, after = (part or "" for part in groups or ("", "", ""))
    currency = f"{before}{after}".upper()
    meant = f"{amount} {currency}"
    return meant if currency in _CURRENCIES and _groups(_MONEY, meant) else ""


def _read_half_life(found: object) -> timedelta:
    groups = _groups(_HALF_LIFE, found)
    if groups is None:
        suggestion = _meant(found, (*_UNITS, "week", "weeks"), lambda meant: _groups(_HALF_LIFE, meant))
        raise mistake('a length of wall time in hours, days or weeks, such as "14 days"', suggestion)
    return timedelta(**{f"{groups[1]}s": int(groups[0])})


def _print_half_life(span: timedelta) -> str:
    hours = span // timedelta(hours=1)
    return f"{hours} hours" if hours % 24 else f"{hours // 24} days"


def _read_duration(found: object) -> Duration:
    if not isinstance(found, str):
        raise mistake(_A_DURATION)
    return _duration(found, lambda: _meant(found, _OF_DURATIONS, _is_duration))


def _duration(text: str, suggest: Callable[[], str]) -> Duration:
    """``suggest`` says what was meant by all that is written, of which ``text`` may be a part."""
    try:
        return parse_duration(text)
    except AmbiguousDuration as error:
        raise mistake(_A_DURATION, reason=str(error)) from error
    except ValueError as error:
        raise mistake(_A_DURATION, suggest(), reason=str(error)) from error
    except OverflowError as error:
        raise mistake(_A_DURATION, reason="this is longer than a calendar reaches") from error


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except (ValueError, OverflowError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Share:
    """So much of the time is used, in percent."""

    percent: int

    def __str__(self) -> str:
        return f"{self.percent}%"


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """So much of the time is left."""

    time: Duration

    def __str__(self) -> str:
        return f"{self.time} left"


def _read_warning(found: object) -> Share | TimeLeft:
    groups = _groups(_PERCENT, found)
    if groups is not None:
        return Share(int(groups[0]))
    if isinstance(found, str) and found.rstrip().endswith(" left"):
        return TimeLeft(_duration(found.rstrip().removesuffix(" left"), lambda: _meant_warning(found)))
    raise mistake(
        'a share from 1% to 99%, or time left such as "15 business minutes left"', _meant_warning(found)
    )


def _meant_warning(found: object) -> str:
    if share := _groups(r"([1-9]\d?) ?(?:%|per ?cent)", found):
        return f"{share[0]}%"
    return _meant(
        found,
        (*_OF_DURATIONS, "left"),
        lambda meant: meant.endswith(" left") and _is_duration(meant.removesuffix(" left")),
    )


@dataclass(frozen=True, slots=True)
class Attempts:
    """At least ``count`` attempts within a length of time, over at least so many different channels."""

    count: int
    within: Duration
    channels: int = 1

    def __str__(self) -> str:
        over = f" over {self.channels} channels" if self.channels > 1 else ""
        return f"{self.count} within {self.within}{over}"


def _read_attempts(found: object) -> Attempts:
    groups = _groups(_ATTEMPTS, found)
    if groups is None:
        raise mistake('attempts such as "5 within 10 business days over 2 channels"', _meant_attempts(found))
    attempts = Attempts(
        int(groups[0]), _duration(groups[1], lambda: _meant_attempts(found)), int(groups[2] or 1)
    )
    if attempts.channels > attempts.count:
        raise mistake("at most as many channels as attempts")
    return attempts


def _meant_attempts(found: object) -> str:
    return _meant(found, _OF_ATTEMPTS, _is_attempts)


def _is_attempts(text: str) -> bool:
    groups = _groups(_ATTEMPTS, text)
    return groups is not None and _is_duration(groups[1])


def _read_pace(found: object) -> int:
    groups = _groups(_PACE, found)
    if groups is None:
        raise mistake('a pace such as "60 per hour"', _meant_rate(found, ("hour",), _PACE))
    return int(groups[0])


def _print_pace(per_hour: int) -> str:
    return f"{per_hour} per hour"


def _read_local_time(found: object) -> datetime:
    groups = _groups(_LOCAL_TIME, found)
    if groups is None:
        raise mistake('a local time with its zone, such as "2026-04-24T18:00 Europe/Berlin"')
    try:
        zone = ZoneInfo(groups[1])
    except (KeyError, ValueError, OSError) as error:  # unknown, or the name of a folder of zones
        raise mistake('a time zone of the IANA list, such as "Europe/Berlin"') from error
    try:
        local = datetime.fromisoformat(groups[0]).replace(tzinfo=zone)
    except ValueError as error:
        raise mistake("a date and a time of day that exist") from error
    if is_skipped(local):
        raise mistake("a time that exists: the clocks skip this hour when summer time begins")
    return local


def _print_local_time(local: datetime) -> str:
    return f"{local:%Y-%m-%dT%H:%M} {local.tzinfo}"


CapText = Annotated[
    Cap,
    PlainValidator(_read_cap),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_CAP}$", "examples": ["500 per month"]}),
]
MoneyText = Annotated[
    Money,
    PlainValidator(_read_money),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_MONEY}$", "examples": ["45 EUR"]}),
]
DurationText = Annotated[
    Duration,
    PlainValidator(_read_duration),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2 business hours", "1 business day", "24 hours"]}),
]
HalfLifeText = Annotated[
    timedelta,
    PlainValidator(_read_half_life),
    PlainSerializer(_print_half_life, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_HALF_LIFE}$", "examples": ["14 days"]}),
]
"""Wall time: interest cools on Sundays too."""
WarningText = Annotated[
    Share | TimeLeft,
    PlainValidator(_read_warning),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_PERCENT}|.+ left)$",
            "examples": ["80%", "15 business minutes left"],
        }
    ),
]
AttemptsText = Annotated[
    Attempts,
    PlainValidator(_read_attempts),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_ATTEMPTS}$",
            "examples": ["5 within 10 business days over 2 channels"],
        }
    ),
]
PaceText = Annotated[
    int,
    PlainValidator(_read_pace),
    PlainSerializer(_print_pace, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PACE}$", "examples": ["60 per hour"]}),
]
"""So many an hour."""
LocalTimeText = Annotated[
    datetime,
    PlainValidator(_read_local_time),
    PlainSerializer(_print_local_time, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_LOCAL_TIME}$", "examples": ["2026-04-24T18:00 Europe/Berlin"]}
    ),
]
"""An aware moment; of an hour that comes twice, the first."""
