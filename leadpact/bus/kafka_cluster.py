"""Say where the Kafka cluster is and what Leadpact's things are called there, and bound every call to it in time.

The client library waits for ever in several places while a broker is away, so no call to it stands outside of ``kafka_call``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from aiokafka.errors import (  # type: ignore[import-untyped]  # ships no types
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)

from leadpact.errors import Transient

log = structlog.get_logger(__name__)

_CLOSE_SECONDS = 5.0
# A group whose leader does not know of a topic yet leaves its partitions to nobody until it looks again: by default, for five minutes.
_METADATA_SECONDS = 5.0

# What waiting does not cure: somebody must grant a right or change a version. Everything else passes.
_LASTING = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
)


class KafkaAway(Transient):
    """Kafka did not answer, or not yet as it should. The client that met this is better made anew."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user of the cluster. Use TLS with it: PLAIN shows the password to whoever listens, SCRAM shows them the events."""

    username: str
    password: str = field(repr=False)
    mechanism: str = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """A cluster, and Leadpact's corner of it.

    ``topic_prefix`` stands before every topic and group, so that several installations can share a cluster.
    ``partitions`` and ``replication`` are for topics that are missing; those that exist are taken as they are.
    """

    bootstrap: str
    topic_prefix: str = ""
    partitions: int = 6
    replication: int = 1
    tls: bool = False
    trusted_certificates: Path | None = None
    """A PEM file of the authorities to trust; None: those that the system trusts."""
    sign_in: SignIn | None = None

    def topic_name(self, topic: str) -> str:
        """What ``topic`` is called on this cluster."""
        return self.topic_prefix + topic

    def topic_of(self, name: str) -> str:
        """The topic that is called ``name`` on this cluster."""
        return name.removeprefix(self.topic_prefix)

    def group_name(self, consumer: str) -> str:
        """What the consumer group ``consumer`` is called on this cluster."""
        return f"{self.topic_prefix}leadpact.{consumer}"

    def client_options(self, *, request_seconds: float) -> dict[str, Any]:
        """What every client of this cluster is made with; ``request_seconds`` bounds one request to a broker."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "request_timeout_ms": int(request_seconds * 1000),
            "metadata_max_age_ms": int(_METADATA_SECONDS * 1000),
            "security_protocol": ("SASL_" if self.sign_in else "") + ("SSL" if self.tls else "PLAINTEXT"),
        }
        if self.tls:
            # Checks the broker's name, and speaks TLS 1.2 or newer.
            options["ssl_context"] = ssl.create_default_context(cafile=self.trusted_certificates)
        if self.sign_in:
            options["sasl_mechanism"] = self.sign_in.mechanism
            options["sasl_plain_username"] = self.sign_in.username
            options["sasl_plain_password"] = self.sign_in.password
        return options


@asynccontextmanager
async def kafka_call(seconds: float, what: str) -> AsyncIterator[None]:
    """Do ``what`` with Kafka within ``seconds``. A fault that may pass, and the deadline, come out as ``KafkaAway``."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise KafkaAway(f"Kafka did not {what} within {seconds:g} s") from error
    except _LASTING:
        raise
    except KafkaError as error:
        raise KafkaAway(f"Kafka could not {what}: {error}") from error


async def close_quietly(close: Callable[[], Awaitable[None]]) -> bool:
    """Close a client, or give up after a few seconds: what it could not send is still in our log. True if it closed."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await close()
    except Exception as error:
        log.debug("kafka.client_abandoned", reason=f"{type(error).__name__}: {error}")
        return False
    return True
