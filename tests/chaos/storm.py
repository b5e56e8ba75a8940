"""Kill services, PostgreSQL and the broker at random moments under load, let it calm down, and count what was lost or doubled.

A storm is a seed: the same seed draws the same victims and pauses. (What exactly each kill meets is up to the machine.)
Everything is real: processes, PostgreSQL with fsync on, Kafka, sockets, SIGKILL.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.chaos.load import Marketing, Promises, Visitors
from tests.chaos.report import Kill, Report
from tests.chaos.site import Site, ready, running_site
from tests.chaos.verdict import broken_promises, count
from tests.chaos.victims import Broker, Victim, look_after
from tests.support.audit import Fault, Finding, take_balance
from tests.support.log_tricks import all_is_read

PATIENCE_SECONDS = 60.0
UPLOAD_EVERY_KILLS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How hard it blows. ``instances`` of each service run; the time between two kills is drawn from the span ``pause_seconds``.

    Before each kill ``rush`` people come at once and it strikes within ``strike_seconds``: most of what can go wrong takes
    milliseconds, and a kill in a quiet moment meets none of it. Before every fifth a file is uploaded as well. With
    ``stall_seconds``, services are also suspended for so long: each of their transactions, leases and memberships outlives its time.
    """

    kills: int
    seed: int
    leads_per_second: float = 3.0
    instances: int = 1
    pause_seconds: tuple[float, float] = (0.3, 2.5)
    rush: int = 25
    rows_in_a_file: int = 50
    strike_seconds: float = 0.5
    stall_seconds: float | None = None


async def storm(
    plan: Plan, folder: Path, tell: Callable[[str], None], *, broker: Broker | None = None
) -> Report:
    """One storm in ``folder``; ``tell`` hears how it goes. Kafka carries the events if there is a ``broker``, else PostgreSQL does.

    What was broken is in the report; it raises only for what is wrong with the test itself.
    """
    report, promises = Report(), Promises()
    chance = random.Random(plan.seed)
    async with running_site(folder, broker, plan.instances, promises, chance) as site:
        tell(f"everything runs in {folder}")
        await _blow(plan, site, report, chance, tell)
        tell("the storm is over; waiting until nothing is under way")
        report.came_to_rest = await _calm_down(site)
        tell("at rest" if report.came_to_rest else "it does not come to rest")
        report.findings += await broken_promises(site, promises)
        report.balance = await take_balance(site.engine)
        report.counts = {"posts and reports tried": promises.tries, **await count(site)}
        for service in site.services:
            report.ended_by_themselves.update(f"{service.name}: {said}" for said in service.last_words)
    return report


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
        for number, victim in enumerate(
            islice(_drawn(site.victims(plan.stall_seconds), chance), plan.kills), start=1
        ):
            await asyncio.sleep(chance.uniform(*plan.pause_seconds))
            visitors.rush(plan.rush)
            if number % UPLOAD_EVERY_KILLS == 0:
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
            fault: Fault = "lost" if found < balance.accepted else "doubled"
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
         + (SELECT count(*) FROM upload WHERE status IN ('received', 'processing')) AS under_way,
           (SELECT count(*) FROM outbox) + (SELECT count(*) FROM inbox) AS done
    """
)


async def _calm_down(site: Site) -> bool:
    """Wait until nothing is under way and nothing follows. False if it gets no nearer for ``PATIENCE_SECONDS``."""
    stop = asyncio.Event()
    watching = asyncio.create_task(look_after(site.services, stop))
    try:
        async with httpx.AsyncClient() as http:
            await asyncio.gather(*(ready(http, service) for service in site.services))
        async with site.engine.begin() as connection:
            for lease in _LEASES_RUN_OUT:
                await connection.execute(lease)
        return await _comes_to_rest(site)
    finally:
        stop.set()
        await watching


async def _comes_to_rest(site: Site) -> bool:
    running = asyncio.get_running_loop()
    seen, changed_at = None, running.time()
    quiet_looks = 0
    # Twice in a row: what was under way at the first look may have had consequences.
    while quiet_looks < 2:
        await asyncio.sleep(0.3)
        found = await _progress(site.engine)
        if found != seen:
            seen, changed_at = found, running.time()
        elif running.time() - changed_at > PATIENCE_SECONDS:
            return False
        under_way, _ = found
        quiet = under_way == 0 and await all_is_read(site.engine, site.kafka)
        await site.client_of["router"].all_done()
        quiet_looks = quiet_looks + 1 if quiet else 0
    return True


async def _progress(engine: AsyncEngine) -> tuple[int, int]:
    """How much is under way, and how much has been announced and applied."""
    async with engine.connect() as connection:
        row = (await connection.execute(_UNDER_WAY)).one()
    return row.under_way, row.done
