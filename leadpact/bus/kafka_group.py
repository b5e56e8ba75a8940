"""Be one member of a Kafka consumer group, and hand out only records whose place was set by us.

Kafka revokes all partitions of a member when the group changes, and hands them out anew. *Revoked*: a running transaction is given
a few seconds to finish, what was fetched and not begun is dropped. *Assigned*: the partition counts as ``unset`` until its
place is set from outside. That happens only between two fetches, and a fetch's records count only for partitions that had been set before
it began: what the client library reads by its own rules in the meantime is never mistaken for ours.

The library's traps, and where they are closed: it commits what it has merely handed out (``enable_auto_commit``), starts new
groups at the end of the log (``auto_offset_reset``), loops for ever on a deserialiser's error (we give it none), waits for ever for
an absent coordinator (``kafka_call``), forgets its own liveness guard when a fetch is cancelled (none is, until the
client is thrown away), and swallows what a rebalance callback raises (ours only sets what others look at). A callback may
also come late, when another member has the partitions already: that is fenced in the database, not here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import structlog
from aiokafka import (  # type: ignore[import-untyped]  # ships no types
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.coordinator.assignors.roundrobin import (  # type: ignore[import-untyped]  # ships no types
    RoundRobinPartitionAssignor,
)
from aiokafka.errors import (  # type: ignore[import-untyped]  # ships no types
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from leadpact.bus.kafka_cluster import KafkaAway, KafkaCluster, close_quietly, kafka_call
from leadpact.errors import LeadpactError

log = structlog.get_logger(__name__)

_START_SECONDS = 15.0
_CALL_SECONDS = 10.0
_DRAIN_SECONDS = 5.0  # how long a rebalance waits for a running transaction
_TELL_EVERY_SECONDS = 1.0

# A member that is gone is noticed after the session; a changed group settles within the rebalance time, in which every member
# must hear of it (one heartbeat) and drain. A wrong alarm costs a rebalance and nothing else: the offsets fence.
_SESSION_SECONDS, _HEARTBEAT_SECONDS, _REBALANCE_SECONDS = 20, 3, 10
_REQUEST_SECONDS = _REBALANCE_SECONDS + 5  # a request to join is answered when the group has settled
_SETTLE_SECONDS = 60.0
_TELL_SECONDS = (
    _REQUEST_SECONDS + 1
)  # not less than a request: the library leaves an interrupted commit lying about
_LAST_WORD_SECONDS = 2.0

_POLL_SECONDS = 0.5
# How long a broker holds an empty fetch. A partition that was busy when the fetch began waits as long.
_BROKER_WAIT_SECONDS = 0.1
_FETCH_BYTES = 8 * 1024 * 1024

Fetched = dict[TopicPartition, list[ConsumerRecord]]
Places = dict[TopicPartition, int]


class OffsetOutsideLog(LeadpactError):
    """A group's place in a partition is not in Kafka's log: somebody must decide where it goes on."""

    def __init__(self, partition: TopicPartition, offset: int, reach: str) -> None:
        super().__init__(
            f"{partition.topic}-{partition.partition}: the next event to apply is at offset {offset}, {reach}. The topic was made anew, "
            "or its retention deleted events before they were applied. To go on with what is there, delete this group's row for the "
            "partition from kafka_offset: it then starts at the beginning, and what it has applied before is recognised."
        )


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc]  # ships no types
    """One client of the library, from its joining to its end. After a fault it is thrown away; its late callbacks reach only itself."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client
        self._settled = asyncio.Event()
        self._assigned: frozenset[TopicPartition] = frozenset()
        self.places: Places = {}
        """The next offset of every partition that was set and is still ours."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._fetch: asyncio.Task[Fetched] | None = None
        self._waiting_since = _now()
        self._telling: asyncio.Task[None] | None = None
        self._told: Places = {}
        self._told_at = 0.0

    @classmethod
    async def join(cls, cluster: KafkaCluster, consumer: str, topics: Sequence[str]) -> Self:
        """Join the group; it settles in the background, until then a fetch waits. Raises ``KafkaAway``."""
        client = AIOKafkaConsumer(
            **cluster.client_options(request_seconds=_REQUEST_SECONDS),
            group_id=cluster.group_name(consumer),
            enable_auto_commit=False,
            auto_offset_reset="none",
            # Exactly one: the client sends a request to join for each.
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            session_timeout_ms=_SESSION_SECONDS * 1000,
            heartbeat_interval_ms=_HEARTBEAT_SECONDS * 1000,
            rebalance_timeout_ms=_REBALANCE_SECONDS * 1000,
            fetch_max_wait_ms=int(_BROKER_WAIT_SECONDS * 1000),
            fetch_max_bytes=_FETCH_BYTES,
        )
        try:
            async with kafka_call(_START_SECONDS, f"welcome {consumer}"):
                await client.start()
        except BaseException:
            await close_quietly(client.stop)
            raise
        member = cls(client)
        client.subscribe([cluster.topic_name(topic) for topic in topics], listener=member)
        return member

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Drain first; the offsets in the database fence whatever has not finished by then."""
        self._settled.clear()
        self._assigned = frozenset()
        self.places.clear()
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.warning("kafka.drain_too_slow", seconds=_DRAIN_SECONDS)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._assigned = frozenset(assigned)
        self._settled.set()

    @property
    def unset(self) -> list[TopicPartition]:
        """Partitions that are ours and wait for their place. None while a fetch is under way: it may read them from elsewhere."""
        return [] if self._fetch else sorted(self._assigned - self.places.keys())

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> Places:
        """The first offset of each partition's log."""
        async with kafka_call(_CALL_SECONDS, "say where its log begins"):
            offsets: Places = await self._client.beginning_offsets(partitions)
            return offsets

    async def ends(self, partitions: Sequence[TopicPartition]) -> Places:
        """The offset that each partition's next record will have."""
        async with kafka_call(_CALL_SECONDS, "say how far its log reaches"):
            offsets: Places = await self._client.end_offsets(partitions)
            return offsets

    def set_places(self, places: Mapping[TopicPartition, int]) -> None:
        """Let the next fetch of each partition begin at its place; passes over those that were revoked meanwhile."""
        for partition in self._assigned & places.keys():
            self._client.seek(partition, places[partition])
            self.places[partition] = places[partition]

    def unset_places(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand out nothing more of these partitions until their places are set anew."""
        for partition in partitions:
            self.places.pop(partition, None)

    async def fetched(self, at_most: int) -> Fetched | None:
        """The records that came; None while there is nothing to be had yet. Whatever is ``unset`` is to be set before."""
        if self._fetch is None:
            # Before the group has settled, too: what goes wrong there is told to whoever fetches. A task of its own, so that the
            # stop can end the waiting without cancelling the fetch.
            patience = _POLL_SECONDS if self._settled.is_set() else 0
            self._fetch = asyncio.create_task(
                self._client.getmany(timeout_ms=int(patience * 1000), max_records=at_most)
            )
            self._waiting_since = _now()
            await asyncio.sleep(0)  # what the client has already is there after one turn
        if not self._fetch.done():
            if _now() - self._waiting_since > _SETTLE_SECONDS:
                raise KafkaAway(f"the group has not settled for {_SETTLE_SECONDS:g} s")
            return None
        fetch, self._fetch = self._fetch, None
        async with kafka_call(_CALL_SECONDS, "deliver events"):
            try:
                return self._ours(await fetch)
            except NoOffsetForPartitionError:
                return {}  # assigned during the fetch, so still unset
            except OffsetOutOfRangeError as error:
                for partition, offset in error.args[0].items():
                    if partition in self.places:
                        raise OffsetOutsideLog(partition, offset, "which Kafka does not have") from error
                return {}

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when the fetch under way has ended or the group has settled, or at the stop; after a second in any case."""
        stopping = asyncio.ensure_future(stop.wait())
        settling = asyncio.ensure_future(self._settled.wait())
        await asyncio.wait(
            [self._fetch or settling, stopping], timeout=1.0, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()
        settling.cancel()

    @contextmanager
    def working(self, behind: Places) -> Iterator[None]:
        """While records are applied, a rebalance waits. At the end their partitions stand ``behind`` them; after a fault they are ``unset``."""
        self._idle.clear()
        try:
            yield
        except BaseException:
            self.unset_places(behind)
            raise
        finally:
            self._idle.set()
        for partition in behind.keys() & self.places:  # what was revoked meanwhile is not taken back
            self.places[partition] = behind[partition]

    def lag(self) -> Counter[str]:
        """How many records stand behind our places, by the topic's name, as of the last fetch."""
        behind: Counter[str] = Counter()
        for partition, place in self.places.items():
            behind[partition.topic] += max(0, (self._client.highwater(partition) or 0) - place)
        return behind

    async def undelivered(self) -> int:
        """How many records Kafka has behind what the client has come to, asked just now."""
        partitions = list(self.places)
        async with kafka_call(_CALL_SECONDS, "say how far its log reaches"):
            ends = await self._client.end_offsets(partitions)
        try:
            # Not our places: behind the last event there may be records that are never handed out, such as marks of transactions.
            return sum([ends[partition] - await self._client.position(partition) for partition in partitions])
        except IllegalStateError:
            return 0  # revoked meanwhile

    def tell_kafka(self) -> None:
        """Write our places to Kafka, now and then and in the background, for tools that show lag. Nothing reads them back."""
        busy = self._telling is not None and not self._telling.done()
        if busy or self.places == self._told or _now() - self._told_at < _TELL_EVERY_SECONDS:
            return
        self._told, self._told_at = dict(self.places), _now()
        self._telling = asyncio.create_task(self._commit(self._told))

    async def leave(self, *, tell: bool) -> None:
        """Leave the group, after writing our places to Kafka if ``tell``. Does not raise, and gives up waiting after a few seconds."""
        if tell:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    await self._commit(dict(self.places))
        await _end(self._fetch)
        if not await close_quietly(self._client.stop):
            await _abandon(self._client)
        await _end(self._telling)

    async def _commit(self, places: Places) -> None:
        assigned = self._client.assignment()
        ours = {partition: place for partition, place in places.items() if partition in assigned}
        if not ours:
            return
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_TELL_SECONDS):
                await self._client.commit(ours)

    def _ours(self, fetched: Fetched) -> Fetched:
        ours = {
            partition: [record for record in records if record.offset >= self.places[partition]]
            for partition, records in fetched.items()
            if partition in self.places
        }
        return {partition: records for partition, records in ours.items() if records}


async def _end(task: asyncio.Task[Any] | None) -> None:
    """Cancel ``task`` and take no interest in what comes out of it."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _abandon(client: AIOKafkaConsumer) -> None:
    """End the parts of a client that waited for its group in vain: they would run on for ever, and the library has no word for this."""
    group = client._coordinator
    for end in (
        group._stop_heartbeat_task,
        group._stop_commit_offsets_refresh_task,
        client._fetcher.close,
        client._client.close,
    ):
        await close_quietly(end)


def _now() -> float:
    return asyncio.get_running_loop().time()
