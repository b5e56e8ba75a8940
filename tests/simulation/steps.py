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
from leadpact_ingest.sources import source_of
from leadpact_router import work
from leadpact_router.handlers import CONSUMER as ROUTER
from leadpact_router.offline import bring_back
from leadpact_router.roster import add_absence, put_reps, remove_absence
from leadpact_sla_timer.handlers import CONSUMER as TIMER
from leadpact_sla_timer.recompute import move_clocks
from tests.simulation.agreement import GRID, PAUSE_STATES, REJECTION_REASONS, REPS, amended
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


def a_burst(world: World, chance: random.Random) -> Step | None:
    """A fair's badge scans come in, many at once: their clocks wait for their turns."""
    strangers = [(f"guest{world.posts + number}@fair.example", "DE") for number in range(3)]
    people = [*strangers[: chance.randrange(2, 4)], *chance.sample(PEOPLE, chance.randrange(1, 3))]
    return _send(world, *(_written(world, person, "fair") for person in people))


def _a_letter(world: World, chance: random.Random) -> Letter:
    source = "website-demo" if chance.random() < 0.8 else "whitepaper"
    return _written(world, chance.choice(PEOPLE), source, "+493012345678" if chance.random() < 0.1 else None)


def _written(world: World, person: tuple[str, str], source: str, phone: str | None = None) -> Letter:
    email, country = person
    world.posts += 1
    draft = LeadDraft(
        email=email,
        country=country,
        company="Globex",
        domain=email.partition("@")[2],
        phone=phone,
        message=f"number {world.posts}",
    )
    return Letter(f"post-{world.posts}", draft, source, world.clock.now())


def _send(world: World, *letters: Letter) -> Step:
    door = next(one for one in world.instances if one.group == INGEST)
    submissions = [_submission(world, letter) for letter in letters]
    world.unanswered.extend(letter for letter in letters if letter not in world.unanswered)

    async def run() -> object:
        assert door.writer
        outcomes = await door.writer.write(submissions)
        for letter, outcome in zip(letters, outcomes, strict=True):
            assert isinstance(outcome, Accepted | Duplicate), outcome
            if letter in world.unanswered:  # a second try may have been answered meanwhile
                world.unanswered.remove(letter)
            world.answered(letter, outcome.receipt_id)
        repeats = sum(isinstance(one, Accepted) and one.is_repeat for one in outcomes)
        return ", ".join(type(one).__name__ for one in outcomes) + (" again" if repeats else "")

    posts = ", ".join(f"{letter.key} of {letter.draft.email}" for letter in letters)
    return Step(f"post {posts} to {letters[0].source}", run, door)


def _submission(world: World, letter: Letter) -> Submission:
    return Submission(
        new_id(),
        source_of(world.agreement.parsed(), letter.source),
        letter.draft,
        claim_of_post(letter.draft, letter.key),
        world.clock.now(),
        RawPost("application/json", b"{}"),
    )


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
    (verb,) = chance.choices([verb for _, verb in _VERBS], [weight for weight, _ in _VERBS])
    id_, times = UUID(assignment["id"]), 2 if chance.random() < 0.15 else 1
    report = verb(id_, happened_at, now, chance)

    async def run() -> object:
        for _ in range(times):
            async with world.uow(ROUTER).transaction() as tx:
                recorded = await report(tx)
        return f"{recorded.stage}, changed: {recorded.changed}"

    said = f"{verb.__name__.strip('_')} by {assignment['rep_id']} on {id_}, {happened_at - now} from now"
    return Step(said if times == 1 else f"{said}, twice", _or_refused(run))


_Report = Callable[[Transaction], Awaitable[work.Recorded | work.Closed]]
_Verb = Callable[[UUID, datetime, datetime, random.Random], _Report]


def _accept(id_: UUID, at: datetime, now: datetime, _: random.Random) -> _Report:
    return lambda tx: work.accept(tx, id_, occurred_at=at, now=now)


def _contact(id_: UUID, at: datetime, now: datetime, chance: random.Random) -> _Report:
    channel, automatic = chance.choice(_CHANNELS), chance.random() < 0.1
    return lambda tx: work.contact(tx, id_, channel=channel, automatic=automatic, occurred_at=at, now=now)


def _attempt(id_: UUID, at: datetime, now: datetime, chance: random.Random) -> _Report:
    """Once, or on one channel and an hour later on the other."""
    channels = chance.sample(_CHANNELS, chance.choice((1, 2)))
    automatic = chance.random() < 0.4

    async def report(tx: Transaction) -> work.Recorded:
        for before, channel in reversed(list(enumerate(channels))):
            recorded = await work.attempt(
                tx,
                id_,
                channel=channel,
                automatic=automatic,
                occurred_at=at - timedelta(hours=before),
                now=now,
            )
        return recorded

    return report


def _meeting(id_: UUID, at: datetime, now: datetime, _: random.Random) -> _Report:
    return lambda tx: work.book_meeting(tx, id_, meeting_at=now, occurred_at=at, now=now)


def _pause(id_: UUID, _: datetime, now: datetime, chance: random.Random) -> _Report:
    state = chance.choice(PAUSE_STATES)
    until = now + GRID * chance.randrange(1, 200) if chance.random() < 0.5 else None

    async def report(tx: Transaction) -> work.Recorded:
        pact = (await PactBook().current(tx)).pact
        return await work.pause(tx, id_, state=state, until=until, now=now, pact=pact)

    return report


def _resume(id_: UUID, _: datetime, now: datetime, __: random.Random) -> _Report:
    return lambda tx: work.resume(tx, id_, now=now)


def _reject(id_: UUID, at: datetime, now: datetime, chance: random.Random) -> _Report:
    reason = chance.choice(REJECTION_REASONS)

    async def report(tx: Transaction) -> work.Recorded:
        applied = await PactBook().current(tx)
        return await work.reject(
            tx, id_, reason=reason, note="said so", occurred_at=at, now=now, applied=applied
        )

    return report


_CHANNELS = ("call", "email")
_VERBS: Sequence[tuple[float, _Verb]] = (
    (3, _accept),
    (3, _contact),
    (5, _attempt),
    (1, _meeting),
    (3, _pause),
    (1.5, _resume),
    (1.5, _reject),
)


def a_closing(world: World, chance: random.Random) -> Step | None:
    """A lead is won or lost, whoever has it."""
    if not world.picture["lead"]:
        return None
    id_, now = UUID(chance.choice(world.picture["lead"])["id"]), world.clock.now()
    at = now - GRID * chance.randrange(0, 20)
    return Step(
        f"{id_} is closed as of {at}",
        _in_router(world, lambda tx: work.close(tx, id_, reason="lost", occurred_at=at, now=now)),
    )


def a_resumption(world: World, assignment_id: str) -> Step:
    """What stood still goes on."""
    now = world.clock.now()
    return Step(
        f"{assignment_id} goes on",
        _in_router(world, lambda tx: work.resume(tx, UUID(assignment_id), now=now)),
    )


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
    busy = [one["rep_id"] for one in world.picture["sla_clock"] if one["rep_id"] and one["next_at"]]
    if busy and chance.random() < 0.7:  # soon, and with a clock that runs
        name = chance.choice(busy)
        rep = next(one for one in REPS if one.id == name)
        starts_at = world.clock.now() + GRID * chance.randrange(1, 12)
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


def a_comeback(world: World, chance: random.Random) -> Step | None:
    """A rep who missed a promise takes leads again."""
    gone = [row["id"] for row in world.picture["rep"] if row["offline_since"]]
    if not gone:
        return None
    rep, now = chance.choice(gone), world.clock.now()
    return Step(f"{rep} takes leads again", _in_router(world, lambda tx: bring_back(tx, rep, now)))


def a_recompute(world: World, chance: random.Random) -> Step | None:
    """The open clocks are moved to the version in force, a page of them or all."""
    limit, now = chance.choice((2, 500)), world.clock.now()

    async def run() -> object:
        async with world.uow(TIMER).transaction() as tx:
            book = PactBook()
            newest = await book.current(tx)
            page = await move_clocks(tx, book, newest, by="the simulation", now=now, limit=limit)
        return f"{sum(move.after is not None for move in page.moves)} of {len(page.moves)}"

    return Step("the clocks are moved to the version in force", run)


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

STEPS: Sequence[tuple[float, Draw]] = (
    (12, a_post),
    (1.5, a_burst),
    (2, an_activity),
    (16, _reads[ROUTER]),
    (15, _reads[TIMER]),
    (5, _reads[INGEST]),
    (14, _sweeps),
    (5, _releases),
    (26, a_report),
    (0.7, a_closing),
    (3, an_absence),
    (1.5, a_return),
    (1, a_comeback),
    (1, a_roster_change),
    (2, a_new_pact),
    (2, a_recompute),
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
