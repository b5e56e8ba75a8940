"""Run a real, single-node Apache Kafka from its released jars: nothing installed, a free port, a log on disk.

For the demo and the tests; production brings its own cluster. It takes Java 17 or newer, and Maven once: the jars that
``deploy/kafka/pom.xml`` pins are copied into ``~/.cache/leadpact/kafka/<version>`` (``LEADPACT_CACHE`` moves it) and used
from there ever after, offline. The folder gets its name only when it is complete.

The broker is its own controller (KRaft) and keeps everything in one folder, so it may be killed and started again on the
same address with every acknowledged record in place.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from leadpact.errors import LeadpactError

POM = Path(__file__).parents[2] / "deploy" / "kafka" / "pom.xml"
OLDEST_JAVA = 17

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 12
READY_LINE = "Kafka Server started"

# Below the range from which systems number outgoing connections (32768 on Linux, 49152 elsewhere): while the broker is
# down nobody is handed its port by chance, and a client that knocks on it cannot end up connected to itself.
FIRST_PORT, PORT_SPREAD = 20_000, 10_000

JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a short life: half the start-up time is worth more than peak speed
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",  # says READY_LINE
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={log_dir}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A killed broker is let back in only when its old session has run out: 9 seconds by default.
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""


class KafkaUnavailable(LeadpactError):
    """Apache Kafka cannot be run here; the message says what is missing."""


class ApacheKafka:
    """A running broker that belongs to this process. Use it as a context manager, or call ``stop``."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self._command = command
        self._log = folder / "broker.log"
        self.bootstrap = f"127.0.0.1:{port}"
        self._process = _launch(self._command, self._log)

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start a new broker that keeps its log under ``folder``, an empty one. Blocks until it serves, some 3 seconds.

        The first start on a machine downloads 44 MB. Raises ``KafkaUnavailable``.
        """
        java, jars = find_java(), fetch_jars()
        port, controller_port = islice(_free_ports(), 2)
        properties = folder / "server.properties"
        properties.write_text(
            PROPERTIES.format(port=port, controller_port=controller_port, log_dir=folder / "data")
        )
        classpath = ["-cp", f"{jars}/*"]
        _format_storage([java, *classpath, "kafka.tools.StorageTool"], properties)
        return cls([java, *JVM_OPTIONS, *classpath, "kafka.Kafka", str(properties)], folder, port)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        """Is the process alive?"""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the broker as a power cut would (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again on the same address with the same log, stopping it first if it still runs."""
        self.stop()
        self._process = _launch(self._command, self._log)

    def stop(self) -> None:
        """Shut the broker down; harmless when it is not running."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def find_java() -> str:
    """Path of a Java that is new enough. Raises ``KafkaUnavailable``."""
    java = shutil.which("java")
    if java is None:
        raise KafkaUnavailable(f"no java on the PATH, and Apache Kafka needs Java {OLDEST_JAVA} or newer")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr  # noqa: S603  # found on the PATH
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version.group(1)) < OLDEST_JAVA:
        raise KafkaUnavailable(f"{java} is older than Java {OLDEST_JAVA}")
    return java


def kafka_version() -> str:
    """The version that the pom pins. Raises ``KafkaUnavailable`` where there is no pom: outside a checkout."""
    try:
        pom = POM.read_text()
    except FileNotFoundError as error:
        raise KafkaUnavailable(f"{POM} is missing: Apache Kafka is started from a checkout only") from error
    version = re.search(r"<kafka\.version>(.+?)</kafka\.version>", pom)
    if version is None:
        raise KafkaUnavailable(f"{POM} names no kafka.version")
    return version.group(1)


def jars_folder() -> Path:
    """Where the jars of the pinned version are, or will be once fetched."""
    cache = os.environ.get("LEADPACT_CACHE") or Path.home() / ".cache" / "leadpact"
    return Path(cache) / "kafka" / kafka_version()


def find_maven() -> str:
    """Path of Maven. Raises ``KafkaUnavailable``."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("no mvn on the PATH to fetch Apache Kafka with")
    return maven


def fetch_jars() -> Path:
    """The folder of the jars, filled by Maven if they are not there yet. Raises ``KafkaUnavailable``."""
    jars = jars_folder()
    if jars.is_dir():
        return jars
    maven = find_maven()
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=f"{jars.name}.") as unfinished:
        copied = Path(unfinished) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={copied}"]
        fetched = subprocess.run([maven, "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True)  # noqa: S603  # found on the PATH
        if fetched.returncode != 0:
            raise KafkaUnavailable(f"Maven could not fetch Apache Kafka:\n{_tail(fetched.stdout)}")
        _put_in_place(copied, jars)
    return jars


def _put_in_place(copied: Path, jars: Path) -> None:
    try:
        copied.rename(jars)
    except OSError:
        if not jars.is_dir():  # else another process has fetched the same jars meanwhile
            raise


def _format_storage(storage_tool: list[str], properties: Path) -> None:
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(  # noqa: S603  # our own jars
        # In one word: of 64 ids one begins with a dash, and would be taken for an option.
        [*storage_tool, "format", f"--cluster-id={cluster_id}", "--config", str(properties)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise KafkaUnavailable(f"Kafka could not prepare its folder:\n{_tail(done.stdout + done.stderr)}")


def _launch(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the broker and wait until it says that it serves."""
    with log.open("ab") as output:
        said_before = output.tell()
        process = subprocess.Popen(  # noqa: S603  # our own jars
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for whoever started it: they stop the broker last
        )
    try:
        _await_ready(process, log, said_before)
    except BaseException:  # an interrupt too must leave no broker behind
        process.kill()
        process.wait()
        raise
    return process


def _await_ready(process: subprocess.Popen[bytes], log: Path, said_before: int) -> None:
    for _ in range(int(START_TIMEOUT_SECONDS / POLL_SECONDS)):
        if READY_LINE.encode() in log.read_bytes()[said_before:]:
            return
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    raise KafkaUnavailable(f"Kafka did not start:\n{_tail(log.read_text(errors='replace'))}")


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_TAIL_LINES:])


def _free_ports() -> Iterator[int]:
    """Ports that nobody listens on. Processes begin their search at different places, to stay out of each other's way."""
    for step in range(PORT_SPREAD):
        port = FIRST_PORT + (os.getpid() * 20 + step) % PORT_SPREAD
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
    raise KafkaUnavailable("every port that Kafka could listen on is taken")
