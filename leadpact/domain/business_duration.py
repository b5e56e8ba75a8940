"""Read how long something may take, and never confuse working time with wall time.

    2 business hours    90 business minutes    1 business day and 2 business hours
    24 hours            15 minutes

`business` counts only while a calendar is open; without it every second counts. A business day is the open
time of the calendar's usual weekday (`WorkingCalendar.business_day_length`). A bare day or week is refused,
because it could be either; so is a mixture of both kinds, whose meaning would depend on which of them runs
first. Amounts may have decimals, are more than zero, and come to whole seconds; business days to whole
seconds of the calendar's day.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from leadpact.domain.working_calendar import ALWAYS_OPEN, Pause, WorkingCalendar

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_PART = re.compile(r"(?P<amount>[0-9]{1,6}(?:\.[0-9]{1,6})?) ?(?P<business>business )?(?P<unit>[a-z]+)")

# What one such unit may mean: wall time, or working time.
_READINGS = {
    "day": ((24, "hour"), (1, "business day")),
    "d": ((24, "hour"), (1, "business day")),
    "week": ((168, "hour"), (5, "business day")),
    "w": ((168, "hour"), (5, "business day")),
    "h": ((1, "hour"), (1, "business hour")),
    "hr": ((1, "hour"), (1, "business hour")),
    "m": ((1, "minute"), (1, "business minute")),
    "min": ((1, "minute"), (1, "business minute")),
}


class AmbiguousDuration(ValueError):
    """The word could mean working time or wall time, and nobody but its writer knows which."""


@dataclass(frozen=True)
class BusinessDuration:
    """Working time: some business days, and some time beside them."""

    days: Fraction
    time: timedelta
    text: str

    def length(self, calendar: WorkingCalendar) -> timedelta:
        """The working time this is in a calendar, in whole seconds (a half second is dropped)."""
        days = self.days * (calendar.business_day_length() // timedelta(seconds=1))
        return timedelta(seconds=int(days)) + self.time

    def runs_on(self, calendar: WorkingCalendar) -> WorkingCalendar:
        """The calendar whose open time counts: the one given."""
        return calendar

    def due(self, start: datetime, calendar: WorkingCalendar, *, pauses: Sequence[Pause] = ()) -> datetime:
        """When it will have passed since `start`, in UTC."""
        return calendar.add(start, self.length(calendar), pauses=pauses)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class WallDuration:
    """Time that passes by night and on holidays too."""

    time: timedelta
    text: str

    def length(self, calendar: WorkingCalendar) -> timedelta:
        """The same in every calendar."""
        return self.time

    def runs_on(self, calendar: WorkingCalendar) -> WorkingCalendar:
        """The calendar whose open time counts: the one that is always open."""
        return ALWAYS_OPEN

    def due(self, start: datetime, calendar: WorkingCalendar, *, pauses: Sequence[Pause] = ()) -> datetime:
        """When it will have passed since `start`, in UTC."""
        return ALWAYS_OPEN.add(start, self.time, pauses=pauses)

    def __str__(self) -> str:
        return self.text


def parse_duration(text: str) -> BusinessDuration | WallDuration:
    """The duration that the pact's words say.

    Raises ValueError with a sentence; ``AmbiguousDuration``, which names both readings, for a word that could be working
    time or wall time.
    """
    words = " ".join(text.lower().split())
    parts = [_read(part, text) for part in words.split(" and ")]
    if len({business for business, _, _ in parts}) > 1:
        raise ValueError(f"{text!r} mixes business time and wall time; say it in one of them")
    days = sum((amount for _, amount, unit in parts if unit == "day"), Fraction(0))
    seconds = sum((amount * _SECONDS[unit] for _, amount, unit in parts if unit != "day"), Fraction(0))
    if days + seconds == 0:
        raise ValueError(f"{text!r} is no time at all; a target is more than zero")
    if seconds.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of seconds")
    time = timedelta(seconds=int(seconds))
    business, _, _ = parts[0]
    return BusinessDuration(days, time, words) if business else WallDuration(time, words)


def say(time: timedelta) -> str:
    """A length of time for people: `2 h`, `1 h 30 min`, `40 min`, `12 s`. Parts of a second are dropped."""
    minutes, seconds = divmod(time // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 min"


def _read(part: str, text: str) -> tuple[bool, Fraction, str]:
    """Of one part: whether it is business time, its amount, and its unit (second, minute, hour or day)."""
    found = _PART.fullmatch(part)
    if found is not None:
        amount, business, unit = (
            Fraction(found["amount"]),
            bool(found["business"]),
            found["unit"].removesuffix("s"),
        )
        if unit in _SECONDS or (business and unit == "day"):
            return business, amount, unit
        if unit in _READINGS and not business:
            wall, working = (_counted(amount * times, name) for times, name in _READINGS[unit])
            raise AmbiguousDuration(f"{text!r} could be {wall} or {working}; say which")
    raise ValueError(
        f"{text!r} is not a duration such as '2 business hours', '1 business day' or '24 hours'{_hint(text)}"
    )


def _hint(text: str) -> str:
    """What was meant, if it only has another word for business, a decimal comma, or no `and` between its parts."""
    words = " ".join(text.lower().split())
    meant = re.sub(r"\bworking\b", "business", re.sub(r"(?<=[0-9]),(?=[0-9])", ".", words))
    meant = re.sub(r"(?<=[a-z]) (?=[0-9])", " and ", meant.replace(" and ", " "))
    if meant == words:
        return ""
    try:
        parse_duration(meant)
    except ValueError:
        return ""
    return f"; did you mean {meant!r}?"


def _counted(amount: Fraction, unit: str) -> str:
    return f"{float(amount):g} {unit}{'' if amount == 1 else 's'}"
