"""Loops live and die together, and rounds go on through passing faults."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from leadpact.errors import Transient
from leadpact.runtime.service import Loop, rounds, run_loops


async def test_a_loop_that_dies_ends_the_others_and_says_why() -> None:
    ended: list[str] = []

    async def patient(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append("patient")

    async def dies(_: asyncio.Event) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await run_loops([Loop("patient", patient), Loop("dies", dies)], asyncio.Event())

    assert caught.group_contains(RuntimeError, match="a bug")
    assert ended == ["patient"]


async def test_a_loop_that_does_not_stop_in_time_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def deaf(_: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    stop = asyncio.Event()
    running = asyncio.create_task(run_loops([Loop("deaf", deaf)], stop, drain_seconds=0.05))
    await asyncio.sleep(0)
    stop.set()
    await running
    assert cancelled.is_set()


async def test_a_round_follows_at_once_while_more_is_waiting_and_a_passing_fault_does_not_end_it() -> None:
    stop = asyncio.Event()
    outcomes: Iterator[bool | Transient] = iter([True, True, Transient("away"), False])
    done: list[object] = []

    async def work() -> bool:
        outcome = next(outcomes, None)
        done.append(outcome)
        if outcome is None:
            stop.set()
            return False
        if isinstance(outcome, Transient):
            raise outcome
        return outcome

    async with asyncio.timeout(10):
        await rounds("work", work, every_seconds=0.01).run(stop)
    assert [str(outcome) for outcome in done] == ["True", "True", "away", "False", "None"]


async def test_any_other_fault_ends_the_rounds() -> None:
    async def work() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await rounds("work", work, every_seconds=60).run(asyncio.Event())


async def test_the_stop_ends_a_pause() -> None:
    stop = asyncio.Event()

    async def work() -> bool:
        asyncio.get_running_loop().call_soon(stop.set)
        return False

    async with asyncio.timeout(10):
        await rounds("work", work, every_seconds=3_600).run(stop)
