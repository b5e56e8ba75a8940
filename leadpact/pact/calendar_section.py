"""Read a calendar of the pact: weekly hours, public holidays, closed days and days with hours of their own.

    timezone: Europe/Berlin
    hours: {mon-thu: "09:00-12:30 13:30-18:00", fri: "09:00-16:00"}
    holidays: {country: DE, subdivision: BE, plus: [2026-12-24], minus: [Women's Day]}
    closed: [2026-12-24, {from: 2026-12-28, to: 2026-12-31}]
    exceptions: {2026-12-23: "09:00-12:00"}

`hours: always` is around the clock. An interval that ends before it starts ends on the next day. `minus`
takes holidays away and `plus` adds some, by date or by name; names are those of the `holidays` package, in
the country's language or in English. A name stands for the holiday and for the day off given instead of it
("Christmas Day (observed)").
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from itertools import combinations
from typing import Annotated, Literal, NamedTuple

import holidays as public_holidays
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from leadpact.domain.time_zones import available_timezones
from leadpact.domain.working_calendar import (
    DAY_SECONDS,
    Interval,
    WorkingCalendar,
    check_day,
    check_weekly_hours,
)
from leadpact.pact.base import PactSection, mistake
from leadpact.pact.words import nearest, nearest_country, one_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LOOSE_RANGE = re.compile(r"[-–—]|\bto\b")
_MISSPELT_PERCENT = 75

_INTERVAL = re.compile(r"([0-9]{1,2}):([0-9]{2})[-–]([0-9]{1,2}):([0-9]{2})")
_LOOSE_INTERVAL = re.compile(r"([0-9]{1,2})(?:[:.]?([0-5][0-9]))?h?[-–]([0-9]{1,2})(?:[:.]?([0-5][0-9]))?h?")
_EVERY_DAY = "every day"
_AROUND_THE_CLOCK = {_EVERY_DAY: "00:00-24:00"}
_YEARS_WITH_NAMES = range(2020, 2031)
"""Not every holiday comes every year; a name that occurs in none of these is a mistake."""


def weekdays(words: str) -> tuple[int, ...]:
    """The weekdays (0 is Monday) that `mon`, `mon-thu`, `sat,sun`, `fri-mon` or `every day` mean."""
    if words == _EVERY_DAY:
        return tuple(range(7))
    days = [day for part in words.split(",") for day in _from_to(part.strip(), words)]
    if len(set(days)) < len(days):
        raise mistake("each weekday once", reason=f"{words!r} names one twice")
    return tuple(days)


def hours_of_day(text: str) -> tuple[Interval, ...]:
    """The intervals that `09:00-12:30 13:30-18:00` or `22:00-06:00` mean; `closed` has none."""
    if text.strip() == "closed":
        return ()
    intervals = tuple(_interval(part, text) for part in _parts_of_day(text))
    if not intervals:
        raise mistake('hours such as "09:00-17:00", or the word closed')
    try:
        check_day(intervals)
    except ValueError as error:
        raise mistake("hours that can be kept", reason=str(error)) from error
    return intervals


def _from_to(part: str, words: str) -> tuple[int, ...]:
    first, dash, last = (word.strip() for word in part.partition("-"))
    for word in (first, last) if dash else (first,):
        if word not in WEEKDAYS:
            raise mistake(
                'weekdays such as "mon", "mon-thu", "sat,sun" or "every day"', _meant_weekdays(words)
            )
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return tuple(day % 7 for day in range(start, end + 1 if end >= start else end + 8))


def _meant_weekdays(words: str) -> str:
    """`Monday to fry` is mon-fri; an empty string if one of the words is no weekday's."""
    days = [
        [_meant_weekday(word.strip(" .")) for word in _LOOSE_RANGE.split(part, maxsplit=1)]
        for part in words.casefold().split(",")
    ]
    meant = ",".join("-".join(part) for part in days) if all(all(part) for part in days) else ""
    return meant or nearest(words, [_EVERY_DAY], alike_percent=_MISSPELT_PERCENT)


def _meant_weekday(word: str) -> str:
    if not word.isalpha():
        return ""  # more than a weekday: "mon/fri" is not Monday alone
    if word[:3] in WEEKDAYS:
        return word[:3]
    # By likeness alone, "lun" would be Sunday.
    whole, short = ([day for day in days if day[0] == word[:1]] for days in (_WHOLE_NAMES, WEEKDAYS))
    return nearest(word, whole, alike_percent=_MISSPELT_PERCENT)[:3] or nearest(word, short)


def _interval(part: str, text: str) -> Interval:
    found = _INTERVAL.fullmatch(part)
    if found is None:
        raise mistake('an interval such as "09:00-17:00"', _meant_hours(text))
    opens, closes = _second(found[1], found[2]), _second(found[3], found[4])
    if opens == closes:
        raise mistake('an interval that ends after it starts; a whole day is "00:00-24:00"')
    return Interval(opens, closes if closes > opens else closes + DAY_SECONDS)


def _meant_hours(text: str) -> str:
    """`9-12:30 13:30-18` is 09:00-12:30 13:30-18:00; an empty string if one of the parts is no interval or they cannot be kept."""
    parts = [part if _INTERVAL.fullmatch(part) else _meant_interval(part) for part in _parts_of_day(text)]
    try:
        return " ".join(parts) if all(parts) and hours_of_day(" ".join(parts)) else ""
    except PydanticCustomError:
        return ""


def _meant_interval(part: str) -> str:
    """`9-17` and `9.00-17.00h` are 09:00-17:00; of `9-5` nobody knows whether it goes on into the night."""
    found = _LOOSE_INTERVAL.fullmatch(part)
    if found is None or int(found[1]) >= int(found[3]):
        return ""
    return f"{int(found[1]):02}:{found[2] or '00'}-{int(found[3]):02}:{found[4] or '00'}"


def _parts_of_day(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _second(hours: str, minutes: str) -> int:
    second = int(hours) * 3600 + int(minutes) * 60
    if int(minutes) > 59 or second > DAY_SECONDS:
        raise mistake("times of day from 00:00 to 24:00")
    return second


def _weekly_hours(hours: Mapping[str, str]) -> dict[int, tuple[Interval, ...]]:
    return {day: hours_of_day(text) for words, text in hours.items() for day in weekdays(words)}


def _date(found: object) -> object:
    """A date, as YAML reads it or as text."""
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    try:
        return date.fromisoformat(str(found))
    except ValueError:
        raise mistake("a date such as 2026-12-24") from None


def _date_or_name(found: object) -> object:
    return found if isinstance(found, str) and not found[:1].isdigit() else _date(found)


def _span(found: object) -> object:
    """A single date is a span of one day."""
    return found if isinstance(found, dict | DaySpan) else {"from": _date(found), "to": _date(found)}


def _weekly(found: object) -> object:
    if found == "always":
        return _AROUND_THE_CLOCK
    if not isinstance(found, dict):
        raise mistake('hours per weekday, such as {mon-fri: "09:00-17:00"}, or the word always')
    return found


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise mistake(
            "a time zone of the IANA list, such as Europe/Berlin", nearest(name, available_timezones())
        )
    return name


def _known_country(code: str) -> str:
    countries = _subdivisions()
    if code not in countries:
        raise mistake(
            "the two letters of a country with known holidays, such as DE",
            meant if (meant := nearest_country(code)) in countries else nearest(code, countries),
        )
    return code


def _checked_weekdays(words: str) -> str:
    weekdays(words)
    return words


def _checked_hours(text: str) -> str:
    hours_of_day(text)
    return text


Day = Annotated[date, BeforeValidator(_date)]
DayOrName = Annotated[date | str, BeforeValidator(_date_or_name)]
Hours = Annotated[str, AfterValidator(_checked_hours)]
Weekdays = Annotated[str, AfterValidator(_checked_weekdays)]


class DaySpan(PactSection):
    """Days from one date to another, both included."""

    from_: Day = Field(alias="from")
    to: Day

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "DaySpan":
        if self.to < self.from_:
            raise mistake(f"a last day that is not before the first, {self.from_}")
        return self

    def days(self) -> list[date]:
        """Every date of it."""
        return [self.from_ + timedelta(days=n) for n in range((self.to - self.from_).days + 1)]


class HolidaySection(PactSection):
    """The public holidays of a country, of a subdivision if one is given, less `minus` and with `plus`."""

    country: Annotated[str, AfterValidator(_known_country)]
    subdivision: str | None = None
    plus: tuple[DayOrName, ...] = ()
    minus: tuple[DayOrName, ...] = ()

    def in_year(self, year: int) -> dict[date, str]:
        """The dates of a year and what is celebrated on them, in order."""
        kept = [holiday for holiday in self._public(year) if not holiday.is_any_of(self.minus)]
        added = [holiday for holiday in self._of_the_country(year) if holiday.is_any_of(self.plus)]
        named = {holiday.day: holiday.name for holiday in added + kept}
        own = {day: "extra holiday" for day in self.plus if isinstance(day, date) and day.year == year}
        return dict(sorted((own | named).items()))

    @field_validator("subdivision")
    @classmethod
    def _known_subdivision(cls, code: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country")
        if code is None or country is None:
            return code
        choices = _subdivisions()[country]
        if not choices:
            raise mistake(f"no subdivision: the holidays of {country} are the same everywhere")
        if code not in choices:
            meant = _subdivisions_by_name(country).get(code.casefold()) or nearest(code, choices)
            raise mistake(f"a subdivision of {country}: {one_of(choices)}", meant)
        return code

    @model_validator(mode="after")
    def _names_holidays_that_exist(self) -> "HolidaySection":
        for day in self.minus:
            if isinstance(day, date) and not any(holiday.day == day for holiday in self._public(day.year)):
                raise mistake(f"holidays of {self._where} to take away", reason=f"{day} is none")
        self._refuse_unknown_names(self.minus, self._public, f"holidays of {self._where} to take away")
        self._refuse_unknown_names(
            self.plus, self._of_the_country, f"holidays somewhere in {self.country} to add"
        )
        return self

    @property
    def _where(self) -> str:
        return f"{self.country}-{self.subdivision}" if self.subdivision else self.country

    def _public(self, year: int) -> "tuple[_Holiday, ...]":
        return _holidays(self.country, self.subdivision, year)

    def _of_the_country(self, year: int) -> "tuple[_Holiday, ...]":
        """The holidays of all subdivisions, if any name asks for one that is not its own."""
        if not any(isinstance(day, str) for day in self.plus):
            return ()
        return _holidays_anywhere(self.country, year)

    @staticmethod
    def _refuse_unknown_names(
        days: Sequence[date | str], known: "Callable[[int], tuple[_Holiday, ...]]", expected: str
    ) -> None:
        for name in days:
            if isinstance(name, date) or any(
                holiday.is_any_of((name,)) for year in _YEARS_WITH_NAMES for holiday in known(year)
            ):
                continue
            names = {holiday.name for year in _YEARS_WITH_NAMES for holiday in known(year)}
            raise mistake(expected, nearest(name, names), reason=f"none is called {name!r}")


class CalendarSection(PactSection):
    """When people work. See the module for how it is written."""

    timezone: Annotated[str, AfterValidator(_known_zone)]
    hours: Annotated[
        dict[Weekdays, Hours],
        BeforeValidator(_weekly, json_schema_input_type=dict[str, str] | Literal["always"]),
    ]
    holidays: HolidaySection | None = None
    closed: tuple[Annotated[DaySpan, BeforeValidator(_span, json_schema_input_type=date | DaySpan)], ...] = ()
    exceptions: dict[Day, Hours] = Field(default_factory=dict)

    def build(self) -> WorkingCalendar:
        """The calendar, made once."""
        return self.in_timezone(self.timezone)

    def in_timezone(self, timezone: str) -> WorkingCalendar:
        """The same hours and days off as somebody in another zone keeps them, made once per zone.

        These are the hours of a rep who has no calendar of their own. Raises ValueError for an unknown zone.
        """
        if timezone not in self._calendars:
            self._calendars[timezone] = WorkingCalendar(
                timezone, self.weekly(), holidays=self.holidays_in, exceptions=self.exceptional_days()
            )
        return self._calendars[timezone]

    def weekly(self) -> dict[int, tuple[Interval, ...]]:
        """The intervals of each weekday that is named; 0 is Monday."""
        return _weekly_hours(self.hours)

    def holidays_in(self, year: int) -> dict[date, str]:
        """The public holidays of a year and their names, whether or not an exception opens them."""
        return self.holidays.in_year(year) if self.holidays else {}

    def exceptional_days(self) -> dict[date, tuple[Interval, ...]]:
        """The dates that have their own hours; none when closed."""
        closed: dict[date, tuple[Interval, ...]] = {day: () for span in self.closed for day in span.days()}
        return closed | {day: hours_of_day(text) for day, text in self.exceptions.items()}

    @cached_property
    def _calendars(self) -> dict[str, WorkingCalendar]:
        return {}

    @field_validator("hours")
    @classmethod
    def _each_weekday_once(cls, hours: dict[str, str]) -> dict[str, str]:
        for (one, _), (other, _) in combinations(hours.items(), 2):
            for day in set(weekdays(one)) & set(weekdays(other)):
                raise mistake("each weekday once", reason=f"{WEEKDAYS[day]} is in {one!r} and in {other!r}")
        try:
            check_weekly_hours(_weekly_hours(hours))
        except ValueError as error:
            raise mistake("hours that can be kept", reason=str(error)) from error
        return hours

    @model_validator(mode="after")
    def _can_be_kept(self) -> "CalendarSection":
        closed = {day for span in self.closed for day in span.days()}
        for day in closed & set(self.exceptions):
            raise mistake("each date once", reason=f"{day} is closed and also has hours of its own")
        try:
            self.build()
        except ValueError as error:
            raise mistake("hours that can be kept", reason=str(error)) from error
        return self


class _Holiday(NamedTuple):
    day: date
    name: str
    also_called: frozenset[str]

    def is_any_of(self, days: Sequence[date | str]) -> bool:
        return any(
            day == self.day or (isinstance(day, str) and day.casefold() in self.also_called) for day in days
        )


@cache
def _subdivisions() -> dict[str, list[str]]:
    return public_holidays.list_supported_countries(include_aliases=False)


def _subdivisions_by_name(country: str) -> dict[str, str]:
    """What the holidays package calls a country's subdivisions beside their codes, in lower case: `bavaria` and `bayern` are BY."""
    aliases = public_holidays.country_holidays(country).get_subdivision_aliases()
    return {name.casefold(): code for code, names in aliases.items() for name in names}


@lru_cache(maxsize=2048)
def _holidays(country: str, subdivision: str | None, year: int) -> tuple[_Holiday, ...]:
    """One entry per holiday, in English where the package knows it."""
    calendar = public_holidays.country_holidays(country)
    languages = {"en_US", calendar.default_language or "en_US"}
    translations = [
        public_holidays.country_holidays(country, subdivision, years=year, language=language)
        for language in sorted(languages, key="en_US".__ne__)
    ]
    return tuple(
        _Holiday(day, english, frozenset(_spellings(names.get(day, "") for names in translations)))
        for day, english in sorted(translations[0].items())
    )


@lru_cache(maxsize=256)
def _holidays_anywhere(country: str, year: int) -> tuple[_Holiday, ...]:
    everywhere = [None, *_subdivisions()[country]]
    return tuple({holiday for place in everywhere for holiday in _holidays(country, place, year)})


def _spellings(names: Iterable[str]) -> Iterator[str]:
    """Each name of a day in lower case, and without a remark such as "(observed)"."""
    for name in names:
        for one in name.split(public_holidays.HOLIDAY_NAME_DELIMITER):
            yield one.casefold()
            yield re.sub(r"\s*\(.*\)$", "", one).casefold()
