"""The calendar section of a pact: what it means, and how its mistakes are told."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from leadpact.domain.working_calendar import Interval
from leadpact.pact.calendar_section import CalendarSection, hours_of_day, weekdays
from leadpact.pact.yaml_tree import read_yaml

HOUR = 3600
BERLIN = ZoneInfo("Europe/Berlin")
DACH = """
timezone: Europe/Berlin
hours: {mon-thu: "09:00-12:30 13:30-18:00", fri: "09:00-16:00"}
holidays: {country: DE, subdivision: BE, plus: [2026-12-24], minus: [2026-03-08]}
closed: [2026-12-24, {from: 2026-12-28, to: 2026-12-31}]
exceptions: {2026-12-23: "09:00-12:00"}
"""


def read(text: str) -> CalendarSection:
    return CalendarSection.model_validate(read_yaml(text, "calendar.yaml").data)


def mistakes(text: str) -> list[tuple[tuple[int | str, ...], dict[str, Any]]]:
    with pytest.raises(ValidationError) as refused:
        read(text)
    return [(error["loc"], error["ctx"]) for error in refused.value.errors()]


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("mon", (0,)),
        ("mon-thu", (0, 1, 2, 3)),
        ("sat,sun", (5, 6)),
        ("mon-wed, fri", (0, 1, 2, 4)),
        ("fri-mon", (4, 5, 6, 0)),
        ("every day", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_weekday_words(words: str, days: tuple[int, ...]) -> None:
    assert weekdays(words) == days


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("09:00-17:00", [(9 * HOUR, 17 * HOUR)]),
        ("9:00-12:30 13:30-18:00", [(9 * HOUR, 12.5 * HOUR), (13.5 * HOUR, 18 * HOUR)]),
        ("09:00-12:30, 13:30-18:00", [(9 * HOUR, 12.5 * HOUR), (13.5 * HOUR, 18 * HOUR)]),
        ("09:00–17:00", [(9 * HOUR, 17 * HOUR)]),
        ("22:00-06:00", [(22 * HOUR, 30 * HOUR)]),
        ("22:00-00:00", [(22 * HOUR, 24 * HOUR)]),
        ("00:00-24:00", [(0, 24 * HOUR)]),
        ("closed", []),
    ],
)
def test_hours_of_a_day(text: str, hours: list[tuple[int, int]]) -> None:
    assert hours_of_day(text) == tuple(Interval(*interval) for interval in hours)


def test_a_calendar_is_built_once_from_all_its_parts() -> None:
    section = read(DACH)
    calendar = section.build()
    assert section.build() is calendar
    assert calendar.timezone == "Europe/Berlin"
    assert calendar.business_day_length() == timedelta(hours=8)
    start = datetime(2026, 12, 23, 11, 30, tzinfo=BERLIN)
    assert calendar.add(start, timedelta(hours=1)) == datetime(2027, 1, 4, 9, 30, tzinfo=BERLIN)


@pytest.mark.parametrize("hours", ["always", '{every day: "00:00-24:00"}'])
def test_around_the_clock_is_said_in_either_way(hours: str) -> None:
    calendar = read(f"{{timezone: Europe/Berlin, hours: {hours}}}").build()
    start = datetime(2026, 10, 24, tzinfo=BERLIN)
    assert calendar.between(start, datetime(2026, 10, 26, tzinfo=BERLIN)) == timedelta(hours=49)


def test_a_section_dumped_as_json_reads_back_the_same() -> None:
    section = read(DACH)
    assert CalendarSection.model_validate_json(section.model_dump_json(by_alias=True)) == section


# Holidays


def holiday_names(holidays: str, year: int) -> dict[date, str]:
    return read(f'{{timezone: UTC, hours: {{mon-fri: "09:00-17:00"}}, holidays: {holidays}}}').holidays_in(
        year
    )


def test_holidays_are_those_of_the_subdivision() -> None:
    berlin, bavaria = (holiday_names(f"{{country: DE, subdivision: {code}}}", 2026) for code in ("BE", "BY"))
    assert berlin[date(2026, 3, 8)] == "Women's Day"
    assert date(2026, 3, 8) not in bavaria
    assert bavaria[date(2026, 1, 6)] == "Epiphany"
    assert date(2026, 1, 6) not in berlin


def test_without_holidays_christmas_is_a_working_day() -> None:
    calendar = read('{timezone: UTC, hours: {mon-fri: "09:00-17:00"}}').build()
    assert calendar.is_open(datetime(2026, 12, 25, 10, tzinfo=ZoneInfo("UTC")))


@pytest.mark.parametrize("name", ["Women's Day", "women's day", "Frauentag", "2026-03-08"])
def test_a_holiday_is_taken_away_by_date_or_by_name_in_either_language(name: str) -> None:
    assert date(2026, 3, 8) not in holiday_names(f'{{country: DE, subdivision: BE, minus: ["{name}"]}}', 2026)


def test_a_name_takes_away_every_year_and_a_date_only_one() -> None:
    by_name = "{country: DE, subdivision: BE, minus: [Frauentag]}"
    by_date = "{country: DE, subdivision: BE, minus: [2026-03-08]}"
    assert date(2027, 3, 8) not in holiday_names(by_name, 2027)
    assert date(2027, 3, 8) in holiday_names(by_date, 2027)


def test_a_name_also_takes_away_the_day_off_given_instead() -> None:
    kept = holiday_names("{country: US}", 2027)
    assert {date(2027, 12, 24), date(2027, 12, 25)} <= kept.keys()
    without = holiday_names("{country: US, minus: [Christmas Day]}", 2027)
    assert kept.keys() - without.keys() == {date(2027, 12, 24), date(2027, 12, 25)}


def test_a_holiday_of_another_subdivision_is_added_by_name() -> None:
    holidays = holiday_names("{country: DE, subdivision: BE, plus: [Reformationstag, 2026-12-24]}", 2026)
    assert holidays[date(2026, 10, 31)] == "Reformation Day"
    assert holidays[date(2026, 12, 24)] == "extra holiday"


def test_names_do_not_depend_on_the_machines_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    assert holiday_names("{country: DE, subdivision: TH}", 2031)[date(2031, 9, 20)] == "World Children's Day"


# Mistakes


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ("timezone: Europe/Berln", ("timezone",), "a time zone of the IANA list"),
        ("hours: 9 to 5", ("hours",), "hours per weekday"),
        ('hours: {mun: "09:00-17:00"}', ("hours", "mun", "[key]"), "weekdays such as"),
        ("hours: {mon: 9-17}", ("hours", "mon"), "an interval such as"),
        ('hours: {mon: "09:00-09:00"}', ("hours", "mon"), "ends after it starts"),
        ('hours: {mon: "09:00-25:00"}', ("hours", "mon"), "from 00:00 to 24:00"),
        ('hours: {mon: "09:60-10:00"}', ("hours", "mon"), "from 00:00 to 24:00"),
        ('hours: {mon: ""}', ("hours", "mon"), "or the word closed"),
        ('hours: {mon: "09:00-17:00 12:00-18:00"}', ("hours", "mon"), "hours overlap"),
        (
            'hours: {mon-fri: "09:00-17:00", fri: "09:00-16:00"}',
            ("hours",),
            "fri is in 'mon-fri' and in 'fri'",
        ),
        ('hours: {"mon,mon": "09:00-17:00"}', ("hours", "mon,mon", "[key]"), "names one twice"),
        ('hours: {sun: "22:00-06:00", mon: "05:00-09:00"}', ("hours",), "the next starts Monday 05:00"),
        ("hours: {mon: closed}", (), "closed for more than two years"),
        ("holidays: {country: GERMANY}", ("holidays", "country"), "two letters of a country"),
        ("holidays: {country: DE, subdivision: XX}", ("holidays", "subdivision"), "a subdivision of DE"),
        ("holidays: {country: VA, subdivision: X}", ("holidays", "subdivision"), "the same everywhere"),
        ("holidays: {country: DE, minus: [2026-03-09]}", ("holidays",), "2026-03-09 is none"),
        ("holidays: {country: DE, minus: [Womens Day]}", ("holidays",), "none is called 'Womens Day'"),
        ("holidays: {country: DE, plus: [Thanksgiving]}", ("holidays",), "somewhere in DE to add"),
        ('closed: ["24.12.2026"]', ("closed", 0), "a date such as"),
        ("closed: [2026-12-24T10:00:00]", ("closed", 0), "a date such as"),
        ("closed: [{from: 2026-12-31, to: 2026-12-28}]", ("closed", 0), "not before the first"),
        ("closed: [{from: 2027-01-01, to: 2029-12-31}]", (), "closed for more than two years"),
        ("closed: [2026-12-23]", (), "2026-12-23 is closed and also has hours of its own"),
        ("exceptions: {2026-12-23: noon}", ("exceptions", "2026-12-23"), "an interval such as"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_belongs_there(
    change: str, where: tuple[int | str, ...], said: str
) -> None:
    replaced = change.partition(":")[0]
    kept = [line for line in DACH.splitlines() if not line.startswith(replaced)]
    (loc, context), *others = mistakes("\n".join([*kept, change]))
    assert not others
    assert loc == where
    assert said in f"{context['expected']} {context['reason']}"


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("timezone: Europe/Berln", "Europe/Berlin"),
        ('hours: {thr: "09:00-17:00"}', "thu"),
        ("holidays: {country: DE, subdivision: be}", "BE"),
        ("holidays: {country: DE, subdivision: BE, minus: [Womens Day]}", "Women's Day"),
    ],
)
def test_the_word_that_was_meant_is_suggested(change: str, meant: str) -> None:
    replaced = change.partition(":")[0]
    kept = [line for line in DACH.splitlines() if not line.startswith(replaced)]
    ((_, context),) = mistakes("\n".join([*kept, change]))
    assert context["suggestion"] == meant


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="opens"):
        read(DACH + "opens: early\n")
