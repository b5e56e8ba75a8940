"""Put a process together: database, clock, carrier, services, one HTTP server.

This is the one place that knows which real parts are in use. Everything is opened in order and closed in reverse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import leadpact
import leadpact_ingest.service
import leadpact_router.service
import leadpact_sla_timer.service
from leadpact.access.endpoints import create_access_router
from leadpact.access.gatekeeper import DatabaseGatekeeper
from leadpact.access.scopes import public
from leadpact.bus.carrier import Carrier
from leadpact.bus.carriers.kafka import KafkaCarrier
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.kafka_cluster import KafkaCluster, SignIn
from leadpact.bus.kafka_metrics import KafkaMetrics
from leadpact.bus.relay import Relay
from leadpact.clock import Clock
from leadpact.operations.dead_letters import create_dead_letters_router
from leadpact.operations.metrics import DeadLetterGauge, DeadLetterMetrics
from leadpact.pact.book import PactBook
from leadpact.runtime.garbage import settle
from leadpact.runtime.health import PROBES, Check, health_router
from leadpact.runtime.parts import Built, Parts
from leadpact.runtime.patience import InHand
from leadpact.runtime.problems import install_problem_handlers
from leadpact.runtime.service import Loop, http_loop, listen, rounds, run_loops, stop_on_signals
from leadpact.runtime.settings import Settings
from leadpact.storage.database_time import database_clock, follow_database
from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine, require_reachable
from leadpact.storage.housekeeping import prune_once
from leadpact.storage.migrate import check_schema, migrate
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake

log = structlog.get_logger(__name__)

# The services, by the name of their command. A fourth one is a line here.
SERVICES: Mapping[str, Callable[[Parts], Built]] = {
    "ingest": leadpact_ingest.service.build,
    "router": leadpact_router.service.build,
    "sla-timer": leadpact_sla_timer.service.build,
}


@dataclass(frozen=True, slots=True)
class Foundation:
    """An open, migrated database and whether it is our own embedded one."""

    engine: AsyncEngine
    url: str
    embedded: EmbeddedPostgres | None


@asynccontextmanager
async def open_foundation(settings: Settings, *, application: str) -> AsyncIterator[Foundation]:
    """The database of the settings, at this version's schema: an embedded one is migrated, another one is only checked."""
    async with AsyncExitStack() as stack:
        embedded = None
        if settings.database_url is None:
            embedded = await asyncio.to_thread(EmbeddedPostgres.start, settings.data)
            stack.push_async_callback(asyncio.to_thread, embedded.stop)
            url = embedded.url
        else:
            url = settings.database_url.get_secret_value()
        engine = create_engine(url, application=application, pool_size=16)
        stack.push_async_callback(engine.dispose)
        await require_reachable(engine)
        await (migrate(engine) if embedded else check_schema(engine))
        yield Foundation(engine, url, embedded)


@dataclass(frozen=True, slots=True)
class SharedParts:
    """The parts that the services are built from, the loops that keep them going, and real time beside the product's.

    ``watched`` are checks of those loops that a request does not wait for.
    """

    parts: Parts
    loops: Sequence[Loop]
    real_time: Clock
    watched: Mapping[str, Check] = field(default_factory=dict)


def kafka_cluster(settings: Settings, bootstrap: str) -> KafkaCluster:
    """The cluster at ``bootstrap``, as the settings want it reached and used."""
    sign_in = None
    if settings.kafka_username is not None:
        password = settings.kafka_password.get_secret_value()
        sign_in = SignIn(settings.kafka_username, password, settings.kafka_mechanism)
    return KafkaCluster(
        bootstrap,
        settings.kafka_topic_prefix,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        tls=settings.kafka_tls,
        trusted_certificates=settings.kafka_ca_file,
        sign_in=sign_in,
    )


async def make_parts(
    foundation: Foundation, settings: Settings, *, clock: Clock | None = None
) -> SharedParts:
    """The parts on a database. The product's time is ``clock``, the database's own if it is None."""
    wake, metrics = Wake(), CollectorRegistry()
    core = UnitOfWork(foundation.engine, source="core", wake=wake)
    real_time = await database_clock(core)
    loops = [
        *([_keep_up(foundation.embedded)] if foundation.embedded else []),
        Loop("clock", lambda stop: follow_database(real_time, stop)),
        rounds("housekeeping", lambda: prune_once(core, settings), every_seconds=60),
        rounds(
            "dead letter gauge", DeadLetterGauge(core, DeadLetterMetrics(metrics)).run_once, every_seconds=5
        ),
    ]
    watched: dict[str, Check] = {}
    carrier: Carrier = PostgresCarrier(core, wake)
    if settings.kafka_bootstrap:
        cluster = kafka_cluster(settings, settings.kafka_bootstrap)
        kafka_metrics = KafkaMetrics(metrics)
        carrier = KafkaCarrier(core, cluster, kafka_metrics)
        # Every process runs a relay; a lease lets one of them publish.
        relay = Relay(core, cluster, wake, kafka_metrics)
        loops.append(Loop("relay", relay.run))
        watched["relay"] = relay.check
    parts = Parts(settings, foundation.engine, clock or real_time, wake, carrier, PactBook(), metrics)
    return SharedParts(parts, loops, real_time, watched)


def _keep_up(embedded: EmbeddedPostgres) -> Loop:
    """Start our own server again if it dies, as a supervisor would another. If it cannot be, this process ends."""

    async def look() -> None:
        if not embedded.running:
            log.error("storage.server_died")
            await asyncio.to_thread(embedded.start_again)
            log.info("storage.server_started_again", pid=embedded.pid)

    return rounds("embedded PostgreSQL", look, every_seconds=0.5)


def create_app(
    parts: Parts, services: Sequence[Built], *, real_time: Clock, watched: Mapping[str, Check] | None = None
) -> FastAPI:
    """One HTTP application with the routes of ``services``, the probes and the doors.

    Tokens and sessions end in real time, also where the product's time runs fast. ``watched`` is reported by the readiness
    probe and does not decide it.
    """
    app = FastAPI(
        title="Leadpact", version=leadpact.__version__, openapi_url=None, docs_url=None, redoc_url=None
    )
    pages = [service.error_page for service in services if service.error_page is not None]
    install_problem_handlers(app, error_page=pages[0] if pages else None)
    app.add_middleware(InHand, always=PROBES)
    access = parts.uow("access")
    app.state.gatekeeper = DatabaseGatekeeper(access, real_time)
    app.include_router(create_access_router(access, real_time))
    app.include_router(create_dead_letters_router(parts.uow("core")))
    for service in services:
        for router in service.routers:
            app.include_router(router)

    async def database() -> None:
        async with parts.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def schema() -> None:
        await check_schema(parts.engine)

    checks: dict[str, Check] = {"database": database, "schema": schema}
    for service in services:
        checks |= service.ready_checks
    probes = health_router(
        checks, parts.metrics, metrics_public=parts.settings.metrics_public, watched=watched
    )
    app.include_router(probes)

    @app.get(
        "/openapi.json",
        include_in_schema=False,
        dependencies=[public("it describes the doors, not what is behind")],
    )
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    return app


async def run_services(
    names: Sequence[str],
    settings: Settings,
    *,
    clock: Clock | None = None,
    prepare: Callable[[Parts], Awaitable[None]] | None = None,
    on_ready: Callable[[Foundation, int], None] | None = None,
    beside: Sequence[Loop] = (),
) -> None:
    """Run the named services in this process until SIGTERM or SIGINT.

    ``clock`` is the product's time, the database's if it is None. ``prepare`` runs once before anything is served; ``on_ready`` is told the port
    once requests are answered. ``beside`` are loops that live and die with the services.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    application = names[0] if len(names) == 1 else "up"
    async with AsyncExitStack() as stack:
        # First of all: an address that is taken is found before a database is started.
        listener = stack.enter_context(listen(settings.host, settings.port))
        foundation = await stack.enter_async_context(open_foundation(settings, application=application))
        shared = await make_parts(foundation, settings, clock=clock)
        if prepare is not None:
            await prepare(shared.parts)
        services = [SERVICES[name](shared.parts) for name in names]
        for service in services:
            for close in service.on_stop:
                stack.push_async_callback(close)
        server = http_loop(
            create_app(shared.parts, services, real_time=shared.real_time, watched=shared.watched),
            listener,
            on_ready=(lambda: on_ready(foundation, listener.getsockname()[1])) if on_ready else None,
        )
        loops = [*shared.loops, *(loop for service in services for loop in service.loops), server, *beside]
        settle()
        await run_loops(loops, stop, drain_seconds=settings.drain_seconds)
