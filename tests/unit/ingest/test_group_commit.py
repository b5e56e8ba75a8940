"""Those who come together are written together; the one who cannot be written fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from leadpact.errors import Transient
from leadpact_ingest.group_commit import GroupCommit


class Writer:
    """Writes numbers and answers with their doubles. Refuses the bad ones, and waits at the gate if there is one."""

    def __init__(self, bad: Sequence[int] = (), error: type[Exception] = ValueError) -> None:
        self.batches: list[list[int]] = []
        self.bad = set(bad)
        self.error = error
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.begun.set()
        await self.gate.wait()
        if self.bad & set(numbers):
            raise self.error(f"cannot write {numbers}")
        return [number * 2 for number in numbers]


async def test_everybody_gets_their_own_outcome() -> None:
    commits = GroupCommit(Writer().write)

    assert await asyncio.gather(*map(commits.submit, range(100))) == [number * 2 for number in range(100)]


async def test_whoever_comes_while_a_batch_is_written_goes_together_into_the_next() -> None:
    writer = Writer()
    commits = GroupCommit(writer.write)
    writer.gate.clear()
    first = asyncio.create_task(commits.submit(0))
    await writer.begun.wait()
    others = [asyncio.create_task(commits.submit(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    writer.gate.set()

    await asyncio.gather(first, *others)

    assert writer.batches == [[0], [1, 2, 3, 4, 5]]


async def test_a_batch_has_its_limit() -> None:
    writer = Writer()
    commits = GroupCommit(writer.write, at_most=4)

    await asyncio.gather(*map(commits.submit, range(10)))

    assert [len(batch) for batch in writer.batches] == [4, 4, 2]


async def test_the_one_that_cannot_be_written_fails_alone() -> None:
    writer = Writer(bad=[3])
    commits = GroupCommit(writer.write)

    outcomes = await asyncio.gather(*map(commits.submit, range(8)), return_exceptions=True)

    assert isinstance(outcomes[3], ValueError)
    assert outcomes[:3] + outcomes[4:] == [0, 2, 4, 8, 10, 12, 14]
    assert len(writer.batches) <= 1 + 2 * 3  # halving, not one by one


async def test_a_passing_fault_is_everybodys_and_is_not_tried_in_halves() -> None:
    writer = Writer(bad=[3], error=Transient)
    commits = GroupCommit(writer.write)

    outcomes = await asyncio.gather(*map(commits.submit, range(8)), return_exceptions=True)

    assert all(isinstance(outcome, Transient) for outcome in outcomes)
    assert len(writer.batches) == 1


async def test_after_a_failure_it_goes_on() -> None:
    commits = GroupCommit(Writer(bad=[3]).write)

    with pytest.raises(ValueError, match="cannot write"):
        await commits.submit(3)

    assert await commits.submit(4) == 8


async def test_whoever_leaves_is_written_all_the_same_and_disturbs_nobody() -> None:
    writer = Writer()
    commits = GroupCommit(writer.write)
    leaving, staying = (asyncio.create_task(commits.submit(number)) for number in (1, 2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 4
    assert writer.batches == [[1, 2]]


async def test_closing_waits_for_what_was_submitted() -> None:
    writer = Writer()
    commits = GroupCommit(writer.write)
    writer.gate.clear()
    submitted = asyncio.create_task(commits.submit(1))
    await asyncio.sleep(0)
    closing = asyncio.create_task(commits.close())
    await asyncio.sleep(0)

    assert not closing.done()
    writer.gate.set()
    await closing
    assert await submitted == 2
