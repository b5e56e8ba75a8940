"""A member of a group hands out only what was read from a place that was set, and takes nothing back that was revoked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka.errors import (  # type: ignore[import-untyped]  # ships no types
    GroupAuthorizationFailedError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]  # ships no types

from leadpact.bus.kafka_cluster import KafkaAway
from leadpact.bus.kafka_group import Fetched, GroupMember, OffsetOutsideLog

ONE, TWO = TopicPartition("leadpact.sla", 1), TopicPartition("leadpact.sla", 2)


@dataclass(frozen=True)
class At:
    """As much of a record as a member looks at."""

    offset: int


class ScriptedClient:
    """Mirrors the library's consumer: the next fetch ends when the test says with what."""

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self._fetched: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def deliver(self, what: object) -> None:
        """End the fetch that is under way, or is to come, with records or an error."""
        if isinstance(what, Exception):
            self._fetched.set_exception(what)
        else:
            self._fetched.set_result(what)

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Fetched:
        try:
            fetched: Fetched = await self._fetched
            return fetched
        finally:
            self._fetched = asyncio.get_running_loop().create_future()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset


@pytest.fixture
async def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
async def member(client: ScriptedClient) -> GroupMember:
    return GroupMember(client)


async def outcome(member: GroupMember, client: ScriptedClient, what: object) -> Fetched | None:
    """What a fetch hands out that ends with ``what``."""
    assert await member.fetched(10) is None
    client.deliver(what)
    await asyncio.sleep(0.01)
    return await member.fetched(10)


def offsets(fetched: Fetched | None) -> dict[TopicPartition, list[int]]:
    return {
        partition: [record.offset for record in records] for partition, records in (fetched or {}).items()
    }


async def test_records_of_a_partition_whose_place_was_set_are_handed_out(
    member: GroupMember, client: ScriptedClient
) -> None:
    member.on_partitions_assigned([ONE, TWO])
    assert member.unset == [ONE, TWO]
    member.set_places({ONE: 5, TWO: 0})
    assert member.unset == []
    assert client.positions == {ONE: 5, TWO: 0}

    fetched = await outcome(member, client, {ONE: [At(5), At(6)], TWO: [At(0)]})
    assert offsets(fetched) == {ONE: [5, 6], TWO: [0]}


async def test_records_of_a_partition_that_is_unset_are_not(
    member: GroupMember, client: ScriptedClient
) -> None:
    member.on_partitions_assigned([ONE, TWO])
    member.set_places({ONE: 5})
    assert offsets(await outcome(member, client, {ONE: [At(5)], TWO: [At(99)]})) == {ONE: [5]}
    assert member.unset == [TWO]


async def test_records_before_the_place_that_was_set_are_not(
    member: GroupMember, client: ScriptedClient
) -> None:
    member.on_partitions_assigned([ONE])
    member.set_places({ONE: 5})
    assert offsets(await outcome(member, client, {ONE: [At(3), At(4), At(5)]})) == {ONE: [5]}


async def test_what_was_fetched_before_a_revocation_is_dropped_even_if_the_partition_comes_back(
    member: GroupMember, client: ScriptedClient
) -> None:
    member.on_partitions_assigned([ONE])
    member.set_places({ONE: 5})
    await member.fetched(10)
    await member.on_partitions_revoked([ONE])
    member.on_partitions_assigned([ONE])
    assert (
        member.unset == []
    )  # not while the old fetch is under way: it could be taken for one of the new place
    client.deliver({ONE: [At(5)]})
    await asyncio.sleep(0.01)
    assert offsets(await member.fetched(10)) == {}
    assert member.unset == [ONE]


async def test_a_place_for_a_partition_that_was_revoked_meanwhile_is_passed_over(
    member: GroupMember, client: ScriptedClient
) -> None:
    member.on_partitions_assigned([ONE, TWO])
    await member.on_partitions_revoked([ONE, TWO])
    member.on_partitions_assigned([TWO])
    member.set_places({ONE: 5, TWO: 7})
    assert client.positions == {TWO: 7}
    assert member.places == {TWO: 7}


async def test_after_work_a_partition_stands_behind_it_and_after_a_fault_it_is_unset(
    member: GroupMember,
) -> None:
    member.on_partitions_assigned([ONE, TWO])
    member.set_places({ONE: 5, TWO: 5})
    with member.working({ONE: 8}):
        pass
    with pytest.raises(ZeroDivisionError), member.working({TWO: 8}):
        raise ZeroDivisionError
    assert member.places == {ONE: 8}
    assert member.unset == [TWO]


async def test_a_revocation_waits_for_the_work_and_its_partitions_are_not_taken_back(
    member: GroupMember,
) -> None:
    member.on_partitions_assigned([ONE])
    member.set_places({ONE: 5})
    with member.working({ONE: 8}):
        revoking = asyncio.create_task(member.on_partitions_revoked([ONE]))
        await asyncio.sleep(0.05)
        assert not revoking.done()
    await revoking
    assert member.places == {}


@pytest.mark.parametrize(
    ("said", "what_follows"),
    [
        (KafkaError("the library gave up"), KafkaAway),
        (GroupAuthorizationFailedError("leadpact.router"), GroupAuthorizationFailedError),
        (OffsetOutOfRangeError({ONE: 5}), OffsetOutsideLog),
    ],
)
async def test_a_fault_of_the_fetch_comes_out_as_what_follows_from_it(
    member: GroupMember, client: ScriptedClient, said: Exception, what_follows: type[Exception]
) -> None:
    member.on_partitions_assigned([ONE])
    member.set_places({ONE: 5})
    with pytest.raises(what_follows):
        await outcome(member, client, said)


@pytest.mark.parametrize("said", [NoOffsetForPartitionError(TWO), OffsetOutOfRangeError({TWO: 99})])
async def test_what_the_library_says_of_a_partition_that_is_unset_does_not_matter(
    member: GroupMember, client: ScriptedClient, said: Exception
) -> None:
    member.on_partitions_assigned([ONE, TWO])
    member.set_places({ONE: 5})
    assert await outcome(member, client, said) == {}
