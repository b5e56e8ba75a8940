"""Measure how long a lead takes, at a steady trickle: from the post to its answer, its committed owner, and the webhook received.

The whole product runs as ``leadpact up`` in a process of its own, the baseline (`bench/baseline/serve.py`) likewise; posts and the webhook's
receiver are here. A post counts from the moment at which it was due, so that a server that stalls cannot slow down the
questions it is asked. The owner is committed when PostgreSQL says so (``track_commit_timestamp``), by the clock that the posts are timed with.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import httpx
import psutil
import uvicorn
from sqlalchemy import text

from bench.baseline.consume import create_queue
from bench.ground import Ground, Server
from bench.machine import Others
from bench.report import Report
from bench.workload import SOURCE, form
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.bus.topics import ensure_topics
from leadpact.demo.receiver import free_port
from leadpact.events import Topic
from leadpact_router.webhooks.registry import Wanted, create_endpoint
from leadpact_router.webhooks.signing import new_secret

POSTS_PER_SECOND = 20
OWNED_P50_MS, OWNED_P99_MS = 10, 40
_WARM_UP_POSTS = 20
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """How much to measure."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from when the post was due, one of each per post; beside them the CPU that one post took, in ms of one core."""

    cpu: float
    server_cpu: float
    others_cores: float
    answered: list[float] = field(default_factory=list)
    owned: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under test: the module that is run, and where it takes posts."""

    port: int
    path: str
    command: Sequence[str]
    environment: Mapping[str, str]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Receiver:
    """A webhook endpoint that notes when each lead was told of. It is an ASGI application."""

    def __init__(self) -> None:
        self.port = free_port()
        self.told_at: dict[str, float] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        event = json.loads(body)
        if event["type"] == "lead.assigned":
            self.told_at.setdefault(event["data"]["lead"]["email"], time.time())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = uvicorn.Server(uvicorn.Config(self, port=self.port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            server.should_exit = True
            await serving


Prepare = Callable[[Ground, Receiver, KafkaCluster | None], Awaitable[Contender]]


async def latency(server: Server, stretch: Stretch, kafka: str | None, report: Report) -> None:
    """Run the rounds and report them. ``kafka`` is the address of a broker; None leaves that carrier out."""
    rounds: dict[tuple[str, str], list[Latencies]] = defaultdict(list)
    carriers = {"PostgreSQL": None, **({"Kafka": kafka} if kafka is not None else {})}
    for number in range(stretch.rounds):
        report.progress(f"latency, round {number + 1} of {stretch.rounds}")
        for carrier, bootstrap in carriers.items():
            for name, prepare in (("leadpact", _leadpact), ("one at a time", _one_at_a_time)):
                async with server.ground() as ground:
                    cluster = KafkaCluster(bootstrap, f"bench-{uuid4().hex[:8]}.") if bootstrap else None
                    rounds[carrier, name].append(
                        await _trickle(server, ground, prepare, cluster, stretch.seconds)
                    )
    _tell(rounds, stretch, report)


async def _trickle(
    server: Server, ground: Ground, prepare: Prepare, cluster: KafkaCluster | None, seconds: float
) -> Latencies:
    """Post at a steady pace to one server, and read how long each post took."""
    receiver = Receiver()
    contender = await prepare(ground, receiver, cluster)
    async with (
        receiver.listening(),
        _running(contender) as process,
        httpx.AsyncClient(base_url=contender.base_url) as client,
    ):
        numbers = [
            number
            for number in range(int(seconds * POSTS_PER_SECOND * 10 / 9) + _WARM_UP_POSTS)
            if number % 10 != 9
        ]
        warm_up, measured = numbers[:_WARM_UP_POSTS], numbers[_WARM_UP_POSTS:]
        await _post_all(client, contender.path, warm_up, receiver)
        others, cpu, server_cpu = Others(), _cpu_seconds(process), server.cpu_seconds()
        answers = await _post_all(client, contender.path, measured, receiver)
        cpu, server_cpu = _cpu_seconds(process) - cpu, server.cpu_seconds() - server_cpu
        others_cores = others.cores()
    owned_at = await _owned_at(ground)
    latencies = Latencies(1000 * cpu / len(answers), 1000 * server_cpu / len(answers), others_cores)
    for email, (due_at, answered_at) in answers.items():
        latencies.answered.append(1000 * (answered_at - due_at))
        latencies.owned.append(1000 * (owned_at[email] - due_at))
        latencies.told.append(1000 * (receiver.told_at[email] - due_at))
    return latencies


async def _post_all(
    client: httpx.AsyncClient, path: str, numbers: Sequence[int], receiver: Receiver
) -> dict[str, tuple[float, float]]:
    """When each post was due and when it was answered, by the lead's address; returns when the receiver has heard of all."""
    began = time.time()
    answers: dict[str, tuple[float, float]] = {}

    async def post(number: int, due_at: float) -> None:
        await asyncio.sleep(due_at - time.time())
        answer = await client.post(path, json=form(number))
        answer.raise_for_status()
        answers[str(form(number)["email"]).lower()] = (due_at, time.time())

    async with asyncio.timeout(len(numbers) / POSTS_PER_SECOND + _PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            for place, number in enumerate(numbers):
                group.create_task(post(number, began + place / POSTS_PER_SECOND))
        while not answers.keys() <= receiver.told_at.keys():
            await asyncio.sleep(0.02)
    return answers


def _cpu_seconds(process: asyncio.subprocess.Process) -> float:
    used = psutil.Process(process.pid).cpu_times()
    return float(used.user + used.system)


async def _owned_at(ground: Ground) -> dict[str, float]:
    """When PostgreSQL committed each lead's owner, by the lead's address."""
    query = text(
        """
        SELECT l.email, extract(epoch FROM pg_xact_commit_timestamp(a.xmin)) AS at
        FROM assignment a JOIN lead l ON l.id = a.lead_id WHERE a.hop = 1
        """
    )
    async with ground.engine.connect() as connection:
        return {row.email: float(row.at) for row in await connection.execute(query)}


# ---- the contenders --------------------------------------------------------------------------------------------------


async def _leadpact(ground: Ground, receiver: Receiver, cluster: KafkaCluster | None) -> Contender:
    async with ground.uow("bench").transaction() as tx:
        await create_endpoint(tx, Wanted(receiver.url, ("lead.assigned",)), ground.clock.now())
    port = free_port()
    settings = {
        "LEADPACT_DATABASE_URL": ground.url,
        "LEADPACT_PORT": str(port),
        "LEADPACT_LOG_LEVEL": "warning",
        "LEADPACT_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    if cluster is not None:
        settings |= {
            "LEADPACT_KAFKA_BOOTSTRAP": cluster.bootstrap,
            "LEADPACT_KAFKA_TOPIC_PREFIX": cluster.topic_prefix,
        }
    return Contender(port, f"/v1/forms/{SOURCE}", ("leadpact.cli.main", "up"), settings)


async def _one_at_a_time(ground: Ground, receiver: Receiver, cluster: KafkaCluster | None) -> Contender:
    port = free_port()
    command = [
        "bench.baseline.serve",
        f"--database-url={ground.url}",
        f"--port={port}",
        f"--webhook={receiver.url}",
    ]
    command.append(f"--secret={new_secret()}")
    if cluster is None:
        await create_queue(ground.engine)
    else:
        await ensure_topics(cluster, [Topic.INBOUND])
        command += [f"--kafka={cluster.bootstrap}", f"--topic={cluster.topic_name(Topic.INBOUND)}"]
    return Contender(port, "/leads", command, {})


@asynccontextmanager
async def _running(contender: Contender) -> AsyncIterator[asyncio.subprocess.Process]:
    """The contender's process, answering that it is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-bench-") as folder,
        (Path(folder) / "log").open("w+b") as log,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *contender.command,
            env={**environment, "LEADPACT_DATA": folder, **contender.environment},
            stdout=log,
            stderr=log,
        )
        try:
            async with (
                httpx.AsyncClient(base_url=contender.base_url) as client,
                asyncio.timeout(_PATIENCE_SECONDS),
            ):
                while not await _is_ready(client):
                    if process.returncode is not None:
                        log.seek(0)
                        raise RuntimeError(
                            f"{contender.command[0]} ended: {log.read().decode(errors='replace')[-2000:]}"
                        )
                    await asyncio.sleep(0.05)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False


# ---- the report ------------------------------------------------------------------------------------------------------


def _tell(rounds: Mapping[tuple[str, str], Sequence[Latencies]], stretch: Stretch, report: Report) -> None:
    figures = {key: _figures(latencies) for key, latencies in rounds.items()}
    posts = len(next(iter(rounds.values()))[0].answered)
    report.table(
        f"ms from a post, {POSTS_PER_SECOND} a second: p50 / p99 of {posts} posts, median of {stretch.rounds} rounds",
        (
            "",
            "to 202",
            "to the committed owner",
            "to the webhook",
            "CPU/post",
            "PostgreSQL's",
            "cores busy for others",
        ),
        [
            [
                f"{carrier}: {name}",
                *(f"{found[to]['p50']:.1f} / {found[to]['p99']:.1f}" for to in _MOMENTS),
                *(f"{_median(rounds[carrier, name], whose):.1f} ms" for whose in ("cpu", "server_cpu")),
                f"{_median(rounds[carrier, name], 'others_cores'):.1f}",
            ]
            for (carrier, name), found in figures.items()
        ],
    )
    report.keep(
        "latency_ms",
        [
            {
                "carrier": carrier,
                "contender": name,
                **found,
                "cpu": _median(rounds[carrier, name], "cpu"),
                "postgres_cpu": _median(rounds[carrier, name], "server_cpu"),
                "cores_used_by_others": _median(rounds[carrier, name], "others_cores"),
            }
            for (carrier, name), found in figures.items()
        ],
    )
    for (carrier, name), found in figures.items():
        if name == "leadpact":
            owned = found["owned"]
            report.aim(
                f"{carrier}: post to committed owner, p50", owned["p50"], OWNED_P50_MS, " ms", at_most=True
            )
            report.aim(
                f"{carrier}: post to committed owner, p99", owned["p99"], OWNED_P99_MS, " ms", at_most=True
            )


def _median(latencies: Sequence[Latencies], name: str) -> float:
    return float(round(median(getattr(one, name) for one in latencies), 1))


_MOMENTS = ("answered", "owned", "told")


def _figures(latencies: Sequence[Latencies]) -> dict[str, dict[str, float]]:
    """The percentiles of each moment, each the median of the rounds'."""
    return {
        moment: {
            f"p{percent}": round(
                median(quantiles(getattr(one, moment), n=100)[percent - 1] for one in latencies), 1
            )
            for percent in (50, 99)
        }
        for moment in _MOMENTS
    }
