"""Find a Kafka broker for the tests, the most real one that this machine offers, and say which one it is.

In this order:

1. ``external``: the cluster that ``LEADPACT_TEST_KAFKA`` names;
2. ``apache``: Apache Kafka itself, started for the session (Java 17; Maven for the first time);
3. ``librdkafka``: the broker inside librdkafka. It speaks the protocol but keeps nothing, makes topics of four partitions
   when they are first used, and has no admin requests.

``LEADPACT_REQUIRE_KAFKA=1`` makes the third a failure. A test that kills the broker asks for ``durable_kafka_broker`` and
is skipped, with the reason, where the broker cannot be killed and found again as it was.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from confluent_kafka import Producer

from leadpact.demo.kafka_broker import (
    ApacheKafka,
    KafkaUnavailable,
    find_java,
    find_maven,
    jars_folder,
    kafka_version,
)

Kind = Literal["external", "apache", "librdkafka"]


@dataclass(frozen=True)
class Choice:
    """What will be used, and why it is not something better."""

    kind: Kind
    why: str


class KafkaBroker:
    """The session's broker, as a test may use it."""

    def __init__(
        self, kind: Kind, bootstrap: str, *, ours: ApacheKafka | None = None, why_not_durable: str = ""
    ) -> None:
        self.kind = kind
        self.bootstrap = bootstrap
        """``host:port``, the same before and after a restart."""
        self.why_not_durable = why_not_durable
        self._ours = ours

    @property
    def durable(self) -> bool:
        """May it be killed and started again with every acknowledged record in place?"""
        return self._ours is not None

    @property
    def running(self) -> bool:
        return self._ours is None or self._ours.running

    def kill(self) -> None:
        """SIGKILL. Only where ``durable``."""
        self._to_be_killed().kill()

    def restart(self) -> None:
        """Start it again on the same address and wait until it serves. Only where ``durable``."""
        self._to_be_killed().restart()

    def suspend(self) -> None:
        """Let it hold its connections and answer nothing, until ``resume``. Only where ``durable``."""
        os.kill(self._to_be_killed().pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._to_be_killed().pid, signal.SIGCONT)

    def _to_be_killed(self) -> ApacheKafka:
        assert self._ours is not None, f"ask for `durable_kafka_broker`: {self.why_not_durable}"
        return self._ours


def choose_kafka() -> Choice:
    """Which broker this session would start. Starts and downloads nothing."""
    external = os.environ.get("LEADPACT_TEST_KAFKA")
    if external:
        return Choice("external", f"LEADPACT_TEST_KAFKA={external}")
    try:
        find_java()
        fetched = jars_folder().is_dir()
        if not fetched:
            find_maven()
    except KafkaUnavailable as reason:
        return Choice("librdkafka", str(reason))
    return Choice("apache", "in the cache" if fetched else "to be fetched with Maven")


def kafka_header_line() -> str:
    """For ``pytest_report_header``: which broker the Kafka tests meet."""
    choice = choose_kafka()
    names: dict[Kind, str] = {
        "external": "an external cluster",
        "apache": f"Apache Kafka {kafka_version()}",
        "librdkafka": "librdkafka's built-in broker, which keeps nothing",
    }
    return f"kafka: {names[choice.kind]} ({choice.why})"


def start_kafka(choice: Choice, resources: ExitStack) -> KafkaBroker:
    """Start what was chosen; closing ``resources`` ends it."""
    if choice.kind == "external":
        why_not_durable = "the cluster that LEADPACT_TEST_KAFKA names is not ours to kill"
        return KafkaBroker("external", os.environ["LEADPACT_TEST_KAFKA"], why_not_durable=why_not_durable)
    if choice.kind == "librdkafka":
        return _start_librdkafka(choice.why, resources)
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="leadpact-kafka-"))
    try:
        kafka = resources.enter_context(ApacheKafka.start(Path(folder)))
    except KafkaUnavailable as reason:
        return _start_librdkafka(str(reason), resources)
    return KafkaBroker("apache", kafka.bootstrap, ours=kafka)


def _start_librdkafka(why_not_apache: str, resources: ExitStack) -> KafkaBroker:
    if os.environ.get("LEADPACT_REQUIRE_KAFKA") == "1":
        pytest.fail(
            f"LEADPACT_REQUIRE_KAFKA=1, and Apache Kafka cannot run here: {why_not_apache}", pytrace=False
        )
    # The broker lives inside this client, and for as long as anything holds the client.
    host = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    resources.callback(host.flush)
    broker = next(iter(host.list_topics(timeout=10).brokers.values()))
    why_not_durable = (
        f"librdkafka's built-in broker keeps nothing, and Apache Kafka cannot run here: {why_not_apache}"
    )
    return KafkaBroker("librdkafka", f"{broker.host}:{broker.port}", why_not_durable=why_not_durable)


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """The session's broker."""
    with ExitStack() as resources:
        yield start_kafka(choose_kafka(), resources)


@pytest.fixture
def durable_kafka_broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """The session's broker, if it can be killed and restarted without losing a record; else the test is skipped."""
    if not kafka_broker.durable:
        pytest.skip(kafka_broker.why_not_durable)
    yield kafka_broker
    # A test that failed between kill and restart must not take the others with it.
    if not kafka_broker.running:
        kafka_broker.restart()
