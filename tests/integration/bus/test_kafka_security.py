"""A cluster that wants TLS and a password gets them, and nobody gets in without."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from leadpact.bus.carrier import Delivery
from leadpact.bus.carriers.kafka import KafkaCarrier
from leadpact.bus.kafka_cluster import KafkaCluster, SignIn
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.bus.topics import ensure_topics
from leadpact.cli.assemble import kafka_cluster
from leadpact.demo import kafka_broker as starter
from leadpact.errors import Transient
from leadpact.events import Topic
from leadpact.ids import new_id
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from tests.support.carrying import announce, fact, running, until
from tests.support.kafka_broker import choose_kafka

JAAS = "org.apache.kafka.common.security"
SECURED = """
listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required \\
  username="broker" password="b" user_broker="b" user_leadpact="plain-secret";
listener.name.plaintext.scram-sha-512.sasl.jaas.config={jaas}.scram.ScramLoginModule required;
"""
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
SCRAM_USER = "SCRAM-SHA-512=[name=leadpact,password=scram-secret]"


def make_certificates(folder: Path) -> None:
    """The certificate of 127.0.0.1 (``ca.pem``, its own authority), and the same with its key (``broker.pem``)."""
    subject = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/ca.pem"]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *new, *subject], check=True, capture_output=True)
    (folder / "broker.pem").write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker that speaks TLS only and knows the user leadpact; the cluster without a user."""
    if choose_kafka().kind != "apache":
        pytest.skip("only Apache Kafka, started by the tests themselves, can be secured by them")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH to make certificates with")
    certificates = tmp_path_factory.mktemp("certificates")
    make_certificates(certificates)

    def format_with_user(storage_tool: list[str], properties: Path) -> None:
        properties.write_text(properties.read_text() + SECURED.format(folder=certificates, jaas=JAAS))
        options = ["--cluster-id", CLUSTER_ID, "--config", str(properties), "--add-scram", SCRAM_USER]
        subprocess.run([*storage_tool, "format", *options], check=True, capture_output=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starter, "_format_storage", format_with_user)
        kafka = starter.ApacheKafka.start(tmp_path_factory.mktemp("secured-kafka"))
    with kafka:
        yield KafkaCluster(
            kafka.bootstrap, partitions=4, tls=True, trusted_certificates=certificates / "ca.pem"
        )


@pytest.mark.parametrize(
    "sign_in",
    [SignIn("leadpact", "scram-secret"), SignIn("leadpact", "plain-secret", "PLAIN")],
    ids=["SCRAM-SHA-512", "PLAIN"],
)
async def test_events_travel_encrypted_for_a_user_who_may(
    secured: KafkaCluster, sign_in: SignIn, uow: UnitOfWork, wake: Wake, metrics: KafkaMetrics
) -> None:
    cluster = replace(secured, sign_in=sign_in, topic_prefix=f"{new_id()}.")
    arrived: list[Delivery] = []
    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(uow, cluster, wake, metrics).run(stop))

    async def apply(_: Transaction, deliveries: Sequence[Delivery]) -> None:
        arrived.extend(deliveries)

    async with running(KafkaCarrier(uow, cluster, metrics).reader("safe", [Topic.SLA]), apply):
        await announce(uow, [fact(new_id(), "secret")])
        await until(lambda: len(arrived) == 1)
    stop.set()
    await relay


@pytest.mark.parametrize(
    "change",
    [
        {"sign_in": None},
        {"sign_in": SignIn("leadpact", "wrong")},
        {"sign_in": SignIn("nobody", "scram-secret")},
        {"tls": False, "sign_in": SignIn("leadpact", "scram-secret")},
        {"trusted_certificates": None, "sign_in": SignIn("leadpact", "scram-secret")},
    ],
    ids=["no user", "wrong password", "unknown user", "no TLS", "an authority that nobody trusts"],
)
async def test_nobody_gets_in_who_may_not(secured: KafkaCluster, change: dict[str, object]) -> None:
    with pytest.raises(Transient, match=r"Kafka (could|did) not list its topics"):
        await ensure_topics(replace(secured, **change), [Topic.SLA])  # type: ignore[arg-type]  # replace checks the names


def test_the_settings_say_how_the_cluster_is_reached_and_hide_the_password() -> None:
    settings = Settings(
        kafka_tls=True,
        kafka_ca_file=Path("/etc/leadpact/ca.pem"),
        kafka_username="leadpact",
        kafka_password=SecretStr("secret"),
    )
    cluster = kafka_cluster(settings, "kafka.acme.example:9093")
    assert (cluster.tls, cluster.trusted_certificates) == (True, Path("/etc/leadpact/ca.pem"))
    assert cluster.sign_in == SignIn("leadpact", "secret", "SCRAM-SHA-512")
    assert "secret" not in repr(cluster)
