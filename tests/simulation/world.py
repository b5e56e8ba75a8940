"""The three services in one process: two instances of each, on one virtual clock, with nothing of their own that moves.

Whatever the services' loops would call, the scheduler calls: `PostgresReader.run_once`, `Sweeper.run_once`, `ReleaseHeld.run_once`, the writer
of posts, the reports of sales. An instance that crashed is made anew and remembers nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry

from leadpact.bus.carriers.postgres import PostgresCarrier, PostgresReader
from leadpact.bus.consume import Consumer
from leadpact.domain.lead import LeadDraft
from leadpact.events import Topic
from leadpact.pact.book import PactBook
from leadpact.storage.wake import Wake
from leadpact_ingest import receipts
from leadpact_ingest.accept import PostWriter
from leadpact_router.calendars import CalendarShelf
from leadpact_router.handlers import CONSUMER as ROUTER
from leadpact_router.handlers import TOPICS as ROUTER_TOPICS
from leadpact_router.handlers import router_consumer
from leadpact_router.release_held import ReleaseHeld
from leadpact_router.roster import put_accounts, put_reps
from leadpact_sla_timer.handlers import CONSUMER as TIMER
from leadpact_sla_timer.handlers import timer_consumer
from leadpact_sla_timer.metrics import TimerMetrics
from leadpact_sla_timer.sweep import Sweeper
from tests.simulation.agreement import ACCOUNTS, BEGINNINGS, REPS, Agreement, first_agreement
from tests.simulation.commit_points import ScriptedUnitOfWork
from tests.simulation.ground import Ground
from tests.simulation.picture import Log, Picture, look
from tests.support.fake_clock import FakeClock

INGEST = receipts.CONSUMER
GROUPS = (ROUTER, TIMER, INGEST)
BATCH_SIZES = (8, 40, 500)

_SENDERS_TRY_FOR = timedelta(hours=20)


@dataclass(eq=False)
class Instance:
    """One process of a service. ``reader`` and ``consumer`` are its place in the group."""

    group: str
    reader: PostgresReader
    consumer: Consumer
    sweeper: Sweeper | None = None
    release: ReleaseHeld | None = None
    writer: PostWriter | None = None
    asleep_until: datetime | None = None

    async def read(self) -> bool:
        return await self.consumer.run_once(self.reader)


@dataclass(frozen=True)
class Letter:
    """A post on its way, until its sender has an answer."""

    key: str
    draft: LeadDraft
    source: str
    written_at: datetime


@dataclass
class World:
    """What there is, and what those outside were told."""

    ground: Ground
    chance: random.Random
    clock: FakeClock
    picture: Picture = field(default_factory=Picture)
    log: Log = field(default_factory=Log)
    wake: Wake = field(default_factory=Wake)
    instances: list[Instance] = field(default_factory=list)
    written: dict[str, Agreement] = field(default_factory=dict)
    """Versions of the pact that somebody meant to apply, by the hash of their text."""
    agreements: dict[int, Agreement] = field(default_factory=dict)
    """Versions that are stored, by number."""
    told: dict[str, str] = field(
        default_factory=dict
    )  # key of a post -> the receipt that its sender was given
    told_twice: list[str] = field(default_factory=list)
    unanswered: list[Letter] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    posts: int = 0
    latest: datetime | None = None
    """The latest time that the clock has ever shown."""
    set_back: list[tuple[datetime, datetime]] = field(default_factory=list)
    """From when to when the clock was stepped back."""

    @classmethod
    async def begin(cls, ground: Ground, chance: random.Random, clock: FakeClock) -> World:
        """An empty database, a pact, reps, and two instances of each service."""
        await ground.clear()
        clock.set(chance.choice(BEGINNINGS))
        world = cls(ground, chance, clock)
        uow = world.uow("router")
        await world.apply(first_agreement(chance))
        async with uow.transaction() as tx:
            await put_reps(tx, REPS, clock.now())
            await put_accounts(tx, ACCOUNTS, clock.now())
        for group in GROUPS:
            for _ in range(2):
                world.instances.append(await world.start(group))
        world.see(await look(ground.observer))
        return world

    def uow(self, source: str) -> ScriptedUnitOfWork:
        return ScriptedUnitOfWork(self.ground.engine, source=source, wake=self.wake)

    async def start(self, group: str) -> Instance:
        """A new process of the group's service, which knows nothing but what is stored."""
        uow, book, clock = self.uow(group), PactBook(), self.clock
        carrier = PostgresCarrier(uow, self.wake, batch_size=self.chance.choice(BATCH_SIZES))
        if group == ROUTER:
            shelf = CalendarShelf()
            made = Instance(
                group,
                carrier.reader(group, ROUTER_TOPICS),
                router_consumer(book, shelf, clock),
                release=ReleaseHeld(uow, book, shelf, clock, self.wake),
            )
        elif group == TIMER:
            made = Instance(
                group,
                carrier.reader(group, [Topic.LEADS]),
                timer_consumer(book, clock),
                sweeper=Sweeper(
                    uow,
                    book,
                    clock,
                    self.wake,
                    TimerMetrics(CollectorRegistry()),
                    batch_size=self.chance.choice((1, 3, 500)),
                ),
            )
        else:
            made = Instance(
                group,
                carrier.reader(group, receipts.TOPICS),
                receipts.receipts_consumer(clock),
                writer=PostWriter(uow, clock.now),
            )
        await made.reader.start()
        return made

    async def restart(self, instance: Instance) -> None:
        """The process died; another takes its place."""
        self.instances[self.instances.index(instance)] = await self.start(instance.group)

    def awake(self, group: str) -> list[Instance]:
        """The group's instances that are not delayed."""
        now = self.clock.now()
        return [
            one
            for one in self.instances
            if one.group == group and (one.asleep_until is None or one.asleep_until <= now)
        ]

    async def apply(self, agreement: Agreement) -> None:
        """Put a version of the pact in force."""
        written = agreement.yaml()
        self.written[md5(written.encode(), usedforsecurity=False).hexdigest()] = agreement
        async with self.uow("router").transaction() as tx:
            await PactBook().apply(tx, written, applied_by="the simulation")

    def see(self, picture: Picture) -> None:
        """Take in what is stored now. Which versions of the pact there are is seen here, too: who applied one may not have heard."""
        self.picture = picture
        for row in picture["pact_version"]:
            self.agreements[row["version"]] = self.written[row["text"]]

    @property
    def agreement(self) -> Agreement:
        """The version in force."""
        return self.agreements[max(self.agreements)]

    def answered(self, letter: Letter, receipt: UUID) -> None:
        """The sender of ``letter`` was told this receipt."""
        known = self.told.setdefault(letter.key, str(receipt))
        if known != str(receipt):
            self.told_twice.append(letter.key)

    def wake_everybody(self) -> None:
        """No instance is delayed any more."""
        for instance in self.instances:
            instance.asleep_until = None

    def move_to(self, at: datetime) -> None:
        """Show another time. A sender tries for as long as its key is sure to be remembered, no longer."""
        before = self.clock.now()
        if at < before:
            self.set_back.append((before, at))
        self.clock.set(at)
        self.latest = max(self.latest or before, before, at)
        self.unanswered = [one for one in self.unanswered if at - one.written_at < _SENDERS_TRY_FOR]

    def advance(self, by: timedelta) -> None:
        self.move_to(self.clock.now() + by)

    def soonest_moment(self) -> datetime | None:
        """When the next clock fires, as stored."""
        moments = [parse(clock["next_at"]) for clock in self.picture["sla_clock"] if clock.get("next_at")]
        return min(moments, default=None)


def parse(at: Any) -> datetime:
    """A time as JSON holds it."""
    return datetime.fromisoformat(at)
