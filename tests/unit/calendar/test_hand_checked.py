"""Every case of hand_checked.txt is answered as it was worked out by hand."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.calendar_section import CalendarSection
from leadpact.pact.yaml_tree import read_yaml

CASES = Path(__file__).with_name("hand_checked.txt")
TIME = r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?[Z~]?"
DURATION = r"\d+:\d\d(?::\d\d)?"


class Case(NamedTuple):
    line: int
    calendar: str
    question: str
    answer: str


def cases() -> Iterator[Case]:
    calendar = ""
    for number, text in enumerate(CASES.read_text().splitlines(), start=1):
        if heading := re.match(r"\[.*", text):
            calendar = heading[0]
        elif " = " in text and not text.startswith("#"):
            question, answer_and_source = text.split(" = ", 1)
            answer, source = answer_and_source.split("#", 1)
            assert source.strip(), f"line {number} has no source"
            yield Case(number, calendar, question.strip(), answer.strip())


@cache
def calendar_of(heading: str) -> WorkingCalendar:
    _name, hours = re.fullmatch(r"\[([^]]*)\] (.*)", heading).groups()  # type: ignore[union-attr]  # fails the test
    if hours == "both":
        office = {"hours": {"mon-fri": "09:00-17:00"}}
        berlin, new_york = (
            CalendarSection.model_validate({"timezone": zone, **office}).build()
            for zone in ("Europe/Berlin", "America/New_York")
        )
        return berlin.intersect(new_york)
    return CalendarSection.model_validate(read_yaml(hours, CASES.name).data).build()


def instant(text: str, zone: str) -> datetime:
    weekday, rest = text.rstrip("Z~").split(" ", 1)
    wall = datetime.fromisoformat(rest)
    assert wall.strftime("%a") == weekday, f"{rest} is a {wall:%A}"
    tzinfo = UTC if text.endswith("Z") else ZoneInfo(zone)
    return wall.replace(tzinfo=tzinfo, fold=int(text.endswith("~")))


def duration(text: str) -> timedelta:
    hours, minutes, seconds = (int(part) for part in [*text.split(":"), "0"][:3])
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def answered(calendar: WorkingCalendar, question: str) -> datetime | timedelta | str:
    zone = calendar.timezone
    question, *pausing = question.split(" pausing ")
    pauses = [(instant(a, zone), instant(b, zone)) for a, b in (pause.split(" .. ") for pause in pausing)]
    if found := re.fullmatch(rf"({TIME}) \+ ({DURATION})", question):
        return calendar.add(instant(found[1], zone), duration(found[2]), pauses=pauses)
    if found := re.fullmatch(rf"next ({TIME})", question):
        return calendar.next_open(instant(found[1], zone), pauses=pauses)
    if found := re.fullmatch(rf"open ({TIME})", question):
        return "yes" if calendar.is_open(instant(found[1], zone), pauses=pauses) else "no"
    found = re.fullmatch(rf"(hours )?({TIME}) \.\. ({TIME})", question)
    assert found, f"cannot read {question!r}"
    a, b = instant(found[2], zone), instant(found[3], zone)
    if not found[1]:
        return calendar.between(a, b, pauses=pauses)
    return ", ".join(
        f"{opens.astimezone(ZoneInfo(zone)):%H:%M}-{_closing(closes, zone)}"
        for opens, closes in calendar.intervals(a, b, pauses=pauses)
    )


def _closing(closes: datetime, zone: str) -> str:
    return f"{closes.astimezone(ZoneInfo(zone)):%H:%M}".replace("00:00", "24:00")


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"line {case.line}")
def test_a_case_worked_out_by_hand(case: Case) -> None:
    calendar = calendar_of(case.calendar)

    answer = answered(calendar, case.question)

    if isinstance(answer, datetime):
        assert answer == instant(case.answer, calendar.timezone).astimezone(UTC)
        assert answer.tzinfo is UTC
    elif isinstance(answer, timedelta):
        assert answer == duration(case.answer)
    else:
        assert answer == case.answer


def test_there_are_at_least_150_cases() -> None:
    assert len(list(cases())) >= 150
