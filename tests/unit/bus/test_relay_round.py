"""When a partition fails in the middle of a round, nothing of it is sent out of order and no cursor passes what was not taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import MessageSizeTooLargeError, NotLeaderForPartitionError  # type: ignore[import-untyped]  # ships no types

from leadpact.bus.relay import _fill, _Round
from leadpact.events.base import Message
from leadpact.ids import EventId, new_id
from leadpact.storage.log import Cursor, Entry
from tests.support.fake_clock import TUESDAY_MORNING


def entries(*texts: str, shard: int = 0) -> list[Entry]:
    return [
        Entry(
            Cursor("leadpact.sla", shard, "7", number),
            Message(EventId(new_id()), "t", "/s", "leadpact.sla", "key", TUESDAY_MORNING, text),
        )
        for number, text in enumerate(texts)
    ]


@dataclass
class Batch:
    """Mirrors the library's batch; two records fill it."""

    values: list[str] = field(default_factory=list)

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: object) -> object:
        if len(self.values) == 2:
            return None
        self.values.append(value.decode())
        return object()

    def close(self) -> None: ...


class ScriptedProducer:
    """Mirrors the library's producer: refuses a batch that contains what it was told to."""

    def __init__(self, **refuses: Exception) -> None:
        self.taken: list[str] = []
        self._refuses = refuses

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        faults = [self._refuses[value] for value in batch.values if value in self._refuses]
        if faults:
            answer.set_exception(faults[0])
        else:
            self.taken.extend(batch.values)
            answer.set_result(None)
        return answer


async def round_of(producer: ScriptedProducer, lane: list[Entry]) -> _Round:
    round_ = _Round()
    await _fill(producer, "leadpact.sla", 0, lane, round_)
    return round_


async def test_a_whole_lane_is_sent_in_order() -> None:
    producer, lane = ScriptedProducer(), entries("a", "b", "c", "d", "e")
    round_ = await round_of(producer, lane)
    assert producer.taken == ["a", "b", "c", "d", "e"]
    assert round_.passed(lane) == lane
    assert round_.fault is None


async def test_behind_a_batch_that_failed_nothing_of_its_partition_is_sent() -> None:
    producer, lane = ScriptedProducer(c=NotLeaderForPartitionError()), entries("a", "b", "c", "d", "e")
    round_ = await round_of(producer, lane)
    assert producer.taken == ["a", "b"]
    assert round_.passed(lane) == lane[:2]
    assert round_.fault is not None


async def test_an_event_that_is_too_large_is_found_and_the_others_go_on_in_order() -> None:
    producer, lane = ScriptedProducer(d=MessageSizeTooLargeError()), entries("a", "b", "c", "d", "e")
    round_ = await round_of(producer, lane)
    assert producer.taken == ["a", "b", "c", "e"]
    assert set(round_.refused) == {lane[3].place}
    assert round_.passed(lane) == lane
    assert round_.fault is None


async def test_a_fault_while_the_too_large_one_is_looked_for_ends_the_lane_too() -> None:
    refuses = {"a": MessageSizeTooLargeError(), "b": NotLeaderForPartitionError()}
    producer, lane = ScriptedProducer(**refuses), entries("a", "b", "c")
    round_ = await round_of(producer, lane)
    assert producer.taken == []
    assert set(round_.refused) == {lane[0].place}
    assert round_.passed(lane) == lane[:1]


async def test_a_cursor_stops_before_what_another_partition_did_not_take() -> None:
    one, other = entries("a", "b", "c", shard=1), entries("a", "b", shard=2)
    round_ = _Round(published={one[0].place, one[2].place, other[0].place, other[1].place})
    assert round_.passed([*one, *other]) == [one[0], *other]
