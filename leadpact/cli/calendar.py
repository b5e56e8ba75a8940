"""Ask a working calendar at the terminal: is it open, when is something due, how much time was that.

One question is answered in a sentence, or with `--json` as one object; `--batch` reads questions as JSON
lines and answers each in a line. Times without an offset are local to the calendar. Where the clocks show
such a time twice the first one is meant, and the answer says so (`read_as`); one that they skip is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError

from leadpact.cli import calendar_picture, exit_codes
from leadpact.cli.calendar_words import at_in_zones, days_between, how_used
from leadpact.domain.business_duration import BusinessDuration, parse_duration, say
from leadpact.domain.open_time import END
from leadpact.domain.time_zones import available_timezones
from leadpact.domain.wall_time import clock_time, is_repeated, is_skipped
from leadpact.domain.working_calendar import Pause, WorkingCalendar
from leadpact.errors import NotFound, Refused
from leadpact.pact.calendar_section import CalendarSection
from leadpact.pact.explain import report_invalid
from leadpact.pact.problem import PactErrors
from leadpact.pact.read import read_pact, read_source
from leadpact.pact.words import nearest, one_of
from leadpact.pact.yaml_tree import read_yaml

app = typer.Typer(help="Working calendars: show one, ask it when something is due.", no_args_is_help=True)

PactFile = Annotated[
    Path | None, typer.Option("--pact", help="A pact file; name the calendar with --calendar.")
]
CalendarName = Annotated[str | None, typer.Option("--calendar", help="The calendar's name in the pact.")]
CalendarFile = Annotated[
    Path | None, typer.Option("--file", help="A YAML file that holds one calendar alone.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Batch = Annotated[
    Path | None, typer.Option("--batch", help="Questions as JSON lines, from a file or - for standard input.")
]
Zones = Annotated[list[str] | None, typer.Option("--in", help="Also say it in this time zone; repeatable.")]
Pauses = Annotated[
    list[str] | None, typer.Option("--pause", help='The clock stands still: "from/to"; repeatable.')
]
At = Annotated[
    str | None,
    typer.Argument(
        help='A time such as "2026-11-20 16:30", on the calendar\'s clock, or with an offset.',
        show_default=False,
    ),
]
Words = Annotated[
    str | None, typer.Argument(help='"2 business hours", "1 business day", "24 hours".', show_default=False)
]

Question = Mapping[str, Any]
Answer = dict[str, Any]

# How much alike two words are when one is taken for a slip of the other; `users` is none of `pauses`.
_SLIP_PERCENT = 80


@dataclass(frozen=True)
class Named:
    """A calendar, what it is called, and the other zones in which a due time is said."""

    name: str
    section: CalendarSection
    also_in: Sequence[str] = ()

    @property
    def working(self) -> WorkingCalendar:
        return self.section.build()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.section.timezone)

    def instant(self, text: object) -> datetime:
        """A time as it is written; without an offset it is local to the calendar."""
        try:
            at = datetime.fromisoformat(str(text).strip())
        except ValueError:
            raise Refused(
                f'{str(text)!r} is not a time such as "2026-11-20 16:30" or "2026-11-20T15:30Z"'
            ) from None
        at = at if at.tzinfo else at.replace(tzinfo=self.zone)
        if is_skipped(at):
            before, after = (at.replace(fold=fold).isoformat() for fold in (0, 1))
            raise Refused(
                f"{text!r} does not exist in {self.section.timezone}, where the clocks skip it; "
                f"say {before} or {after}"
            )
        return at

    def local(self, at: datetime) -> str:
        return at.astimezone(self.zone).isoformat()

    def pauses(self, question: Question) -> list[Pause]:
        """The pauses of a question: pairs of times, or texts "from/to"."""
        return [(self.instant(paused), self.instant(resumed)) for paused, resumed in _edges(question)]


@dataclass(frozen=True)
class Kind:
    """A kind of question: which fields of it are read, what answers it, and how that is said."""

    times: tuple[str, ...]
    others: tuple[str, ...]
    answer: Callable[[Named, Question], Answer]
    sentence: Callable[[Named, Question, Answer], str]

    @property
    def fields(self) -> tuple[str, ...]:
        return self.times + self.others


@app.command()
def show(
    pact: PactFile = None,
    calendar: CalendarName = None,
    file: CalendarFile = None,
    year: Annotated[
        int | None, typer.Option("--year", min=1970, max=2199, help="Default: this year.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a calendar as a week and as a year with its holidays."""
    found = _find(pact, calendar, file)
    year = year or _now().year
    if as_json:
        _print_json(_described(found, year))
        return
    lines = [
        calendar_picture.heading(found.name, found.section),
        "",
        *calendar_picture.week(found.section),
        "",
        *calendar_picture.year(found.section, year),
    ]
    typer.echo("\n".join(lines))


@app.command("open")
def is_open(
    at: At = None,
    pact: PactFile = None,
    calendar: CalendarName = None,
    file: CalendarFile = None,
    pause: Pauses = None,
    batch: Batch = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a calendar is open at a time (default: now), and when that changes."""
    found = _find(pact, calendar, file)
    at = at or (None if batch else _now().isoformat())
    _ask(OPEN, found, {"at": at, "pauses": pause}, batch, as_json)


@app.command()
def add(
    start: At = None,
    duration: Words = None,
    pact: PactFile = None,
    calendar: CalendarName = None,
    file: CalendarFile = None,
    pause: Pauses = None,
    also_in: Zones = None,
    batch: Batch = None,
    as_json: AsJson = False,
) -> None:
    """Say when something is due: START plus DURATION."""
    found = replace(_find(pact, calendar, file), also_in=_zones(also_in))
    _ask(ADD, found, {"start": start, "duration": duration, "pauses": pause}, batch, as_json)


@app.command()
def between(
    from_: At = None,
    to: At = None,
    pact: PactFile = None,
    calendar: CalendarName = None,
    file: CalendarFile = None,
    pause: Pauses = None,
    batch: Batch = None,
    as_json: AsJson = False,
) -> None:
    """Say how much working time lies between two times: FROM and TO."""
    found = _find(pact, calendar, file)
    _ask(BETWEEN, found, {"from": from_, "to": to, "pauses": pause}, batch, as_json)


def answer_open(calendar: Named, question: Question) -> Answer:
    """Of `at` and `pauses`: is it open, and when does that change."""
    at, pauses = calendar.instant(_asked(question, "at")), calendar.pauses(question)
    open_now = calendar.working.is_open(at, pauses=pauses)
    change = _next_close if open_now else WorkingCalendar.next_open
    changes = change(calendar.working, at, pauses=pauses)
    said = "closes_at" if open_now else "opens_at"
    return {"open": open_now, said: changes and calendar.local(changes)}


def answer_add(calendar: Named, question: Question) -> Answer:
    """Of `start`, `duration` and `pauses`: `due_at`, in UTC, on the calendar's clock and in the other zones."""
    start, duration = (
        calendar.instant(_asked(question, "start")),
        parse_duration(str(_asked(question, "duration"))),
    )
    due = duration.due(start, calendar.working, pauses=calendar.pauses(question))
    elsewhere = {zone: due.astimezone(ZoneInfo(zone)).isoformat() for zone in calendar.also_in}
    answer = {"due_at": due.isoformat(), "local": calendar.local(due)}
    return {**answer, "in": elsewhere} if elsewhere else answer


def answer_between(calendar: Named, question: Question) -> Answer:
    """Of `from`, `to` and `pauses`: `business_seconds`."""
    a, b = calendar.instant(_asked(question, "from")), calendar.instant(_asked(question, "to"))
    return {
        "business_seconds": calendar.working.between(a, b, pauses=calendar.pauses(question)).total_seconds()
    }


def _ask(kind: Kind, calendar: Named, question: Question, batch: Path | None, as_json: bool) -> None:
    """Answer one question, or those of a batch."""
    if batch:
        _refuse_beside_a_batch(question)
        raise typer.Exit(_answer_batch(batch, calendar, kind))
    answer = _answered(kind, calendar, question)
    if as_json:
        _print_json(answer)
    else:
        typer.echo("; ".join([kind.sentence(calendar, question, answer), *_said_twice(calendar, answer)]))


def _refuse_beside_a_batch(question: Question) -> None:
    given = [field for field, value in question.items() if value]
    if given:
        raise Refused(f"a batch brings its own questions; put {' and '.join(given)} into its lines")


def _find(pact: Path | None, name: str | None, file: Path | None) -> Named:
    if (pact is None) == (file is None):
        raise Refused("say which calendar: --pact FILE --calendar NAME, or --file CALENDAR.yaml")
    if file and name:
        raise Refused("--calendar names one of a pact's calendars; a --file holds one alone")
    try:
        return _alone_in(file) if file else _in_pact(pact, name)
    except OSError as error:
        raise NotFound(f"{error.filename}: {error.strerror}") from error


def _in_pact(pact: Path | None, name: str | None) -> Named:
    calendars = read_pact(pact or "").calendars
    if name is None and len(calendars) == 1:
        name = next(iter(calendars))
    if name is None:
        raise Refused(f"this pact has several calendars; name one with --calendar: {one_of(calendars)}")
    if name not in calendars:
        meant = nearest(name, calendars)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise NotFound(f"this pact has no calendar {name!r}, only {one_of(calendars)}{hint}")
    return Named(name, calendars[name])


def _alone_in(file: Path) -> Named:
    tree = read_yaml(read_source(file), str(file))
    try:
        section = CalendarSection.model_validate(tree.data)
    except ValidationError as error:
        report_invalid(tree, error)
        raise PactErrors(tree.problems) from error
    if tree.problems:
        raise PactErrors(tree.problems)
    return Named(file.stem, section)


def _answered(kind: Kind, calendar: Named, question: Question) -> Answer:
    """The answer, or Refused where the domain says ValueError."""
    _refuse_slips(kind, question)
    try:
        answer = kind.answer(calendar, question)
    except ValueError as error:
        raise Refused(str(error)) from error
    twice = _read_twice(kind, calendar, question)
    return {**answer, "read_as": twice} if twice else answer


def _refuse_slips(kind: Kind, question: Question) -> None:
    """Other fields come back with the answer; one that looks like a field that is missing was meant to be it."""
    missing = [field for field in kind.fields if not question.get(field)]
    for field in question:
        meant = nearest(field, missing, alike_percent=_SLIP_PERCENT)
        if meant and field not in kind.fields:
            raise Refused(f"{field!r} is no field of this question; did you mean {meant!r}?")


def _answer_batch(batch: Path, calendar: Named, kind: Kind) -> int:
    """Answer every line; one that cannot be answered says why, and the exit code tells that there was one."""
    code = exit_codes.OK
    try:
        with sys.stdin if str(batch) == "-" else batch.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    answered = _answer_line(line, calendar, kind)
                    code = exit_codes.ERROR if "error" in answered else code
                    _print_json(answered)
    except OSError as error:
        raise NotFound(f"{batch}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{batch} is no text in UTF-8") from error
    return code


def _answer_line(line: str, calendar: Named, kind: Kind) -> Answer:
    try:
        question = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"error": f"not JSON: {error}", "line": line.strip()}
    if not isinstance(question, dict):
        return {"error": "a question is a JSON object", "line": line.strip()}
    try:
        return {**question, **_answered(kind, calendar, question)}
    except Refused as error:
        return {**question, "error": error.detail}


def _edges(question: Question) -> list[tuple[str, str]]:
    """The pauses of a question as they are written."""
    pauses = question.get("pauses") or ()
    if not isinstance(pauses, list | tuple):
        raise Refused(f'pauses are a list of "from/to", not {pauses!r}')
    found = []
    for pause in pauses:
        edges = pause.split("/") if isinstance(pause, str) else pause
        if not isinstance(edges, list | tuple) or len(edges) != 2:
            raise Refused(f'a pause is two times, "from/to", not {pause!r}')
        found.append((str(edges[0]), str(edges[1])))
    return found


def _read_twice(kind: Kind, calendar: Named, question: Question) -> dict[str, str]:
    """The times of a question that the clocks show twice, and which instant each was taken for."""
    single = [str(question[field]) for field in kind.times]
    times = {text: calendar.instant(text) for text in chain(single, *_edges(question))}
    return {text: at.isoformat() for text, at in times.items() if is_repeated(at)}


def _asked(question: Question, field: str) -> Any:
    value = question.get(field)
    if value is None:
        raise Refused(f"say the {field}")
    return value


def _open_sentence(calendar: Named, _question: Question, answer: Answer) -> str:
    changes = answer["closes_at"] if answer["open"] else answer["opens_at"]
    if changes is None:
        return "open; it never closes"
    at = at_in_zones(datetime.fromisoformat(changes), calendar.section.timezone)
    return f"open until {at}" if answer["open"] else f"closed; opens {at}"


def _due_sentence(calendar: Named, question: Question, answer: Answer) -> str:
    start, due = calendar.instant(question["start"]), datetime.fromisoformat(answer["due_at"])
    said = f"due {at_in_zones(due, calendar.section.timezone, calendar.also_in)}"
    if not isinstance(parse_duration(question["duration"]), BusinessDuration):
        return f"{said}; every hour counts"
    used = how_used(days_between(calendar.section, start, due, calendar.pauses(question)))
    return f"{said}; {used}"


def _between_sentence(calendar: Named, question: Question, _answer: Answer) -> str:
    a, b = calendar.instant(question["from"]), calendar.instant(question["to"])
    pauses = calendar.pauses(question)
    used = how_used(days_between(calendar.section, a, b, pauses))
    return "; ".join(filter(None, [say(calendar.working.between(a, b, pauses=pauses)), used]))


def _said_twice(calendar: Named, answer: Answer) -> list[str]:
    """`2026-10-25 02:30 comes twice, taken for 02:30 CEST`."""
    return [
        f"{text} comes twice, taken for {clock_time(datetime.fromisoformat(at).astimezone(calendar.zone))}"
        for text, at in answer.get("read_as", {}).items()
    ]


OPEN = Kind(("at",), ("pauses",), answer_open, _open_sentence)
ADD = Kind(("start",), ("duration", "pauses"), answer_add, _due_sentence)
BETWEEN = Kind(("from", "to"), ("pauses",), answer_between, _between_sentence)


def _described(calendar: Named, year: int) -> Answer:
    section = calendar.section
    weekly = {
        day: [[opens, closes] for opens, closes in hours] for day, hours in sorted(section.weekly().items())
    }
    return {
        "calendar": calendar.name,
        "timezone": section.timezone,
        "weekly_seconds": weekly,
        "business_day_seconds": calendar.working.business_day_length().total_seconds(),
        "year": year,
        "holidays": {str(day): name for day, name in section.holidays_in(year).items()},
        "exceptions": {
            str(day): [[opens, closes] for opens, closes in hours]
            for day, hours in sorted(section.exceptional_days().items())
            if day.year == year
        },
    }


def _next_close(calendar: WorkingCalendar, at: datetime, *, pauses: Sequence[Pause]) -> datetime | None:
    """The end of the open span that holds `at`; none if that is more than a year away, or beyond what a calendar knows."""
    horizon = min(at.astimezone(UTC) + timedelta(days=366), END)
    _, closes = calendar.intervals(at, horizon, pauses=pauses)[0]
    return None if closes == horizon else closes


def _zones(names: Sequence[str] | None) -> Sequence[str]:
    for name in names or ():
        if name not in available_timezones():
            meant = nearest(name, available_timezones())
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise Refused(f"{name!r} is no time zone{hint}")
    return names or ()


def _print_json(answer: Answer) -> None:
    # Half a character, which JSON can escape, is no text that can be printed: it stays escaped.
    typer.echo(json.dumps(answer, ensure_ascii=False).encode(errors="backslashreplace"))


def _now() -> datetime:
    """What the person at the terminal calls now: a default for a question, never a deadline's clock."""
    return datetime.now(UTC)
