"""Live through one seed: weeks of business in a second or two, the same to the byte whenever it is done again.

Two generators come of the seed: one draws what happens, one draws ids. The scheduler moves the clock, chooses the step and what goes wrong with it,
runs it to a standstill, and looks whether every promise holds. After the last step nothing goes wrong any more: whatever waits is
read, the clock moves from moment to moment until no clock runs, and the promises for the end are asked.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from unittest.mock import patch
from zoneinfo import available_timezones

import structlog

from leadpact.pact import book, calendar_section
from leadpact_router import roster
from tests.simulation import agreement
from tests.simulation.agreement import GRID
from tests.simulation.chance import seeded_ids
from tests.simulation.faults import draw_fault
from tests.simulation.ground import Ground
from tests.simulation.invariants import AT_REST, AT_THE_END, EVERY_STEP, Evidence, Invariant, broken
from tests.simulation.picture import hear, look, unread
from tests.simulation.stage import perform
from tests.simulation.steps import Step, a_resumption, a_round, a_sweep_by_somebody, draw_step
from tests.simulation.world import World
from tests.support.fake_clock import FakeClock

STEPS = 120
FAULTY = 0.3
"""The share of steps with which something goes wrong."""

_INSTANT = timedelta(microseconds=1)
_AT_MOST_MOMENTS = 300


@dataclass
class Life:
    """How a seed went."""

    seed: int
    violations: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    steps: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lasted: timedelta = timedelta()

    @property
    def digest(self) -> str:
        """The whole trace in one number: equal for equal lives."""
        return sha256("\n".join(self.trace).encode()).hexdigest()[:16]


async def live(ground: Ground, seed: int, *, steps: int = STEPS) -> Life:
    """Live through ``seed``. Stops at the first step after which a promise is broken."""
    chance, clock = random.Random(f"what happens {seed}"), FakeClock()
    with _quiet(), seeded_ids(random.Random(f"ids {seed}"), clock):
        world = await World.begin(ground, chance, clock)
        life = _Living(world, chance, Life(seed), AT_THE_END)
        began = clock.now()
        await life.through(steps)
        life.life.events, life.life.lasted = len(world.log.events), clock.now() - began
    return life.life


@contextmanager
def _quiet() -> Iterator[None]:
    """Log lines go nowhere; a pact, and the list of all time zones, are read once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    zones = cache(available_timezones)
    try:
        with (
            patch.object(book, "parse_pact", agreement.parsed),
            patch.object(roster, "available_timezones", zones),
            patch.object(calendar_section, "available_timezones", zones),
        ):
            yield
    finally:
        structlog.reset_defaults()


class _Living:
    def __init__(
        self, world: World, chance: random.Random, life: Life, at_the_end: Sequence[Invariant]
    ) -> None:
        self.world = world
        self.chance = chance
        self.life = life
        self.at_the_end = at_the_end

    async def through(self, steps: int) -> None:
        while self.life.steps < steps and not self.life.violations:
            await self._pass_time()
            if not self.life.violations:
                await self._step(draw_step(self.world, self.chance), self.chance.random() < FAULTY)
        if not self.life.violations:
            await self._come_to_rest()

    async def _step(self, step: Step, is_faulty: bool) -> None:
        """One step, with or without a fault, and what has become of every promise."""
        self.life.steps += 1
        at = self.world.clock.now()
        if is_faulty:
            fault = draw_fault(self.chance)
            self.life.faults[fault.__name__] += 1
            said = f"{fault.__name__} {await fault(self.world, step, self.chance)}"
        else:
            said = await perform(self.world, step)
        await self._look(f"{at:%a %d %b %H:%M} {step.name}: {said}")

    async def _look(self, line: str) -> None:
        world = self.world
        news = await hear(world.ground.observer, world.log, world.clock.now())
        before = world.picture
        world.see(await look(world.ground.observer))
        self.life.trace.append(f"{line} #{sha256(world.picture.text.encode()).hexdigest()[:8]}")
        self.life.trace.extend(f"    {event.type} {event.key} {event.event_id}" for event in news)
        self.life.violations = broken(EVERY_STEP, Evidence(world, world.picture, world.log, news, before))

    async def _pass_time(self) -> None:
        """Most steps follow at once; else minutes pass, or all until the next clock fires, or the night, or days."""
        world, chance = self.world, self.chance
        match chance.choices(("none", "minutes", "moment", "morning", "days"), (55, 27, 10, 6, 2))[0]:
            case "minutes":
                world.advance(GRID * chance.randrange(1, 13))
            case "moment":
                await self._to_the_next_moment()
            case "morning":
                world.move_to(_morning_after(world.clock.now()))
            case "days":
                world.advance(GRID * chance.randrange(288, 900))

    async def _to_the_next_moment(self) -> None:
        """To the instant before a clock fires, at which nothing may; then to the instant at which it does."""
        moment = self.world.soonest_moment()
        if moment is None or moment <= self.world.clock.now():
            return
        for at in (moment - _INSTANT, moment):
            self.world.move_to(at)
            if step := a_sweep_by_somebody(self.world, self.chance):
                await self._step(step, is_faulty=False)
            if self.life.violations:
                return
        self.world.move_to(_on_the_grid(moment))

    async def _come_to_rest(self) -> None:
        """Everybody is awake and nothing goes wrong, until nothing waits and no clock runs."""
        world = self.world
        world.wake_everybody()
        await self._settle()
        await self._let_go_on()
        for _ in range(_AT_MOST_MOMENTS):
            await self._settle()
            if not self.life.violations:
                self.life.violations = broken(AT_REST, Evidence(world, world.picture, world.log, []))
            moment = world.soonest_moment()
            if self.life.violations or moment is None:
                break
            world.move_to(max(world.clock.now(), _on_the_grid(moment)))
        if not self.life.violations:
            self.life.violations = broken(self.at_the_end, Evidence(world, world.picture, world.log, []))

    async def _let_go_on(self) -> None:
        """What stands still until somebody says otherwise: somebody says so, or no clock would ever end."""
        for row in self.world.picture["assignment"]:
            if row["paused_state"] and row["ended_at"] is None and not self.life.violations:
                await self._step(a_resumption(self.world, row["id"]), is_faulty=False)

    async def _settle(self) -> None:
        """Answer, read, sweep and release until all is quiet at this instant."""
        world, said = self.world, -1
        while not self.life.violations:
            groups = await unread(world.ground.observer)
            if not groups and len(world.log.events) == said:
                return
            said = len(world.log.events)
            for step in a_round(world, groups):
                await self._step(step, is_faulty=False)
                if self.life.violations:
                    return


def _morning_after(at: datetime) -> datetime:
    return (at + timedelta(days=1)).replace(hour=7, minute=0, second=0, microsecond=0)


def _on_the_grid(at: datetime) -> datetime:
    """The first grid instant that is no earlier."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -(-(at - midnight) // GRID) * GRID
