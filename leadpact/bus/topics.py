"""Make the topics that are missing on a Kafka cluster, and leave those that are there as they are.

Where Leadpact may not create topics, an administrator makes them beforehand. The number of partitions is the greatest number of
instances of one service that can work side by side. It must not be changed later: a key would move to another
partition, and its events could overtake each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # ships no types
from aiokafka.errors import TopicAlreadyExistsError, for_code  # type: ignore[import-untyped]  # ships no types

from leadpact.bus.kafka_cluster import KafkaCluster, close_quietly, kafka_call
from leadpact.events.base import Topic

log = structlog.get_logger(__name__)

_LIST_SECONDS = 10.0
_CREATE_SECONDS = 20.0

MESSAGE_BYTES_AT_MOST = 4_194_304
"""The largest event that a topic made here takes. An upload's row or a form's body is bounded far below it."""


async def ensure_topics(cluster: KafkaCluster, topics: Sequence[Topic]) -> None:
    """Create those of ``topics`` that are missing. Raises ``Transient`` while the cluster is away or refuses."""
    admin = AIOKafkaAdminClient(**cluster.client_options(request_seconds=_LIST_SECONDS))
    try:
        async with kafka_call(_LIST_SECONDS, "list its topics"):
            await admin.start()
            existing = set(await admin.list_topics())
        missing = [name for topic in topics if (name := cluster.topic_name(topic)) not in existing]
        if missing:
            await _create(admin, cluster, missing)
    finally:
        await close_quietly(admin.close)


async def _create(admin: AIOKafkaAdminClient, cluster: KafkaCluster, names: Sequence[str]) -> None:
    wanted = [
        NewTopic(name, cluster.partitions, cluster.replication, topic_configs=_configuration(cluster))
        for name in names
    ]
    async with kafka_call(_CREATE_SECONDS, f"create {', '.join(names)}"):
        answer = await admin.create_topics(wanted)
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:  # another process was faster
                raise error(name)
    log.info("kafka.topics_created", topics=list(names), partitions=cluster.partitions)


def _configuration(cluster: KafkaCluster) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(
            7 * 24 * 3600 * 1000
        ),  # longer than any outage of a consumer that nobody looks into
        "max.message.bytes": str(MESSAGE_BYTES_AT_MOST),
        # An acknowledged event is on two disks wherever there are two to be had, and only a replica that has it may lead.
        "min.insync.replicas": "2" if cluster.replication > 2 else "1",
        "unclean.leader.election.enable": "false",
    }
