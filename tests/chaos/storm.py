"""Kill services, PostgreSQL and the broker at random moments under load, let it calm down, and count what was lost or doubled.

A storm is a seed: the same seed draws the same victims and pauses. (What exactly each kill meets is up to the machine.)
Everything is real: processes, PostgreSQL with fsync on, Kafka, sockets, SIGKILL. Promises are short, so that clocks run out, leads are
handed on and people decide during the storm.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.pact.book import PactBook
from leadpact.storage.engine import create_engine
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.roster import RepEntry, put_reps
from leadpact_router.webhooks.registry import DEFAULT_EVENTS, Wanted, create_endpoint
from tests.chaos.load import Client, Marketing, Promises, Sales, Visitors
from tests.chaos.receiver import Crm, listening
from tests.chaos.victims import Broker, Postgres, Service, Victim, free_ports, look_after
from tests.support.audit import Balance, Finding, audit, take_balance
from tests.support.log_tricks import all_is_read
from tests.support.postgres import migrate_database

PACT = """
pact: A pact for stormy weather
calendars:
  round: {timezone: UTC, hours: always}
sources:
  demo: {kind: form, intent: demo_request}
  paper: {kind: form, intent: content_download}
  fair: {kind: event_scan, ends: 2026-01-01T18:00 Europe/Berlin}
qualification:
  mql: {any: [{intent: demo_request}], needs: [email]}
routing:
  pools:
    everybody: {members: [ana, ben, cem, dora, emil], calendar: round}
  rules:
    - {name: everyone, to: everybody}
  fallback: everybody
sla:
  first-touch:
    first_touch_within: 3 seconds
    warn_at: [50%]
    on_breach: {reassign: {at_most: 2}, then: {escalate: boss@acme.example}}
"""
REPS = ("ana", "ben", "cem", "dora", "emil")
SERVICES = ("ingest", "router", "sla-timer")
EVENTS = (*DEFAULT_EVENTS, "lead.contacted")

READY_SECONDS = 60.0
CALM_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How hard it blows. ``instances`` of each service run; the time between two kills is drawn from the span ``pause_seconds``.

    Before each kill ``rush`` people come at once and it strikes within ``strike_seconds``: most of what can go wrong takes
    milliseconds, and a kill in a quiet moment meets none of it. Before every fifth a file is uploaded as well.
    """

    kills: int
    seed: int
    leads_per_second: float = 5.0
    instances: int = 1
    pause_seconds: tuple[float, float] = (0.3, 2.5)
    rush: int = 30
    rows_in_a_file: int = 50
    strike_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, and when."""

    victim: str
    at: datetime


@dataclass
class Report:
    """What a storm came to."""

    kills: list[Kill] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    balance: Balance | None = None
    balances_taken: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ended_by_themselves: Counter[str] = field(default_factory=Counter)
    """Last words of services that ended although nobody had killed them, and how often each was said."""
    came_to_rest: bool = False

    @property
    def is_clean(self) -> bool:
        return self.came_to_rest and not self.findings

    def by_kind_of_kill(self) -> dict[str, Counter[str]]:
        """Per kind of kill: how many there were, and how many findings point to one of them."""
        table: dict[str, Counter[str]] = {}
        for kill in self.kills:
            table.setdefault(kill.victim, Counter())["kills"] += 1
        for finding in self.findings:
            table.setdefault(self._suspect(finding), Counter())[finding.fault] += 1
        return table

    def _suspect(self, finding: Finding) -> str:
        """What was killed next after the thing came to be that is lost or doubled: most of them take no longer than that."""
        later = [kill for kill in self.kills if finding.at is not None and kill.at >= finding.at]
        return later[0].victim if later else "(not known)"


@dataclass(frozen=True)
class Site:
    """Everything that runs."""

    postgres: Postgres
    broker: Broker | None
    services: list[Service]
    engine: AsyncEngine
    crm: Crm
    client_of: dict[str, Client]
    token: str

    @property
    def victims(self) -> list[Victim]:
        return [*self.services, self.postgres, *([self.broker] if self.broker else [])]

    @property
    def kafka(self) -> KafkaCluster | None:
        return self.broker.cluster if self.broker else None


async def storm(
    plan: Plan, folder: Path, tell: Callable[[str], None], *, broker: Broker | None = None
) -> Report:
    """One storm in ``folder``; ``tell`` hears how it goes. Kafka carries the events if there is a ``broker``, else PostgreSQL does.

    What was broken is in the report; it raises only for what is wrong with the test itself.
    """
    report, promises = Report(), Promises()
    chance = random.Random(plan.seed)
    async with built(plan, folder, broker, promises, chance) as site:
        tell(f"everything runs in {folder}")
        await _blow(plan, site, report, chance, tell)
        tell("the storm is over; waiting until nothing is under way")
        report.came_to_rest = await _calm_down(site)
        tell("at rest" if report.came_to_rest else "it does not come to rest")
        report.findings += await _look(site, promises)
        report.balance = await take_balance(site.engine)
        report.counts = {"posts and reports tried": promises.tries, **await _counts(site)}
        for service in site.services:
            report.ended_by_themselves.update(f"{service.name}: {said}" for said in service.last_words)
    return report


@asynccontextmanager
async def built(
    plan: Plan, folder: Path, broker: Broker | None, promises: Promises, chance: random.Random
) -> AsyncIterator[Site]:
    """Everything started and ready; ended when the block ends, whatever happened in it."""
    ports = free_ports()
    async with AsyncExitStack() as stack:
        postgres = await asyncio.to_thread(Postgres, folder / "postgres")
        stack.push_async_callback(asyncio.to_thread, postgres.stop)
        await migrate_database(postgres.url)
        engine = create_engine(postgres.url, application="chaos")
        stack.push_async_callback(engine.dispose)

        crm_port = next(ports)
        secret, token = await _agree(engine, f"http://127.0.0.1:{crm_port}/hook")
        services = [
            Service(name, next(ports), _environment(postgres, broker), folder / f"{name}-{number}.log")
            for number in range(plan.instances)
            for name in SERVICES
        ]
        http = await stack.enter_async_context(httpx.AsyncClient())
        client_of = {
            one.name: Client(http, one.url, promises, random.Random(chance.random()))
            for one in services[: len(SERVICES)]
        }
        crm = Crm(secret, Sales(client_of["router"], token).hear)
        await stack.enter_async_context(listening(crm, crm_port))
        for service in services:
            stack.callback(service.end)
            service.start()
        await asyncio.gather(*(_ready(http, service) for service in services))
        yield Site(postgres, broker, services, engine, crm, client_of, token)


def _environment(postgres: Postgres, broker: Broker | None) -> dict[str, str]:
    environment = {
        "LEADPACT_DATABASE_URL": postgres.url,
        "LEADPACT_WEBHOOK_ALLOW_PRIVATE": "true",
        "LEADPACT_LOG_LEVEL": "warning",
    }
    if broker is not None:
        environment |= {
            "LEADPACT_KAFKA_BOOTSTRAP": broker.cluster.bootstrap,
            "LEADPACT_KAFKA_TOPIC_PREFIX": broker.cluster.topic_prefix,
            "LEADPACT_KAFKA_PARTITIONS": str(broker.cluster.partitions),
        }
    return environment


async def _agree(engine: AsyncEngine, hook: str) -> tuple[str, str]:
    """The pact, the reps, a webhook endpoint and a token; the endpoint's secret and the token."""
    now = datetime.now(UTC)
    async with UnitOfWork(engine, source="chaos", wake=Wake()).transaction() as tx:
        await PactBook().apply(tx, PACT, applied_by="chaos")
        reps = [RepEntry(rep, rep.title(), f"{rep}@acme.example", "UTC") for rep in REPS]
        await put_reps(tx, reps, now)
        _, secret = await create_endpoint(tx, Wanted(hook, EVENTS), now)
        return secret, await create_token(tx, name="chaos", scopes=[Scope.WORK, Scope.INGEST], now=now)


async def _ready(http: httpx.AsyncClient, service: Service) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                if (await http.get(f"{service.url}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def _blow(
    plan: Plan, site: Site, report: Report, chance: random.Random, tell: Callable[[str], None]
) -> None:
    """Load and kills, side by side; afterwards everything runs and every client has its answer."""
    over, rest = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(look_after(site.services, rest))
        group.create_task(_watch_the_balance(site.engine, report, rest))
        visitors = Visitors(site.client_of["ingest"])
        marketing = Marketing(site.client_of["ingest"], site.token)
        coming = group.create_task(visitors.come(over, plan.leads_per_second))
        coming_back: dict[Victim, asyncio.Task[None]] = {}
        for number, victim in enumerate(islice(_drawn(site.victims, chance), plan.kills), start=1):
            await asyncio.sleep(chance.uniform(*plan.pause_seconds))
            visitors.rush(plan.rush)
            if number % 5 == 0:
                marketing.upload(plan.rows_in_a_file)
            await asyncio.sleep(chance.uniform(0, plan.strike_seconds))
            if victim in coming_back:
                await coming_back[victim]
            report.kills.append(Kill(victim.name, datetime.now(UTC)))
            # The next kill does not wait until this one has come back: several may be down at once.
            coming_back[victim] = group.create_task(victim.kill())
            if number % 10 == 0 or number == plan.kills:
                tell(f"{number} of {plan.kills} kills")
        await asyncio.gather(*coming_back.values())
        await asyncio.sleep(plan.pause_seconds[1])
        over.set()
        await coming
        await site.client_of["router"].all_done()
        rest.set()


def _drawn(victims: list[Victim], chance: random.Random) -> Iterator[Victim]:
    """Round after round in an order drawn for each, so that none is spared."""
    while True:
        yield from chance.sample(victims, len(victims))


async def _watch_the_balance(engine: AsyncEngine, report: Report, stop: asyncio.Event) -> None:
    """No accepted lead may be missing at any moment, not only in the end."""
    while not stop.is_set():
        await asyncio.sleep(0.5)
        try:
            balance = await take_balance(engine)
        except (SQLAlchemyError, OSError):
            continue  # PostgreSQL was killed just now
        report.balances_taken += 1
        if not balance.holds:
            found = balance.applied + balance.set_aside + balance.in_flight
            fault: Literal["lost", "doubled"] = "lost" if found < balance.accepted else "doubled"
            report.findings.append(
                Finding(fault, "the balance did not hold", str(balance), datetime.now(UTC))
            )


# What a killed process had leased comes free by itself, after a minute at most. Nobody holds these leases any more when
# the storm is over and every service has answered since: here the minute passes at once.
_LEASES_RUN_OUT = (
    text(
        "UPDATE delivery SET leased_until = statement_timestamp() WHERE leased_until > statement_timestamp()"
    ),
    text("UPDATE upload SET leased_until = NULL WHERE leased_until > statement_timestamp()"),
)
_UNDER_WAY = text(
    """
    SELECT (SELECT count(*) FROM sla_clock WHERE state = 'running')
         + (SELECT count(*) FROM delivery WHERE state = 'pending')
         + (SELECT count(*) FROM lead WHERE held_since IS NOT NULL)
         + (SELECT count(*) FROM upload WHERE status IN ('received', 'processing'))
    """
)


async def _calm_down(site: Site) -> bool:
    """Wait until nothing is under way and nothing follows. False if that took too long."""
    stop = asyncio.Event()
    watching = asyncio.create_task(look_after(site.services, stop))
    try:
        async with asyncio.timeout(CALM_SECONDS):
            async with httpx.AsyncClient() as http:
                await asyncio.gather(*(_ready(http, service) for service in site.services))
            async with site.engine.begin() as connection:
                for lease in _LEASES_RUN_OUT:
                    await connection.execute(lease)
            # Twice in a row: what was under way at the first look may have had consequences.
            looks_in_a_row = 0
            while looks_in_a_row < 2:
                looks_in_a_row = looks_in_a_row + 1 if await _at_rest(site) else 0
    except TimeoutError:
        return False
    finally:
        stop.set()
        await watching
    return True


async def _at_rest(site: Site) -> bool:
    await asyncio.sleep(0.3)
    if not await all_is_read(site.engine, site.kafka):
        return False
    async with site.engine.connect() as connection:
        under_way: int = (await connection.execute(_UNDER_WAY)).scalar_one()
    await site.client_of["router"].all_done()
    return under_way == 0


async def _look(site: Site, promises: Promises) -> Sequence[Finding]:
    """What is wrong now that everything has come to rest: in the database, and against what outsiders were told."""
    return [
        *promises.broken,
        *await audit(site.engine),
        *await _against_promises(site.engine, promises),
        *await _against_webhooks(site.engine, site.crm),
    ]


async def _against_promises(engine: AsyncEngine, promises: Promises) -> list[Finding]:
    """Whatever was answered with 2xx is there; and nothing was accepted that no client was told about."""
    accepted = await _ids(engine, "SELECT id FROM receipt WHERE status = 'accepted' AND upload_id IS NULL")
    uploaded = await _ids(
        engine,
        "SELECT upload_id || ' ' || count(*) FROM receipt WHERE upload_id IS NOT NULL GROUP BY upload_id",
    )
    contacted = await _ids(engine, "SELECT id FROM assignment WHERE contacted_at IS NOT NULL")
    told = promises.receipts
    files = {f"{upload} {rows}" for upload, rows in promises.uploads.items()}
    return [
        *(
            Finding("lost", "an accepted lead is not stored", one, told[one])
            for one in told.keys() - accepted
        ),
        *(Finding("doubled", "a lead was accepted twice", one) for one in accepted - told.keys()),
        *(Finding("lost", "a file's rows were not all taken in, each once", one) for one in files ^ uploaded),
        *(
            Finding("lost", "a recorded contact is not stored", one, promises.contacts[one])
            for one in promises.contacts.keys() - contacted
        ),
    ]


async def _against_webhooks(engine: AsyncEngine, crm: Crm) -> list[Finding]:
    """Each event that the CRM asked for has reached it at least once, and nothing else has."""
    wanted = await _ids(
        engine,
        "SELECT DISTINCT event_id FROM outbox, webhook_endpoint e"
        " WHERE replace(replace(type, 'leadpact.', ''), '.v1', '') = ANY(e.events)",
    )
    return [
        *(Finding("lost", "a webhook never arrived", one) for one in wanted - crm.seen.keys()),
        *(
            Finding("doubled", "a webhook came that nobody announced", one)
            for one in crm.seen.keys() - wanted
        ),
        *(Finding("doubled", "a webhook was not genuine", "") for _ in range(crm.forged)),
    ]


async def _ids(engine: AsyncEngine, query: str) -> set[str]:
    async with engine.connect() as connection:
        return {str(one) for one in (await connection.execute(text(query))).scalars()}


_COUNTS = {
    "leads accepted": "SELECT count(*) FROM receipt WHERE status = 'accepted'",
    "of these from files": "SELECT count(*) FROM receipt WHERE upload_id IS NOT NULL",
    "people": "SELECT count(*) FROM person",
    "assignments": "SELECT count(*) FROM assignment",
    "contacts": "SELECT count(*) FROM assignment WHERE contacted_at IS NOT NULL",
    "breaches": "SELECT count(*) FROM sla_clock WHERE breached_at IS NOT NULL",
    "escalations": "SELECT count(*) FROM lead WHERE escalated_at IS NOT NULL",
    "events announced": "SELECT count(*) FROM outbox",
}


async def _counts(site: Site) -> dict[str, int]:
    async with site.engine.connect() as connection:
        counts = {
            name: (await connection.execute(text(query))).scalar_one() for name, query in _COUNTS.items()
        }
    return {
        **counts,
        "webhooks delivered": len(site.crm.seen),
        "of these more than once": sum(times > 1 for times in site.crm.seen.values()),
    }
