"""Own what is killed: the three services, PostgreSQL and the broker, each as a real process that comes back at the same address.

A service that ends by itself is started again too, as a supervisor in production would; how often that happened is remembered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.storage.embedded import EmbeddedPostgres

LOOK_EVERY_SECONDS = 0.1


class Victim(Protocol):
    """Something that bad things are done to, and that comes back."""

    @property
    def name(self) -> str: ...

    async def kill(self) -> None:
        """Do the bad thing, most often SIGKILL, and bring it back."""
        ...


class Postgres:
    """The embedded server, owned by this process. Its address stays the same."""

    name = "postgres"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = EmbeddedPostgres.start(folder)
        self.url = self._server.url

    async def kill(self) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        await asyncio.to_thread(self._start_again)

    def _start_again(self) -> None:
        self._server.stop()  # gives the folder back; there is nothing left to stop
        self._server = EmbeddedPostgres.start(self._folder)
        assert self._server.url == self.url

    def stop(self) -> None:
        self._server.stop()


class KillableKafka(Protocol):
    """A broker that keeps what it acknowledged when it is killed: `leadpact.demo.kafka_broker` has one."""

    @property
    def bootstrap(self) -> str: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...


class Broker:
    """Kafka, and the corner of it in which this installation's topics are."""

    name = "broker"

    def __init__(self, kafka: KillableKafka, topic_prefix: str = "") -> None:
        self._kafka = kafka
        self.cluster = KafkaCluster(kafka.bootstrap, topic_prefix, partitions=4)

    async def kill(self) -> None:
        self._kafka.kill()
        await asyncio.to_thread(self._kafka.restart)


@dataclass(eq=False)
class Service:
    """`leadpact <name>`, serving on ``port`` and writing its log to ``log``."""

    name: str
    port: int
    environment: Mapping[str, str]
    log: Path
    last_words: list[str] = field(default_factory=list)
    """What it said last, each time that it ended although nobody had killed it."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that runs now."""
        assert self._process is not None, "it has not been started yet"
        return self._process

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "leadpact.cli.main", self.name, "--port", str(self.port)],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the supervisor
            )

    async def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def look_after(self) -> None:
        """Start it again if it has ended by itself."""
        if self.process.poll() is not None:
            self.last_words.append(
                _last_words(self.log).replace(self.environment["LEADPACT_DATABASE_URL"], "…")
            )
            self.start()

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Stall:
    """A service that is not killed but stands still for a while, as on a host that was suspended, and then goes on as if nothing had been."""

    def __init__(self, service: Service, seconds: float) -> None:
        self._service = service
        self._seconds = seconds
        self.name = f"{service.name} stalled"

    async def kill(self) -> None:
        process = self._service.process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._seconds)
        process.send_signal(signal.SIGCONT)  # harmless if it was killed meanwhile


def _last_words(log: Path) -> str:
    """The last line that says something."""
    lines = [
        line for line in log.read_text(errors="replace").splitlines() if line and not line.startswith("(")
    ]
    return lines[-1] if lines else "nothing"


async def look_after(services: list[Service], stop: asyncio.Event) -> None:
    """Start again whatever ends by itself, until ``stop``."""
    while not stop.is_set():
        for service in services:
            service.look_after()
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def free_ports() -> Iterator[int]:
    """Ports that nobody listens on, below those that systems give to outgoing connections: a service that is down keeps its own."""
    first = 12_000 + os.getpid() % 4_000
    for port in count(first):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
