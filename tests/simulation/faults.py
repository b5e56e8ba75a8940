"""Say what may go wrong: the list of faults. One more is one function and one line in `FAULTS`.

A fault is given the step that comes next and sees it through: it lets it run, or begin and not end. What it returns stands in the trace. Everything
is drawn from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from leadpact.events.base import Message
from leadpact.storage.outbox import announce_again
from leadpact_router.handlers import CONSUMER as ROUTER
from leadpact_sla_timer.handlers import CONSUMER as TIMER
from tests.simulation.agreement import GRID
from tests.simulation.commit_points import At, Does, Point, Script
from tests.simulation.stage import perform, perform_beside
from tests.simulation.steps import (
    Step,
    a_burst,
    a_read,
    a_read_by,
    a_read_by_somebody,
    a_recompute,
    a_report,
    a_report_at_the_last_moment,
    a_report_on,
    a_sweep_by_somebody,
    draw_step,
)
from tests.simulation.world import GROUPS, World, parse

Fault = Callable[[World, Step, random.Random], Awaitable[str]]

_ANY_MESSAGE = """
    SELECT event_id, type, source, topic, key, occurred_at, causation_id, CAST(data AS text) AS data
    FROM outbox ORDER BY id OFFSET $1 LIMIT 1
"""
_TO_THE_BEGINNING = "UPDATE log_cursor SET xid = '0'::xid8, id = 0 WHERE consumer = $1"
_TO_A_PLACE = """
    UPDATE log_cursor c SET xid = p.xid, id = p.id
    FROM (
        SELECT DISTINCT ON (topic, shard) topic, shard, xid, id FROM outbox WHERE id <= $2
        ORDER BY topic, shard, xid DESC, id DESC
    ) p
    WHERE c.consumer = $1 AND c.topic = p.topic AND c.shard = p.shard AND (c.xid, c.id) > (p.xid, p.id)
"""


def _somewhere(chance: random.Random) -> Point:
    """A point in a step's transactions: more often at the end of one, where most is at stake."""
    return chance.choice(
        (At.COMMIT, At.COMMIT, At.SECOND_COMMIT, At.AFTER, At.AFTER, chance.randrange(1, 14))
    )


async def crash(world: World, step: Step, chance: random.Random) -> str:
    """The process dies at some point of the step, and is started again."""
    script = Script(Does.CRASH, _somewhere(chance))
    said = await perform(world, step, script)
    if script.happened and step.by:
        await world.restart(step.by)
    return f"at {script.at}: {said}"


async def lost_connection(world: World, step: Step, chance: random.Random) -> str:
    """The database is gone at some point, and back at once. After the commit: it worked, and nobody heard."""
    script = Script(Does.BREAK, _somewhere(chance))
    return f"at {script.at}: {await perform(world, step, script)}"


async def race(world: World, step: Step, chance: random.Random) -> str:
    """The step stops in the middle of its transaction while up to three others run, each to its end or until it has to wait.

    The first of them is the same thing, done by the other instance, or a report of sales; the last often reads what the others said.
    """
    script = Script(Does.PAUSE, chance.choice((At.COMMIT, At.COMMIT, chance.randrange(2, 16))))
    beside = chance.randrange(1, 4)
    has_twin, ends_with_a_read = chance.random() < 0.5, chance.random() < 0.5

    def draw(number: int) -> Step | None:
        if number == 0 and has_twin and step.by and step.again:
            others = [one for one in world.awake(step.by.group) if one is not step.by]
            return step.again(chance.choice(others)) if others else None
        if number == 0 and step.by:
            return a_report(world, chance)
        if number == beside - 1 and ends_with_a_read:
            return a_read_by_somebody(world, chance)
        return draw_step(world, chance)

    return f"at {script.at}: {await perform_beside(world, step, script, draw, beside)}"


async def contest(world: World, step: Step, chance: random.Random) -> str:
    """The router hears of a breach while the lead's owner reports, either of them in the middle of the other."""
    pair = [a_read_by(ROUTER)(world, chance), a_report_at_the_last_moment(world, chance)]
    return f"{await _in_the_middle(world, pair, chance)}; {await perform(world, step)}"


async def photo_finish(world: World, step: Step, chance: random.Random) -> str:
    """An owner reports, and the news meets the sweep that fires the clock, either of them in the middle of the other."""
    moment = world.soonest_moment()
    if moment is None or moment < world.clock.now():
        return await perform(world, step)
    clocks = world.picture["sla_clock"]
    owned = [one["assignment_id"] for one in clocks if one["next_at"] and parse(one["next_at"]) == moment]
    if report := a_report_on(world, chance, owned[0] or ""):
        await perform(world, report)
    world.move_to(moment)
    pair = [a_read_by(TIMER)(world, chance), a_sweep_by_somebody(world, chance)]
    return f"{await _in_the_middle(world, pair, chance)}; {await perform(world, step)}"


async def moved_in_flight(world: World, step: Step, chance: random.Random) -> str:
    """A clock fires, or hears news, while it is moved to another version of the pact: either in the middle of the other."""
    moment = world.soonest_moment()
    if moment is None or moment < world.clock.now() or len(world.agreements) < 2:
        return await perform(world, step)
    fires = chance.random() < 0.7
    if fires:
        world.move_to(moment)
    other = a_sweep_by_somebody(world, chance) if fires else a_read_by(TIMER)(world, chance)
    said = await _in_the_middle(world, [a_recompute(world, chance), other], chance)
    return f"{said}; {await perform(world, step)}"


async def rush(world: World, step: Step, chance: random.Random) -> str:
    """A fair's scans come in and are assigned; then both timers read of them at once, few shards each, so that both find some."""
    timers, burst = world.awake(TIMER), a_burst(world, chance)
    if len(timers) < 2 or not burst:
        return await perform(world, step)
    beforehand = [a_read(world, one) for one in (timers[0], timers[0])]
    for before in (*beforehand, burst, *(a_read(world, one) for one in world.awake(ROUTER))):
        await perform(world, before)
    with ExitStack() as stack:
        for one in timers:
            stack.enter_context(patch.object(one.reader, "_shards", 2))
        said = await _in_the_middle(world, [a_read(world, one) for one in timers], chance)
    return f"{said}; {await perform(world, step)}"


async def _in_the_middle(world: World, pair: Sequence[Step | None], chance: random.Random) -> str:
    first, second = chance.sample(pair, 2)
    if first is None or second is None:
        return "nobody is there"
    script = Script(Does.PAUSE, chance.choice((At.COMMIT, chance.randrange(2, 16))))
    return f"{first.name} at {script.at}: {await perform_beside(world, first, script, lambda _: second, 1)}"


async def redelivery(world: World, step: Step, chance: random.Random) -> str:
    """A group's cursors go back, to the beginning or to some earlier place: everything behind it comes again."""
    group = chance.choice(GROUPS)
    if chance.random() < 0.3:
        await world.ground.observer.execute(_TO_THE_BEGINNING, group)
    else:
        place = chance.randrange(0, world.log.last_place + 1)
        await world.ground.observer.execute(_TO_A_PLACE, group, place)
    return f"{group} reads again; {await perform(world, step)}"


async def repeat(world: World, step: Step, chance: random.Random) -> str:
    """Messages stand in the log once more, under the ids that they have."""
    for _ in range(chance.randrange(1, 4) if world.log.events else 0):
        place = chance.randrange(len(world.log.events))
        row = await world.ground.observer.fetchrow(_ANY_MESSAGE, place)
        async with world.ground.engine.begin() as connection:
            await announce_again(connection, _message(row))
    return await perform(world, step)


def _message(row: Any) -> Message:
    fields = dict(row)
    return Message(id=fields.pop("event_id"), **fields)


async def delay(world: World, step: Step, chance: random.Random) -> str:
    """A whole group, or one instance of it, does nothing for hours or days."""
    group = chance.choice(GROUPS)
    until = world.clock.now() + GRID * chance.randrange(6, 900)
    members = [one for one in world.instances if one.group == group]
    for one in members if chance.random() < 0.7 else members[:1]:
        one.asleep_until = until
    return f"{group} until {until}; {await perform(world, step)}"


async def clock_jump(world: World, step: Step, chance: random.Random) -> str:
    """The database's clock is stepped: unsteady for one step, then on another course."""
    world.clock.is_steady = False
    said = await perform(world, step)
    by = GRID * chance.choice((chance.randrange(1, 12), chance.randrange(12, 600)))
    world.advance(by)
    world.clock.is_steady = True
    return f"{said}; by {by}"


async def clock_back(world: World, step: Step, chance: random.Random) -> str:
    """As a jump, but backwards, by minutes or hours."""
    world.clock.is_steady = False
    said = await perform(world, step)
    by = GRID * chance.choice((1, 2, 6, chance.randrange(1, 60)))
    world.advance(-by)
    world.clock.is_steady = True
    return f"{said}; by {-by / timedelta(minutes=1):.0f} minutes"


FAULTS: Sequence[tuple[float, Fault]] = (
    (5, crash),
    (3, lost_connection),
    (8, race),
    (3, contest),
    (3, photo_finish),
    (2, moved_in_flight),
    (1.5, rush),
    (2, redelivery),
    (2, repeat),
    (1, delay),
    (1, clock_jump),
    (1, clock_back),
)
"""How often each comes, and what it does."""


def draw_fault(chance: random.Random) -> Fault:
    """Whatever goes wrong next."""
    (fault,) = chance.choices([fault for _, fault in FAULTS], [weight for weight, _ in FAULTS])
    return fault
