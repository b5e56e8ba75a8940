"""Run steps: one by itself, or one stopped in the middle of its transaction while others run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from leadpact.errors import Transient
from tests.simulation.chance import another_process
from tests.simulation.commit_points import SCRIPT, Crash, Script
from tests.simulation.steps import Step
from tests.simulation.world import World

_BLOCKED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(pid)) > 0
"""


async def perform(world: World, step: Step, script: Script | None = None) -> str:
    """Run ``step`` with what ``script`` does to it. What came of it, in a word."""
    return await _begun(world, step, script)


async def perform_beside(
    world: World, step: Step, script: Script, draw: Callable[[int], Step | None], how_many: int
) -> str:
    """Run ``step`` up to the point where ``script`` stops it, then so many others, then the rest of it.

    One of the others may have to wait for a lock that ``step`` holds: whether it does is seen in the database, not guessed by time.
    """
    main = _begun(world, step, script)
    there = asyncio.create_task(script.is_there.wait())
    await asyncio.wait({main, there}, return_when=asyncio.FIRST_COMPLETED)
    there.cancel()
    said, blocked = [], None
    for number in range(how_many if script.happened else 0):
        if (other := draw(number)) is None:
            continue
        task = _begun(world, other, None)
        if await _ends(world, task):
            said.append(f"[{other.name}: {task.result()}]")
        else:
            blocked = task
            said.append(f"[{other.name} waits]")
            break
    script.go_on.set()
    said.append(await main)
    if blocked is not None:
        said.append(f"[the other: {await blocked}]")
    return " ".join(said)


def _begun(world: World, step: Step, script: Script | None) -> asyncio.Task[str]:
    another_process()
    world.ground.drawing.salt = world.chance.randrange(16)
    context = copy_context()
    context.run(SCRIPT.set, script)
    return asyncio.create_task(_said(world, step), context=context)


async def _said(world: World, step: Step) -> str:
    try:
        return str(await step.run())
    except Crash:
        return "crashed"
    except Transient:
        return "a passing fault"
    except Exception as error:
        world.errors.append(f"{step.name}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        return type(error).__name__


async def _ends(world: World, task: asyncio.Task[Any]) -> bool:
    """True when the task is done, False when it waits for a lock."""
    while True:
        await asyncio.wait({task}, timeout=0.01)
        if task.done():
            return True
        if await world.ground.observer.fetchval(_BLOCKED):
            return False
