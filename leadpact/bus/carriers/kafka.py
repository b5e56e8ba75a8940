"""Carry messages with Kafka: a Kafka consumer group shares the partitions, PostgreSQL remembers how far each has been applied.

One fetch is one transaction:

1. move the group's offsets of the fetched partitions from where we stand to behind the fetch, by compare-and-swap
   (``UPDATE kafka_offset … WHERE next_offset = <where we stand>``);
2. apply the messages, and commit.

The compare-and-swap comes first: its row locks keep everybody else off these partitions until the commit, and an instance that lost a
partition without knowing it (a late callback, a suspended host) waits there, finds the offset moved and does nothing.
Kafka's own group offsets are written afterwards, for tools that show lag; nothing is read from them. How a member of a group
comes to its records is in `kafka_group.py`.

The same holds where PostgreSQL goes back behind a commit (a standby that had not heard of it took over): the offset and the effect are gone
together, so the events come again. Should no further event come to run into it, each instance still compares its places now and then.

**Never skip.** An offset that Kafka no longer has, or does not have yet, means that the topic was made anew or that its retention ate what
this group had not read: the consumer stops and says so (`OffsetOutsideLog`).

**Never hang.** A client that meets a fault is thrown away and made anew. Where events wait and none is delivered although Kafka answers, the
consumer stops (`NoProgress`), so that the process is restarted and seen.

**Changing carriers.** All processes of an installation use the same one. Nothing else is needed: the relay publishes the log from its
beginning, and the inbox passes over what a consumer has applied before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import text

from leadpact.bus.carrier import ApplyBatch, Delivery
from leadpact.bus.cloud_events import from_record
from leadpact.bus.kafka_cluster import KafkaAway, KafkaCluster
from leadpact.bus.kafka_group import Fetched, GroupMember, OffsetOutsideLog, Places
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.topics import ensure_topics
from leadpact.errors import LeadpactError, Transient
from leadpact.events.base import Topic
from leadpact.storage import log
from leadpact.storage.unit_of_work import Transaction, UnitOfWork

# A missing row is a group that has never read this partition: it starts at the beginning of what is there.
_BEGIN = text(
    """
    INSERT INTO kafka_offset (consumer, topic, partition, next_offset)
    SELECT :consumer, n.topic, n.partition, n.beginning
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS smallint[]), CAST(:beginnings AS bigint[])) AS n(topic, partition, beginning)
    ON CONFLICT DO NOTHING
    """
)
_STANDING = text("SELECT topic, partition, next_offset FROM kafka_offset WHERE consumer = :consumer")
_MOVE = text(
    """
    UPDATE kafka_offset k SET next_offset = n.behind
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS smallint[]), CAST(:standing AS bigint[]), CAST(:behind AS bigint[]))
         AS n(topic, partition, standing, behind)
    WHERE k.consumer = :consumer AND k.topic = n.topic AND k.partition = n.partition AND k.next_offset = n.standing
    """
)


class NoProgress(LeadpactError):
    """Events wait on Kafka and are not delivered, although it answers."""


class Overtaken(Transient):
    """Another instance has moved this group's offsets."""


class KafkaCarrier:
    """The carrier for many processes: as many instances of a group work side by side as a topic has partitions."""

    def __init__(
        self,
        uow: UnitOfWork,
        cluster: KafkaCluster,
        metrics: KafkaMetrics,
        *,
        batch_size: int = 500,
        quiet_seconds: float = 15.0,
    ) -> None:
        self._uow = uow
        self._cluster = cluster
        self._metrics = metrics
        self._batch_size = batch_size
        self._quiet_seconds = quiet_seconds

    def reader(self, consumer: str, topics: Sequence[Topic]) -> KafkaReader:
        # What a group announces while it applies a batch, it announces in its own name.
        uow = self._uow.named(consumer)
        return KafkaReader(
            uow, self._cluster, self._metrics, consumer, topics, self._batch_size, self._quiet_seconds
        )


class KafkaReader:
    """One instance of a group."""

    def __init__(
        self,
        uow: UnitOfWork,
        cluster: KafkaCluster,
        metrics: KafkaMetrics,
        consumer: str,
        topics: Sequence[Topic],
        batch_size: int,
        quiet_seconds: float,
    ) -> None:
        self._uow = uow
        self._cluster = cluster
        self._metrics = metrics
        self._consumer = consumer
        self._topics = list(topics)
        self._batch_size = batch_size
        self._quiet_seconds = quiet_seconds
        self._member: GroupMember | None = None
        self._looked_at = 0.0
        self._was_behind = False
        self._compared_at = 0.0
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._joined()

    async def run_once(self, apply: ApplyBatch) -> bool:
        member = await self._joined()
        try:
            await self._compare_places(member)
            await self._set_places(member)
            fetched = await member.fetched(self._batch_size)
            if fetched:
                await self._apply(member, fetched, apply)
            elif fetched is not None:
                await self._look_for_progress(member)
        except KafkaAway:
            self._drop(member, tell=False)
            raise
        member.tell_kafka()
        return bool(fetched)

    async def wait(self, stop: asyncio.Event) -> None:
        if self._member is not None:
            await self._member.wait(stop)

    async def stop(self) -> None:
        if self._member is not None:
            self._drop(self._member, tell=True)
        await asyncio.gather(*self._leaving)

    async def _joined(self) -> GroupMember:
        """The group's member that we are; a new one at the start and after every fault."""
        if self._member is None:
            await self._take_over_from_postgres()
            await ensure_topics(self._cluster, self._topics)
            self._member = await GroupMember.join(self._cluster, self._consumer, self._topics)
            self._progressed()
            self._compared_at = _now()
        return self._member

    async def _take_over_from_postgres(self) -> None:
        """From now on the relay reads the log for us. A cursor that moves no more would keep every later message from being deleted."""
        async with self._uow.transaction() as tx:
            await log.register(tx, log.RELAY, list(Topic))
            await log.forget(tx, self._consumer)

    async def _set_places(self, member: GroupMember) -> None:
        """Set every partition that was assigned, or whose last transaction failed, to where PostgreSQL says that we stand."""
        unset = member.unset
        if not unset:
            return
        beginnings = await member.beginnings(unset)
        places = await self._begun(beginnings)
        # After the places: until it has heard of the rebalance, another member may go on applying what comes.
        ends = await member.ends(unset)
        for partition in unset:
            if not beginnings[partition] <= places[partition] <= ends[partition]:
                reach = f"Kafka has those from {beginnings[partition]} to {ends[partition]}"
                raise OffsetOutsideLog(partition, places[partition], reach)
        member.set_places({partition: places[partition] for partition in unset})

    async def _compare_places(self, member: GroupMember) -> None:
        """Give up the places that PostgreSQL knows otherwise. A quiet partition would show it only with its next event, if one ever comes."""
        if _now() - self._compared_at < self._quiet_seconds:
            return
        async with self._uow.transaction() as tx:
            standing = await self._standing(tx)
        member.unset_places([place for place, ours in member.places.items() if standing.get(place) != ours])
        self._compared_at = _now()

    async def _begun(self, beginnings: Places) -> Places:
        """Where the group stands, everywhere; at the beginning where it has never been."""
        async with self._uow.transaction() as tx:
            new = {"consumer": self._consumer, **_arrays(beginnings), "beginnings": list(beginnings.values())}
            await tx.execute(_BEGIN, new)
            return await self._standing(tx)

    async def _standing(self, tx: Transaction) -> Places:
        rows = await tx.execute(_STANDING, {"consumer": self._consumer})
        return {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}

    async def _apply(self, member: GroupMember, fetched: Fetched, apply: ApplyBatch) -> None:
        standing = {partition: member.places[partition] for partition in fetched}
        behind = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
        deliveries = [self._delivery(record) for records in fetched.values() for record in records]
        # After a fault, PostgreSQL is asked where we stand: a commit whose answer was lost may have happened.
        with member.working(behind):
            async with self._uow.transaction() as tx:
                await self._move(tx, standing, behind)
                await apply(tx, deliveries)
        self._progressed()
        for name, lag in member.lag().items():
            self._metrics.lag.labels(self._consumer, self._cluster.topic_of(name)).set(lag)

    async def _move(self, tx: Transaction, standing: Places, behind: Places) -> None:
        swap = {"standing": list(standing.values()), "behind": list(behind.values())}
        moved = await tx.execute(_MOVE, {"consumer": self._consumer, **_arrays(behind), **swap})
        if moved.rowcount != len(behind):
            raise Overtaken(f"another instance of {self._consumer} has gone on from here")

    def _delivery(self, record: ConsumerRecord) -> Delivery:
        topic, position = self._cluster.topic_of(record.topic), f"{record.partition}:{record.offset}"
        return from_record(topic, position, record.key, record.value, record.headers)

    async def _look_for_progress(self, member: GroupMember) -> None:
        """Stop if, at two looks in a row, events waited, and none came in between."""
        if not member.places or _now() - self._looked_at < self._quiet_seconds:
            return
        waiting = await member.undelivered()
        if waiting and self._was_behind:
            raise NoProgress(f"{waiting} events wait for {self._consumer} on Kafka and are not delivered")
        self._looked_at, self._was_behind = _now(), waiting > 0

    def _progressed(self) -> None:
        self._looked_at, self._was_behind = _now(), False

    def _drop(self, member: GroupMember, *, tell: bool) -> None:
        """Leave the group in the background: a client that is stuck may take its time."""
        self._member = None
        leaving = asyncio.create_task(member.leave(tell=tell))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


def _arrays(partitions: Mapping[TopicPartition, Any]) -> dict[str, list[Any]]:
    return {
        "topics": [partition.topic for partition in partitions],
        "partitions": [partition.partition for partition in partitions],
    }


def _now() -> float:
    return asyncio.get_running_loop().time()
