"""The pact that the simulation lives under, and a second opinion on its hours.

A pact is drawn as plain values and written out as YAML for the product. The same values answer, by `SecondStepper` and by counting, when a
promise is due: nothing of the product's calendar is asked. Whatever happens in the simulation happens on a grid of five minutes, on
which every edge of every shift and zone falls, so counting whole grid steps is exact.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

from leadpact.pact.model import Pact
from leadpact.pact.read import parse_pact
from leadpact_router.roster import AccountEntry, RepEntry
from tests.support.second_stepper import Pauses, SecondStepper, Shift

GRID = timedelta(minutes=5)
HOUR = 3600

# Each is the morning from which two or three weeks are lived through.
BEGINNINGS = (
    datetime(2026, 3, 2, 7, 0, tzinfo=UTC),  # America's clocks go forward on the 8th
    datetime(2026, 3, 25, 7, 0, tzinfo=UTC),  # Europe's on the 29th; Easter from the 3rd to the 6th of April
    datetime(
        2026, 10, 19, 7, 0, tzinfo=UTC
    ),  # Europe's go back on the 25th, America's on the 1st of November
    datetime(2026, 6, 1, 7, 0, tzinfo=UTC),  # nothing
)

REPS = (
    RepEntry("ana", "Ana", "ana@acme.example", "Europe/Berlin"),
    RepEntry("ben", "Ben", "ben@acme.example", "Europe/London"),
    RepEntry("cem", "Cem", "cem@acme.example", "Europe/Berlin", calendar="night"),
    RepEntry("dora", "Dora", "dora@acme.example", "America/New_York", calendar="new-york"),
    RepEntry("eva", "Eva", "eva@acme.example", "America/Los_Angeles"),
)
ACCOUNTS = (AccountEntry("Globex", "globex.example", owner="ben"),)

_GERMAN_HOLIDAYS = frozenset(
    date(2026, month, day)
    for month, day in ((4, 3), (4, 6), (5, 1), (5, 14), (5, 25), (10, 3), (12, 25), (12, 26))
)


@dataclass(frozen=True)
class Hours:
    """A calendar of the pact, as one reads it off the door."""

    timezone: str
    written: str
    """What the pact says under `hours`."""
    weekly: Mapping[int, Sequence[Shift]]
    holidays: frozenset[date] = frozenset()
    is_german: bool = False
    closed: frozenset[date] = frozenset()

    def yaml(self) -> str:
        parts = [f"timezone: {self.timezone}", f"hours: {self.written}"]
        if self.is_german:
            parts.append("holidays: {country: DE}")
        if self.closed:
            parts.append(f"closed: [{', '.join(day.isoformat() for day in sorted(self.closed))}]")
        return "{" + ", ".join(parts) + "}"

    def due(self, start: datetime, target: timedelta, timezone: str, pauses: Pauses = ()) -> datetime:
        """When ``target`` of open time has passed since ``start``, counted grid step by grid step. No step of a pause counts."""
        left = target // GRID
        day = start.replace(hour=0, minute=0)
        while True:
            for at in self._open_steps(day.date(), timezone):
                if at < start or any(paused <= at < resumed for paused, resumed in pauses):
                    continue
                left -= 1
                if not left:
                    return at + GRID
            day += timedelta(days=1)

    def between(self, since: datetime, until: datetime, timezone: str) -> timedelta:
        """How much open time lies between two instants of the grid."""
        days = range((until.date() - since.date()).days + 1)
        steps = (self._open_steps(since.date() + timedelta(days=number), timezone) for number in days)
        return GRID * sum(since <= at < until for day in steps for at in day)

    def _open_steps(self, day: date, timezone: str) -> tuple[datetime, ...]:
        """The steps of a UTC day in which the door is open. What cannot matter on that day is left out, to ask once for many pacts."""
        near = {day + timedelta(days=days) for days in (-2, -1, 0, 1, 2)}
        shut = (self.holidays | self.closed) & near
        return _open_steps(day, timezone, tuple(sorted(self.weekly.items())), frozenset(shut))


@cache
def _open_steps(
    day: date, timezone: str, weekly: tuple[tuple[int, tuple[Shift, ...]], ...], shut: frozenset[date]
) -> tuple[datetime, ...]:
    stepper = SecondStepper(timezone, dict(weekly), holidays=shut)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    steps = (midnight + GRID * number for number in range(timedelta(days=1) // GRID))
    return tuple(at for at in steps if stepper.is_open(at))


_WORKDAY = ((9 * HOUR, 12 * HOUR + 1800), (13 * HOUR + 1800, 17 * HOUR))
_HOURS: Mapping[str, Hours] = {
    "berlin": Hours(
        "Europe/Berlin",
        '{mon-fri: "09:00-12:30 13:30-17:00"}',
        dict.fromkeys(range(5), _WORKDAY),
        holidays=_GERMAN_HOLIDAYS,
        is_german=True,
    ),
    "new-york": Hours(
        "America/New_York",
        '{mon-thu: "09:00-17:00", fri: "09:00-15:00"}',
        {**dict.fromkeys(range(4), ((9 * HOUR, 17 * HOUR),)), 4: ((9 * HOUR, 15 * HOUR),)},
    ),
    # Open at the very hours that a change of the clocks takes or gives.
    "night": Hours(
        "Europe/Berlin", '{every day: "22:00-06:00"}', dict.fromkeys(range(7), ((22 * HOUR, 30 * HOUR),))
    ),
}


def _wall_due(start: datetime, target: timedelta, pauses: Pauses) -> datetime:
    """When ``target`` has passed outside of ``pauses``, counted grid step by grid step."""
    at, left = start, target // GRID
    while left:
        if not any(paused <= at < resumed for paused, resumed in pauses):
            left -= 1
        at += GRID
    return at


@dataclass(frozen=True)
class Promise:
    """A line of the pact's section `sla`."""

    name: str
    kind: str
    """`first_touch`, `attempts` or `decide`."""
    target: timedelta
    counts_open_time: bool
    calendar: str
    """`rep`, `pool` or a calendar's name."""
    stops: tuple[str, ...]
    starts: str = "assigned"
    on_breach: str = ""
    """As the pact writes it; nothing: the breach is only announced."""
    at_most: int | None = None
    gives_back: bool = False
    takes_offline: bool = False
    pause_while: tuple[str, ...] = ()
    owner_away: str = "run"
    apart: timedelta | None = None
    """Between two attempts that count, in open time."""
    channels: int = 1

    def is_made_for(self, intent: str) -> bool:
        """The team and the customer have theirs for every lead, so that one may run on when the person asks for more."""
        return self.starts != "assigned" or intent == "demo_request"

    def yaml(self) -> str:
        minutes = self.target // timedelta(minutes=1)
        amount = f"{minutes // 60} business hours" if self.counts_open_time else f"{minutes} minutes"
        lines = [
            f"  {self.name}:",
            *(() if self.is_made_for("anything") else ("    applies: {intent: demo_request}",)),
            f"    starts: {self.starts}",
            f"    {self._target(amount)}",
            f"    calendar: {self.calendar}",
            f"    stops: [{', '.join(self.stops)}]",
            "    warn_at: [50%, 75%]",
            f"    pause_while: [{', '.join(self.pause_while)}]",
            f"    owner_away: {self.owner_away}",
        ]
        if self.apart:
            lines.append(f"    apart: {self.apart // timedelta(minutes=1)} business minutes")
        if acts := self._acts():
            lines.append(f"    on_breach: {{{', '.join(acts)}}}")
        return "\n".join(lines)

    def _target(self, amount: str) -> str:
        match self.kind:
            case "attempts":
                return f"attempts: {ATTEMPTS} within {amount} over {self.channels} channels"
            case kind:
                return f"{kind}_within: {amount}"

    def _acts(self) -> list[str]:
        acts = [self.on_breach] if self.on_breach else []
        if self.at_most is not None:
            acts.append(f"reassign: {{at_most: {self.at_most}}}, then: {{escalate: boss@acme.example}}")
        if self.gives_back:
            acts.append("give_back: true")
        if self.takes_offline:
            acts.append("take_offline: true")
        return acts


ATTEMPTS = 2
WAITS = "waiting_for_customer"
PARKED = "parked"
PAUSE_STATES = (WAITS, PARKED)

_ROUTING = """
sources:
  website-demo: {kind: form, intent: demo_request}
  whitepaper: {kind: form, intent: content_download}
  fair: {kind: event_scan, intent: demo_request, ends: 2026-01-23T18:00 Europe/Berlin, release: PACE per hour}
alerts: {quiet: "20:00-07:00", quiet_days: [sun]}
scoring:
  engagement: {half_life: 14 days, cap: 50, points: {pricing_page: 8, webinar: {points: 15, once: true}, content_download: 5}}
qualification:
  mql: {any: [{intent: demo_request}, {score: ">= 5"}], needs: [email]}
routing:
  pools:
    dach: {members: [ana, ben, {rep: cem, weight: 0.5}], calendar: berlin, open_limit: 2, when_nobody: {widen: rest}}
    rest: {members: [dora, eva], calendar: new-york, daily_limit: 2}
  rules:
    - {name: account owner first, when: {account.owner: present}, to: account.owner}
    - {name: DACH, when: {country: [DE, AT, CH]}, to: dach}
  fallback: rest
rejection_reasons:
  bad_data: {outcome: disqualify, note: required}
  not_now: {outcome: recycle}
  no_budget: {outcome: nurture}
"""
QUIET_FROM, QUIET_UNTIL, QUIET_DAY = 20, 7, 6
POOL_HOURS = {"dach": "berlin", "rest": "new-york"}
REJECTION_REASONS = ("bad_data", "not_now", "no_budget")


@dataclass(frozen=True)
class Agreement:
    """One version of the pact."""

    promises: tuple[Promise, ...]
    hours: Mapping[str, Hours] = field(default_factory=lambda: dict(_HOURS))

    def yaml(self) -> str:
        calendars = "\n".join(f"  {name}: {hours.yaml()}" for name, hours in self.hours.items())
        promises = "\n".join(promise.yaml() for promise in self.promises)
        routing = _ROUTING.replace("PACE", str(_HOUR // self.pace))
        return f"pact: A pact for many weeks\ncalendars:\n{calendars}\n{routing}sla:\n{promises}\n"

    def parsed(self) -> Pact:
        """As the product reads it."""
        return parsed(self.yaml())

    @property
    def pace(self) -> timedelta:
        """What lies between two turns of the fair's leads, in the pool's hours."""
        return _PACES[_TERMS.index(self.promises)]

    def promise(self, name: str) -> Promise | None:
        """The promise of that name, if this version makes it."""
        return next((one for one in self.promises if one.name == name), None)

    def due(
        self, name: str, start: datetime, rep: RepEntry | None, pool: str | None, pauses: Pauses = ()
    ) -> datetime:
        """When the promise ``name`` is due for a clock of ``start``. ``rep`` is None for the team's and the customer's."""
        promise = self.promise(name)
        assert promise is not None
        if not promise.counts_open_time:
            return _wall_due(start, promise.target, pauses)
        calendar, timezone = self.hours_of(promise.calendar, rep, pool)
        return self.hours[calendar].due(start, promise.target, timezone, pauses)

    def between(
        self, since: datetime, until: datetime, whose: str, rep: RepEntry | None, pool: str | None
    ) -> timedelta:
        """How much time lies between two instants in the hours of ``whose``: `rep` or `pool`."""
        calendar, timezone = self.hours_of(whose, rep, pool)
        return self.hours[calendar].between(since, until, timezone)

    def hours_of(self, whose: str, rep: RepEntry | None, pool: str | None) -> tuple[str, str]:
        """The pool's door or the rep's own; a rep without one keeps the pool's hours at home."""
        of_pool = POOL_HOURS.get(pool or "")
        if (whose == "pool" or rep is None) and of_pool:
            return of_pool, self.hours[of_pool].timezone
        if whose in self.hours:
            return whose, self.hours[whose].timezone
        assert rep is not None
        if rep.calendar:
            return rep.calendar, self.hours[rep.calendar].timezone
        return of_pool or next(iter(self.hours)), rep.timezone


@cache
def parsed(text: str, name: str = "pact", *, is_in_force: bool = False) -> Pact:
    """The product's reading of a pact, which is pure and slow, once for each text. It stands in for the product's everywhere."""
    return parse_pact(text, name=name, is_in_force=is_in_force)


_TOUCHED = ("contacted",)
_REACHED = ("contacted", "meeting_booked")


def _first_touch(hours: int, calendar: str, at_most: int, owner_away: str) -> Promise:
    return Promise(
        "first-touch",
        "first_touch",
        timedelta(hours=hours),
        counts_open_time=True,
        calendar=calendar,
        stops=_TOUCHED,
        at_most=at_most,
        gives_back=True,
        pause_while=PAUSE_STATES,
        owner_away=owner_away,
    )


def _acceptance(*, owner_away: str = "run", takes_offline: bool = False) -> Promise:
    return Promise(
        "acceptance",
        "decide",
        timedelta(minutes=40),
        counts_open_time=False,
        calendar="pool",
        stops=("accepted", "rejected", "contacted"),
        takes_offline=takes_offline,
        owner_away=owner_away,
    )


def _follow_up(hours: int, calendar: str, owner_away: str, apart: timedelta | None) -> Promise:
    return Promise(
        "follow-up",
        "attempts",
        timedelta(hours=hours),
        counts_open_time=True,
        calendar=calendar,
        stops=_REACHED,
        pause_while=(WAITS,),
        owner_away=owner_away,
        apart=apart,
        channels=1 if apart else 2,
    )


def _team(hours: int) -> Promise:
    return Promise(
        "team",
        "first_touch",
        timedelta(hours=hours),
        counts_open_time=True,
        calendar="pool",
        stops=_TOUCHED,
        starts="qualified",
        pause_while=(PARKED,),
    )


def _customer(hours: int, on_breach: str = "") -> Promise:
    return Promise(
        "customer",
        "first_touch",
        timedelta(hours=hours),
        counts_open_time=False,
        calendar="pool",
        stops=_REACHED,
        starts="received",
        on_breach=on_breach,
        pause_while=(WAITS,),
    )


_HOUR = timedelta(hours=1)
_TERMS = (
    (_first_touch(1, "pool", 3, "reassign"), _acceptance(owner_away="reassign"), _team(4)),
    (_first_touch(2, "rep", 1, "pause"), _acceptance(takes_offline=True), _customer(12)),
    (_first_touch(2, "pool", 2, "reassign"), _follow_up(3, "pool", "reassign", _HOUR), _team(2)),
    (
        _first_touch(4, "rep", 3, "pause"),
        _follow_up(3, "rep", "pause", None),
        _customer(24, "escalate: boss@acme.example"),
    ),
)
"""What the pact may promise; few, because reading a pact takes the product a tenth of a second."""
_PACES = tuple(timedelta(minutes=minutes) for minutes in (15, 15, 30, 5))
"""Of each of these terms."""


def first_agreement(chance: random.Random) -> Agreement:
    """What is in force when a seed begins."""
    return Agreement(chance.choice(_TERMS))


def amended(agreement: Agreement, around: datetime, chance: random.Random) -> Agreement:
    """The next version: other terms, or the coming Wednesday a day off for one of the teams, or none any more."""
    if chance.random() < 0.35:
        others = [terms for terms in _TERMS if terms != agreement.promises]
        return replace(agreement, promises=chance.choice(others))
    if agreement.hours != _HOURS and chance.random() < 0.5:
        return Agreement(agreement.promises)
    name = chance.choice(("berlin", "berlin", "new-york", "night"))
    wednesday = around.date() + timedelta(days=1 + (1 - around.weekday()) % 7)
    hours = replace(_HOURS[name], closed=frozenset({wednesday}))
    return Agreement(agreement.promises, {**_HOURS, name: hours})
