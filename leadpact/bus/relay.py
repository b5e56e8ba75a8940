"""Publish the log to Kafka: every event at least once, each key's events in their order, by one process at a time.

The relay is one more reader of the log. A round is four steps, and no network call stands inside a transaction:

1. **hold** the lease (`lease.py`): every process runs a relay, the lease lets one of them work;
2. **read** what stands behind the relay's cursors, below the horizon;
3. **publish** it with ``acks=all``. An event's partition follows from its key alone, and a partition gets its batches one after the
   other, so that a key's events cannot overtake each other; a batch that fails ends its partition's turn;
4. **move** the cursors past what was acknowledged, behind the lease's epoch.

What can go wrong, and what follows:

* Killed between 3 and 4, or the server before 4 was on its disk, or the lease lost: the next round publishes the same events again.
  Consumers know them by their ids.
* A send that timed out is *unknown*, not failed; it is published again. A late first copy is a repeat of what was there before.
* Two relays overlap (one was suspended): both publish from the same cursors in the same order, so the *first* copy of every event
  still stands in order; only the holder of the epoch moves a cursor.
* Kafka is away: the log keeps everything, the relay backs off and leaves the lease to whoever can do better. Leads are accepted all the while.
* Kafka refuses one event as too large: it is set aside with the reason like any message that can never be applied, since behind it
  everybody else's events wait.

The client's idempotent mode stays off: with it, batches have no deadline and a client waits for ever while the broker is
away. Our log and the event ids do what it would do. A client that failed once is thrown away and made anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # ships no types
from aiokafka.errors import (  # type: ignore[import-untyped]  # ships no types
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.partitioner import DefaultPartitioner  # type: ignore[import-untyped]  # ships no types
from aiokafka.producer.message_accumulator import BatchBuilder  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import text

from leadpact.bus.carrier import Delivery
from leadpact.bus.cloud_events import to_record
from leadpact.bus.consume import backoff_seconds
from leadpact.bus.dead_letters import SetAside, set_aside
from leadpact.bus.kafka_cluster import KafkaCluster, close_quietly, kafka_call
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.lease import Lease
from leadpact.bus.topics import ensure_topics
from leadpact.clock import wait_for
from leadpact.errors import Transient
from leadpact.events.base import Topic
from leadpact.storage import log as event_log
from leadpact.storage.log import RELAY, Cursor, Entry
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake

log = structlog.get_logger(__name__)

LEASE_SECONDS = 10.0
# A round must end well within the lease, or a slow broker would pass the lease from hand to hand.
_PUBLISH_SECONDS = 8.0
_REQUEST_SECONDS = 5.0
_STANDBY_SECONDS = 1.0
_FIRST_POLL_SECONDS = 0.005
_BATCH_BYTES = 262_144

# That the cursors have moved need not survive a crash of the server: forgotten, it is a round that died before its last step. So a round
# ends without waiting for the disk, and what was announced meanwhile is on its way sooner. What is set aside is said to
# others, and does wait.
_WITHOUT_WAITING_FOR_THE_DISK = text("SET LOCAL synchronous_commit TO off")

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_TOPICS = [topic.value for topic in Topic]
_partition = DefaultPartitioner()  # murmur2, as every Kafka client partitions by default


@dataclass
class _Round:
    """What became of the entries of one round."""

    published: set[Cursor] = field(default_factory=set)
    refused: dict[Cursor, str] = field(default_factory=dict)
    fault: Transient | None = None

    def __contains__(self, place: object) -> bool:
        """Whether there is nothing more to be done for the entry at ``place``."""
        return place in self.published or place in self.refused

    def passed(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries before the first that is neither published nor refused, shard by shard."""
        stuck: set[tuple[str, int]] = set()
        passed = []
        for entry in entries:
            shard = (entry.place.topic, entry.place.shard)
            if entry.place not in self:
                stuck.add(shard)
            elif shard not in stuck:
                passed.append(entry)
        return passed


class Relay:
    """One process's relay."""

    def __init__(
        self,
        uow: UnitOfWork,
        cluster: KafkaCluster,
        wake: Wake,
        metrics: KafkaMetrics,
        *,
        batch_size: int = 1_000,
        lease_seconds: float = LEASE_SECONDS,
        poll_at_most_seconds: float = 0.25,
    ) -> None:
        self._uow = uow
        self._cluster = cluster
        self._sleeper = wake.sleeper(_TOPICS)
        self._metrics = metrics
        self._batch_size = batch_size
        self._poll_at_most_seconds = poll_at_most_seconds
        self._lease = Lease(uow, RELAY, seconds=lease_seconds)
        self._producer: AIOKafkaProducer | None = None
        self._closing: set[asyncio.Task[bool]] = set()
        self._trouble: Exception | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Publish whatever is announced until ``stop``, whenever the lease is ours."""
        failures = 0
        poll_seconds = _FIRST_POLL_SECONDS
        try:
            while not stop.is_set():
                try:
                    active = await self._lease.hold()
                    self._metrics.relay_active.set(active)
                    more = active and await self.publish_once()
                except (Transient, KafkaError) as error:
                    failures += 1
                    await self._give_up(error, failures)
                    await wait_for(stop, backoff_seconds(failures))
                    continue
                failures, self._trouble = 0, None
                if not active:
                    await wait_for(stop, _STANDBY_SECONDS)
                elif more:
                    poll_seconds = _FIRST_POLL_SECONDS
                else:
                    poked = await self._sleeper.wait(stop, poll_seconds)
                    longer = min(poll_seconds * 2, self._poll_at_most_seconds)
                    poll_seconds = _FIRST_POLL_SECONDS if poked else longer
        finally:
            await self._leave()

    async def publish_once(self) -> bool:
        """One round, under a lease that is held. True if there was something to publish."""
        producer = await self._connected()
        entries = await self._read()
        if not entries:
            return False
        round_ = await self._publish(producer, entries)
        await self._move(round_, round_.passed(entries))
        if round_.fault is not None:
            raise round_.fault
        return True

    async def check(self) -> None:
        """Raise ``Transient`` while this process's relay cannot do its work."""
        if self._trouble is not None:
            raise Transient(str(self._trouble))

    async def _connected(self) -> AIOKafkaProducer:
        """The producer; when there is none, a new one, with all topics and cursors in place."""
        if self._producer is not None:
            return self._producer
        async with self._uow.transaction() as tx:
            await event_log.register(tx, RELAY, _TOPICS)
        await ensure_topics(self._cluster, list(Topic))
        producer = AIOKafkaProducer(
            **self._cluster.client_options(request_seconds=_REQUEST_SECONDS),
            acks="all",
            enable_idempotence=False,
            max_batch_size=_BATCH_BYTES,
        )
        self._producer = producer
        async with kafka_call(_PUBLISH_SECONDS, "welcome the relay"):
            await producer.start()
        return producer

    async def _read(self) -> list[Entry]:
        async with self._uow.transaction() as tx:
            return await event_log.read(tx, RELAY, _TOPICS, self._batch_size)

    async def _publish(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> _Round:
        """Publish as many of ``entries`` as can be, every partition for itself."""
        round_ = _Round()
        try:
            async with kafka_call(_PUBLISH_SECONDS, "take the events"):
                lanes = await self._lanes(producer, entries)
                async with asyncio.TaskGroup() as group:
                    for (topic, partition), lane in lanes.items():
                        group.create_task(_fill(producer, topic, partition, lane, round_))
        except Transient as error:
            round_.fault = error
        return round_

    async def _lanes(
        self, producer: AIOKafkaProducer, entries: Sequence[Entry]
    ) -> dict[tuple[str, int], list[Entry]]:
        """The entries by the topic's name and the partition that each belongs to, in their order."""
        partitions = {
            topic: sorted(await producer.partitions_for(self._cluster.topic_name(topic)))
            for topic in {entry.place.topic for entry in entries}
        }
        lanes: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        for entry in entries:
            everywhere = partitions[entry.place.topic]
            partition = _partition(entry.message.key.encode(), everywhere, everywhere)
            lanes[self._cluster.topic_name(entry.place.topic), partition].append(entry)
        return lanes

    async def _move(self, round_: _Round, passed: Sequence[Entry]) -> None:
        if not passed:
            return
        async with self._uow.transaction() as tx:
            await self._lease.confirm(tx)
            refused = [
                (entry, round_.refused[entry.place]) for entry in passed if entry.place in round_.refused
            ]
            if refused:
                await _set_aside(tx, refused)
            else:
                await tx.execute(_WITHOUT_WAITING_FOR_THE_DISK)
            await event_log.move(tx, RELAY, [entry.place for entry in passed])
        for entry in passed:
            if entry.place in round_.published:
                self._metrics.relay_published.labels(entry.place.topic).inc()

    async def _give_up(self, error: Exception, failures: int) -> None:
        """Begin again with a new producer, and let another process try if it can: the fault may be on our side."""
        log.warning("relay.waits", failures=failures, reason=str(error))
        self._metrics.relay_failures.inc()
        self._trouble = error
        if self._producer is not None:
            # In the background: a client that is stuck may take its time.
            closing = asyncio.create_task(close_quietly(self._producer.stop))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._producer = None
        await self._release()

    async def _release(self) -> None:
        self._metrics.relay_active.set(0)
        with suppress(Transient):  # then it expires
            await self._lease.release()

    async def _leave(self) -> None:
        await self._release()
        if self._producer is not None:
            await close_quietly(self._producer.stop)
            self._producer = None
        await asyncio.gather(*self._closing)


async def _fill(
    producer: AIOKafkaProducer, topic: str, partition: int, lane: Sequence[Entry], round_: _Round
) -> None:
    """Send one partition's entries, batch after batch. The first fault ends it: what comes behind must stay behind."""
    for batch, entries in _batches(producer, lane):
        try:
            acknowledged = await producer.send_batch(batch, topic, partition=partition)
            await acknowledged
        except _TOO_LARGE as error:
            if len(entries) == 1:
                round_.refused[entries[0].place] = str(error)
                continue
            for entry in entries:
                await _fill(producer, topic, partition, [entry], round_)
                if entry.place not in round_:
                    return
        except KafkaError as error:
            round_.fault = Transient(f"Kafka did not take events for {topic}-{partition}: {error}")
            return
        else:
            round_.published.update(entry.place for entry in entries)


def _batches(producer: AIOKafkaProducer, lane: Sequence[Entry]) -> Iterator[tuple[BatchBuilder, list[Entry]]]:
    """The lane in as few batches as its bytes allow."""
    batch, entries = producer.create_batch(), list[Entry]()
    for entry in lane:
        record = to_record(entry.message)
        fields = {"timestamp": None, "key": record.key, "value": record.value, "headers": record.headers}
        if batch.append(**fields) is None:  # full; an empty one takes an event of any size
            yield batch, entries
            batch, entries = producer.create_batch(), []
            batch.append(**fields)
        entries.append(entry)
    batch.close()
    yield batch, entries


async def _set_aside(tx: Transaction, refused: Sequence[tuple[Entry, str]]) -> None:
    now = (await tx.execute(text("SELECT statement_timestamp()"))).scalar_one()
    items = [SetAside(_origin(entry), "Kafka refuses it as too large", why) for entry, why in refused]
    await set_aside(tx, RELAY, items, now)


def _origin(entry: Entry) -> Delivery:
    place = entry.place
    return Delivery(place.topic, f"{place.shard}:{place.xid}:{place.id}", entry.message)
