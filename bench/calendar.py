"""Compare business time with the `businesstimedelta` package: same calendar, same 2,000 questions, same run.

Reports the ratio of the times for `add` and for `between`, how often both give the same answer, and that a
question over five years costs what one over a day does.
"""

import datetime as dt
from collections.abc import Callable
from functools import partial
from random import Random
from time import perf_counter
from typing import Any, TypeVar

import businesstimedelta  # type: ignore[import-untyped]  # ships no types
import pytz  # type: ignore[import-untyped]  # the only zones that businesstimedelta understands

from bench.report import Report
from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.calendar_section import CalendarSection

ZONE = "Europe/Berlin"
QUESTIONS = 2_000
YEARS = range(2024, 2030)
SPANS = {
    "1 day": dt.timedelta(days=1),
    "90 days": dt.timedelta(days=90),
    "5 years": dt.timedelta(days=5 * 365),
}
ROUNDS_OF_SPANS = 15
TIMES_AS_FAST = 100
FIVE_YEARS_IN_DAYS = 1.2  # the same, to what a clock can tell on a machine with other work
OFFICE = CalendarSection.model_validate(
    {
        "timezone": ZONE,
        "hours": {"mon-fri": "09:00-12:00 13:00-18:00"},
        "holidays": {"country": "DE", "subdivision": "BE"},
    }
)

Instants = list[tuple[dt.datetime, dt.timedelta]]
Answers = TypeVar("Answers")


def compare_calendars(report: Report) -> None:
    """Run everything and report it."""
    ours, theirs = OFFICE.build(), their_rules()
    random = Random(20_261_123)
    adds = questions(random, at_most=dt.timedelta(hours=40))
    spans = questions(random, at_most=dt.timedelta(days=30))

    our_dues, our_add = timed(lambda: [ours.add(start, amount) for start, amount in adds])
    their_dues, their_add = timed(lambda: [add_theirs(theirs, start, amount) for start, amount in adds])
    _tell(report, "add, 1 s to 40 h of working time", our_add, their_add, our_dues, their_dues)

    our_times, our_between = timed(lambda: [ours.between(a, a + span) for a, span in spans])
    their_times, their_between = timed(lambda: [difference(theirs, a, a + span) for a, span in spans])
    _tell(report, "between, 1 s to 30 days apart", our_between, their_between, our_times, their_times)

    report.aim("times as fast as businesstimedelta: add", their_add / our_add, TIMES_AS_FAST)
    report.aim("times as fast as businesstimedelta: between", their_between / our_between, TIMES_AS_FAST)

    cost_of_spans(ours, report)
    cost_of_making(report)


def their_rules() -> Any:
    """The same calendar in their words."""
    zone = pytz.timezone(ZONE)
    days_off = {day for year in YEARS for day in OFFICE.holidays_in(year)}
    return businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(dt.time(9), dt.time(18), [0, 1, 2, 3, 4], tz=zone),
            businesstimedelta.LunchTimeRule(dt.time(12), dt.time(13), [0, 1, 2, 3, 4], tz=zone),
            businesstimedelta.HolidayRule(days_off, tz=zone),
        ]
    )


def questions(random: Random, at_most: dt.timedelta) -> Instants:
    """Random starts in 2025 to 2027, to the second, and random lengths."""
    first = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    seconds = 3 * 365 * 86_400
    longest = int(at_most.total_seconds())
    return [
        (
            first + dt.timedelta(seconds=random.randrange(seconds)),
            dt.timedelta(seconds=random.randint(1, longest)),
        )
        for _ in range(QUESTIONS)
    ]


def add_theirs(rules: Any, start: dt.datetime, amount: dt.timedelta) -> dt.datetime:
    due: dt.datetime = start + businesstimedelta.BusinessTimeDelta(rules, timedelta=amount)
    return due


def difference(rules: Any, a: dt.datetime, b: dt.datetime) -> dt.timedelta:
    length: dt.timedelta = rules.difference(a, b).timedelta
    return length


def timed(work: Callable[[], Answers]) -> tuple[Answers, float]:
    started = perf_counter()
    answers = work()
    return answers, perf_counter() - started


def _tell(
    report: Report, what: str, ours_s: float, theirs_s: float, ours: list[Any], theirs: list[Any]
) -> None:
    same = sum(one == other for one, other in zip(ours, theirs, strict=True))
    each = [f"{seconds / QUESTIONS * 1e6:,.2f} µs" for seconds in (ours_s, theirs_s)]
    report.table(
        f"{what}: {QUESTIONS} questions, same answer to {same}",
        ("", "each"),
        [
            ["leadpact", each[0]],
            ["businesstimedelta", each[1]],
            ["times as fast", f"{theirs_s / ours_s:,.0f}"],
        ],
    )
    report.keep(
        f"calendar {what.partition(',')[0]}",
        {
            "leadpact_us": round(ours_s / QUESTIONS * 1e6, 2),
            "businesstimedelta_us": round(theirs_s / QUESTIONS * 1e6, 2),
            "questions": QUESTIONS,
            "same_answers": same,
        },
    )


def cost_of_spans(calendar: WorkingCalendar, report: Report) -> None:
    """The same starts, the end ever further away; in turns, and of each the best round: what else runs on the machine only ever adds."""
    starts = [start for start, _ in questions(Random(5), at_most=dt.timedelta(days=1))]
    ends = {name: [start + span for start in starts] for name, span in SPANS.items()}
    costs: dict[str, list[float]] = {name: [] for name in SPANS}
    for name in SPANS:
        every_length(calendar, starts, ends[name])  # works out the years
    for _ in range(ROUNDS_OF_SPANS):
        for name in SPANS:
            _, seconds = timed(partial(every_length, calendar, starts, ends[name]))
            costs[name].append(seconds / QUESTIONS * 1e6)
    best = {name: min(each) for name, each in costs.items()}
    ratio = best["5 years"] / best["1 day"]
    report.table("between, by span", ("", "each"), [[name, f"{each:.2f} µs"] for name, each in best.items()])
    report.aim("cost of 5 years in costs of 1 day", ratio, FIVE_YEARS_IN_DAYS, at_most=True)
    report.keep(
        "calendar between, by span",
        {"leadpact_us": {name: round(each, 2) for name, each in best.items()}, "ratio": round(ratio, 2)},
    )


def every_length(
    calendar: WorkingCalendar, starts: list[dt.datetime], ends: list[dt.datetime]
) -> list[dt.timedelta]:
    return [calendar.between(start, end) for start, end in zip(starts, ends, strict=True)]


def cost_of_making(report: Report) -> None:
    _, seconds = timed(lambda: CalendarSection.model_validate(OFFICE.model_dump(by_alias=True)).build())
    report.say(f"making a calendar with holidays: {seconds * 1e3:.1f} ms, once")
