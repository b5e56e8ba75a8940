"""Say what may happen next when nothing goes wrong: a post, a batch read, a sweep, a report of sales, a day off, a new pact.

A kind of step is a function that draws everything by chance *before* anything runs, and a line in `STEPS`. It gives back what to run, or None
where there is nothing to do. So a step runs the same whatever runs beside it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from leadpact.domain.lead import LeadDraft
from leadpact.errors import Refused
from leadpact.events import ActivityRecorded
from leadpact.ids import new_id
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_ingest.accept import Accepted, Duplicate, RawPost, Submission
from leadpact_ingest.idempotency import claim_of_post
from leadpact_ingest.sources import PlainForm
from leadpact_router import work
from leadpact_router.handlers import CONSUMER as ROUTER
from leadpact_router.roster import add_absence, put_reps, remove_absence
from leadpact_sla_timer.handlers import CONSUMER as TIMER
from tests.simulation.agreement import GRID, REJECTION_REASONS, REPS, amended
from tests.simulation.picture import Row
from tests.simulation.world import GROUPS, INGEST, Instance, Letter, World, parse


@dataclass
class Step:
    """Something to do. ``by`` is the instance that does it, if it is one's own loop that does; ``run`` returns what came of it, in a word."""

    name: str
    run: Callable[[], Awaitable[object]]
    by: Instance | None = None
    again: Callable[[Instance], Step] | None = None
    """The same, done by another instance."""


Draw = Callable[[World, random.Random], Step | None]

# Eight people, and two of the log's sixteen shards: events of different people often stand in line behind each other.
PEOPLE: Sequence[tuple[str, str]] = (
    ("ada@gmail.example", "DE"),
    ("cleo@umbrella.example", "AT"),
    ("dan@hooli.example", "US"),
    ("eve@globex.example", "CH"),
    ("fay@initech.example", "DE"),
    ("bob@hooli.example", "DE"),
    ("ida@globex.example", "GB"),
    ("max@gmail.example", "DE"),
)


# ---- from outside: posts and activities -----------------------------------------------------------------------------------------


def a_post(world: World, chance: random.Random) -> Step | None:
    """Somebody fills in a form; or whoever had no answer tries again."""
    if world.unanswered and chance.random() < 0.7:
        step = _send(world, chance.choice(world.unanswered))
    else:
        step = _send(world, _a_letter(world, chance))
    step.again = lambda _: _send(world, _a_letter(world, chance))
    return step


def _a_letter(world: World, chance: random.Random) -> Letter:
    email, country = chance.choice(PEOPLE)
    world.posts += 1
    source = "website-demo" if chance.random() < 0.8 else "whitepaper"
    draft = LeadDraft(
        email=email,
        country=country,
        company="Globex",
        domain=email.partition("@")[2],
        phone="+493012345678" if chance.random() < 0.1 else None,
        message=f"number {world.posts}",
    )
    return Letter(f"post-{world.posts}", draft, source, world.clock.now())


def _send(world: World, letter: Letter) -> Step:
    door = next(one for one in world.instances if one.group == INGEST)
    pact = world.agreement.parsed()
    source = PlainForm(letter.source, pact.sources[letter.source])  # type: ignore[arg-type]  # every source of this pact is a form
    submission = Submission(
        new_id(),
        source,
        letter.draft,
        claim_of_post(letter.draft, letter.key),
        world.clock.now(),
        RawPost("application/json", b"{}"),
    )
    if letter not in world.unanswered:
        world.unanswered.append(letter)

    async def run() -> object:
        assert door.writer
        (outcome,) = await door.writer.write([submission])
        assert isinstance(outcome, Accepted | Duplicate), outcome
        if letter in world.unanswered:  # a second try may have been answered meanwhile
            world.unanswered.remove(letter)
        world.answered(letter, outcome.receipt_id)
        return type(outcome).__name__ + (
            " again" if isinstance(outcome, Accepted) and outcome.is_repeat else ""
        )

    return Step(f"post {letter.key} of {letter.draft.email} to {letter.source}", run, door)


def an_activity(world: World, chance: random.Random) -> Step | None:
    """Somebody looks at a page; sometimes the sender tells it twice, under one id."""
    email, _ = chance.choice(PEOPLE)
    now = world.clock.now()
    event = ActivityRecorded(
        activity_id=new_id(),
        kind=chance.choice(("pricing_page", "webinar")),
        occurred_at=now - GRID * chance.randrange(0, 50),
        received_at=now,
        email=email,
    )
    times = 2 if chance.random() < 0.2 else 1

    async def run() -> object:
        async with world.uow(ROUTER).transaction() as tx:
            for _ in range(times):
                tx.emit(event)
        return times

    return Step(f"{event.kind} of {email}", run)


# ---- the services' loops --------------------------------------------------------------------------------------------------------


def _by_one_of(group: str, does: Callable[[World, Instance], Step]) -> Draw:
    """A step that any instance of the group may do which is not delayed."""

    def draw(world: World, chance: random.Random) -> Step | None:
        awake = world.awake(group)
        return by(world, chance.choice(awake)) if awake else None

    def by(world: World, instance: Instance) -> Step:
        step = does(world, instance)
        step.name = f"{step.name} by {group} {world.instances.index(instance) % 2}"
        step.by, step.again = instance, lambda other: by(world, other)
        return step

    return draw


def a_read(world: World, instance: Instance) -> Step:
    """A batch of the log is applied."""
    return Step("a read", instance.read)


def a_sweep(world: World, instance: Instance) -> Step:
    """Clocks fire that are due."""

    async def run() -> object:
        assert instance.sweeper
        fired = (await instance.sweeper.run_once()).fired
        return [f"{one.event.TYPE if one.event else 'quiet'} {one.clock.id}" for one in fired]

    return Step("a sweep", run)


def a_release(world: World, instance: Instance) -> Step:
    """Held leads are looked after."""

    async def run() -> object:
        assert instance.release
        return await instance.release.run_once()

    return Step("a release", run)


# ---- sales ----------------------------------------------------------------------------------------------------------------------


def a_report(world: World, chance: random.Random) -> Step | None:
    """An owner, or a former one, says what happened; often late, now and then twice, sometimes from the future."""
    return _report_on(world, chance, _reportable(world, chance))


def a_report_at_the_last_moment(world: World, chance: random.Random) -> Step | None:
    """An owner says something of a lead whose breach is on its way to the router."""
    return _report_on(world, chance, _overdue(world))


def a_report_on(world: World, chance: random.Random, assignment_id: str) -> Step | None:
    """The owner of this one says something."""
    return _report_on(
        world, chance, [one for one in world.picture["assignment"] if one["id"] == assignment_id]
    )


def _report_on(world: World, chance: random.Random, owned: Sequence[Row]) -> Step | None:
    if not owned:
        return None
    assignment = chance.choice(owned)
    now, given_at = world.clock.now(), parse(assignment["assigned_at"])
    happened_at = _when(now, given_at, chance)
    does = chance.choices(("accept", "contact", "reject"), (3, 5, 2))[0]
    reason = chance.choice(REJECTION_REASONS)
    id_ = UUID(assignment["id"])

    async def run() -> object:
        async with world.uow(ROUTER).transaction() as tx:
            recorded = await _report(tx, does, id_, reason, happened_at, now)
        return f"{recorded.stage}, changed: {recorded.changed}"

    return Step(f"{assignment['rep_id']} {does}s {id_}, {happened_at - now} from now", _or_refused(run))


def _reportable(world: World, chance: random.Random) -> Sequence[Row]:
    """Any assignment; mostly an open one, and often one whose time is up, for which a breach is on its way to the router."""
    owned = world.picture["assignment"]
    open_ones = [one for one in owned if one["ended_at"] is None]
    match chance.choices(("any", "open", "overdue"), (2, 5, 3))[0]:
        case "any":
            return owned
        case "open":
            return open_ones
        case _:
            return _overdue(world) or open_ones


def _overdue(world: World) -> Sequence[Row]:
    late = {
        clock.get("assignment_id") for clock in world.picture["sla_clock"] if clock["state"] == "breached"
    }
    return [
        one
        for one in world.picture["assignment"]
        if one["id"] in late and one["ended_at"] is None and one["contacted_at"] is None
    ]


async def _report(
    tx: Transaction, does: str, id_: UUID, reason: str, at: datetime, now: datetime
) -> work.Recorded:
    if does == "accept":
        return await work.accept(tx, id_, occurred_at=at, now=now)
    if does == "contact":
        return await work.contact(tx, id_, channel="call", occurred_at=at, now=now)
    applied = await PactBook().current(tx)
    return await work.reject(tx, id_, reason=reason, note="said so", occurred_at=at, now=now, applied=applied)


def _when(now: datetime, given_at: datetime, chance: random.Random) -> datetime:
    """Just now, at some time since the lead was given, a little before that, or, by a clock that is wrong, in an hour."""
    steps = max(1, (now - given_at) // GRID)
    match chance.choices(("now", "since", "before", "ahead"), (5, 5, 1, 1))[0]:
        case "now":
            return now
        case "since":
            return given_at + GRID * chance.randrange(0, steps + 1)
        case "before":
            return given_at - GRID * chance.randrange(1, 20)
        case _:
            return now + timedelta(hours=1)


def _or_refused(run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """What is refused is refused: that is an answer."""

    async def refusable() -> object:
        try:
            return await run()
        except Refused as error:
            return type(error).__name__

    return refusable


def an_absence(world: World, chance: random.Random) -> Step | None:
    """A rep is away from now or soon, for hours or days."""
    rep = chance.choice(REPS)
    starts_at = world.clock.now() + GRID * chance.randrange(-12, 60)
    ends_at = starts_at + GRID * chance.randrange(6, 600)
    return Step(
        f"{rep.id} is away from {starts_at} to {ends_at}",
        _in_router(world, lambda tx: add_absence(tx, rep.id, starts_at, ends_at, now=world.clock.now())),
    )


def a_return(world: World, chance: random.Random) -> Step | None:
    """A rep is back early."""
    if not world.picture["absence"]:
        return None
    gone = UUID(chance.choice(world.picture["absence"])["id"])
    return Step(
        "somebody is back early",
        _in_router(world, lambda tx: remove_absence(tx, gone, now=world.clock.now())),
    )


def a_roster_change(world: World, chance: random.Random) -> Step | None:
    """A rep joins, leaves, or takes fewer leads a day."""
    rep = chance.choice(REPS)
    entry = type(rep)(
        rep.id,
        rep.name,
        rep.email,
        rep.timezone,
        rep.calendar,
        active=chance.random() < 0.7,
        daily_limit=chance.choice((None, None, 1, 3)),
    )
    return Step(
        f"{rep.id}: active {entry.active}, at most {entry.daily_limit} a day",
        _in_router(world, lambda tx: put_reps(tx, [entry], world.clock.now())),
    )


def a_new_pact(world: World, chance: random.Random) -> Step | None:
    """Another day off, another target: in force from the next batch on."""
    agreement = amended(world.agreement, world.clock.now(), chance)

    async def run() -> object:
        await world.apply(agreement)
        return "applied"

    return Step("a new version of the pact", run)


def _in_router(
    world: World, doing: Callable[[Transaction], Awaitable[Any]]
) -> Callable[[], Awaitable[object]]:
    async def run() -> object:
        async with world.uow(ROUTER).transaction() as tx:
            await doing(tx)
        return "done"

    return _or_refused(run)


_reads = {group: _by_one_of(group, a_read) for group in GROUPS}
_sweeps, _releases = _by_one_of(TIMER, a_sweep), _by_one_of(ROUTER, a_release)

STEPS: Sequence[tuple[int, Draw]] = (
    (12, a_post),
    (3, an_activity),
    (16, _reads[ROUTER]),
    (15, _reads[TIMER]),
    (5, _reads[INGEST]),
    (14, _sweeps),
    (5, _releases),
    (14, a_report),
    (3, an_absence),
    (1, a_return),
    (1, a_roster_change),
    (2, a_new_pact),
)
"""How often each comes, and what it is."""


def draw_step(world: World, chance: random.Random) -> Step:
    """Whatever comes next."""
    while True:
        (draw,) = chance.choices([draw for _, draw in STEPS], [weight for weight, _ in STEPS])
        if step := draw(world, chance):
            return step


def a_sweep_by_somebody(world: World, chance: random.Random) -> Step | None:
    """A sweep, if any instance is there to do it."""
    return _sweeps(world, chance)


def a_read_by_somebody(world: World, chance: random.Random) -> Step | None:
    """A batch of a group that much depends on."""
    return _reads[chance.choice((ROUTER, TIMER))](world, chance)


def a_read_by(group: str) -> Draw:
    """A batch of this group's, if an instance is there."""
    return _reads[group]


def a_round(world: World, groups: Collection[str]) -> Iterator[Step]:
    """What the services' loops, and patient senders, still have to do. ``groups`` have something to read."""
    if world.unanswered:
        yield _send(world, world.unanswered[0])
    draws = [_reads[group] for group in GROUPS if group in groups]
    if (moment := world.soonest_moment()) and moment <= world.clock.now():
        draws.append(_sweeps)
    if any(lead["held_since"] for lead in world.picture["lead"]):
        draws.append(_releases)
    for draw in draws:
        if step := draw(world, world.chance):
            yield step
