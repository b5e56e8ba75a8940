"""A thousand leads through forms and files, some of them twice, with every event repeated and out of place: each counts once.

On both carriers. The services run as they do in production (`tests/support/together.py`); the log and the carrier misbehave as far as
they may: everything is delivered at least twice, in another order wherever no order is promised, and in the middle of it all every
reader is set back to the beginning.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from leadpact.bus.kafka_cluster import KafkaCluster
from leadpact.events import LeadAssigned, LeadCaptured, LeadMatched, LeadQualified, SlaStarted
from leadpact.pact.book import PactBook
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.roster import RepEntry, put_reps
from tests.conftest import Database
from tests.support.announced import announced, announced_messages
from tests.support.audit import audit, take_balance
from tests.support.crowd import PACT, REPS, Ask, Crowd, as_csv, invent
from tests.support.eventually import eventually
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.log_tricks import all_is_read, repeat_until, rewind, shuffle_and_double
from tests.support.together import serving

SUBMISSIONS = 1000
SEED = 20260303
AT_ONCE = 20

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["postgres", "kafka"])
def kafka_cluster(request: pytest.FixtureRequest) -> KafkaCluster | None:
    """The cluster that carries the events; None where PostgreSQL does."""
    if request.param == "postgres":
        return None
    cluster: KafkaCluster = request.getfixturevalue("kafka")
    return cluster


async def test_a_thousand_leads_are_each_taken_in_assigned_and_announced_once(
    database: Database, kafka_cluster: KafkaCluster | None
) -> None:
    crowd = invent(SUBMISSIONS, seed=SEED)
    assert len(crowd.asks) + len(crowd.repeats) == SUBMISSIONS
    chance = random.Random(SEED)
    settings = settings_for(database, kafka_cluster)
    await agree(database)
    forms = crowd.of("demo", "paper")
    half = len(forms) // 2
    over = asyncio.Event()

    async with AsyncExitStack() as stack:
        lines = stack.enter_context(capture_logs())
        # While nobody routes, leads are accepted all the same.
        ingest = await stack.enter_async_context(serving("ingest", settings))
        receipts = await post_all(ingest, forms[:half])
        fair = await upload(ingest, "fair", crowd)
        await shuffle_and_double(database.engine, chance)

        await stack.enter_async_context(serving("router", settings))
        await stack.enter_async_context(serving("sla-timer", settings))
        repeating = asyncio.create_task(repeat_until(over, database.engine))
        receipts |= await post_all(ingest, forms[half:])
        vendor = await upload(ingest, "vendor", crowd)
        await rewind(database.engine)
        assert await post_all(ingest, crowd_repeats(crowd)) == {
            ask: receipts[ask] for ask in crowd_repeats(crowd)
        }
        over.set()
        await repeating
        await eventually(lambda: at_rest(database, kafka_cluster), within_seconds=60)

    assert len(set(receipts.values())) == len(forms)
    assert (fair["accepted"], fair["duplicates"]) == counted(crowd, "fair")
    assert (vendor["accepted"], vendor["duplicates"]) == counted(crowd, "vendor")
    assert await audit(database.engine) == []
    balance = await take_balance(database.engine)
    assert (balance.accepted, balance.applied, balance.in_flight) == (len(crowd.asks), len(crowd.asks), 0)
    await expect_one_of_everything(database, crowd)
    written = "\n".join(map(str, lines)).lower()
    assert lines
    assert not [ask.email for ask in crowd.asks if ask.email in written or ask.message in written]


async def expect_one_of_everything(database: Database, crowd: Crowd) -> None:
    """What is stored and what was announced, against what the crowd says should be."""
    engine = database.engine
    people = await column(database, "SELECT email FROM lead")
    assert Counter(people) == Counter(crowd.people)
    owned = await column(
        database, "SELECT l.email FROM assignment a JOIN lead l ON l.id = a.lead_id WHERE a.ended_at IS NULL"
    )
    assert Counter(owned) == Counter(crowd.qualified)

    captured = once(await announced(engine, LeadCaptured))
    assert Counter(event.lead.email for event in captured) == Counter(ask.email for ask in crowd.asks)
    matched = once(await announced(engine, LeadMatched))
    assert len({event.receipt_id for event in matched}) == len(matched) == len(crowd.asks)
    assigned = once(await announced(engine, LeadAssigned))
    assert Counter(event.lead.email for event in assigned) == Counter(crowd.qualified)
    assert len(once(await announced(engine, LeadQualified))) == len(crowd.qualified)
    started = once(await announced(engine, SlaStarted))
    assert {event.assignment_id for event in started} == {event.assignment_id for event in assigned}
    assert len(started) == len(assigned)

    said_by = {message.type: message.source for message in await announced_messages(engine)}
    assert {said_by[event.TYPE] for event in (LeadMatched, LeadQualified, LeadAssigned)} == {
        "/leadpact/router"
    }
    assert (said_by[LeadCaptured.TYPE], said_by[SlaStarted.TYPE]) == (
        "/leadpact/ingest",
        "/leadpact/sla-timer",
    )

    turns = Counter(event.rep_id for event in assigned)
    assert max(turns.values()) - min(turns[rep] for rep in REPS) <= 1


def once(events: Sequence[Any]) -> list[Any]:
    """The events without their repeats: a repeat says exactly the same, a second announcement something of its own."""
    return list({event.to_json(): event for event in events}.values())


def settings_for(database: Database, kafka: KafkaCluster | None) -> Settings:
    return Settings(
        database_url=SecretStr(database.url),
        data=Path("not-made"),
        kafka_bootstrap=kafka.bootstrap if kafka else None,
        kafka_topic_prefix=kafka.topic_prefix if kafka else "",
        kafka_partitions=kafka.partitions if kafka else 1,
    )


async def agree(database: Database) -> None:
    """Put the pact in force and the reps on the roster."""
    async with UnitOfWork(database.engine, source="test", wake=Wake()).transaction() as tx:
        await PactBook().apply(tx, PACT, applied_by="test")
        reps = [RepEntry(rep, rep.title(), f"{rep}@acme.example", "UTC") for rep in REPS]
        await put_reps(tx, reps, TUESDAY_MORNING)


async def post_all(http: httpx.AsyncClient, asks: Sequence[Ask]) -> dict[Ask, str]:
    """Post the forms, ``AT_ONCE`` at a time, in turns as JSON and as a page's form; the receipt of each."""
    lanes = [asks[start::AT_ONCE] for start in range(AT_ONCE)]
    receipts = await asyncio.gather(*(_post_each(http, lane) for lane in lanes))
    return {ask: receipt for lane in receipts for ask, receipt in lane.items()}


async def _post_each(http: httpx.AsyncClient, asks: Sequence[Ask]) -> dict[Ask, str]:
    receipts = {}
    for number, ask in enumerate(asks):
        body: dict[str, Any] = {"json": ask.fields} if number % 2 else {"data": ask.fields}
        headers = {"Idempotency-Key": ask.key or "", "Accept": "application/json"}
        answer = await http.post(f"/v1/forms/{ask.source}", headers=headers, **body)
        assert answer.status_code == 202, answer.text
        receipts[ask] = answer.json()["receipt"]
    return receipts


async def upload(http: httpx.AsyncClient, source: str, crowd: Crowd) -> dict[str, Any]:
    """Upload a source's rows as one file, the repeated ones at its end, and wait until it is taken in."""
    rows = [ask for ask in [*crowd.asks, *crowd.repeats] if ask.source == source]
    file = {"file": (f"{source}.csv", as_csv(rows), "text/csv")}
    answer = await http.post("/v1/uploads", params={"source": source}, files=file)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()

    async def completed() -> bool:
        found.update((await http.get(f"/v1/uploads/{found['id']}")).json())
        return bool(found["status"] == "completed")

    await eventually(completed, within_seconds=30)
    return found


def crowd_repeats(crowd: Crowd) -> list[Ask]:
    return [ask for ask in crowd.repeats if ask.key is not None]


def counted(crowd: Crowd, source: str) -> tuple[int, int]:
    """Rows of a file that are new, and those that are not."""
    return sum(ask.source == source for ask in crowd.asks), sum(ask.source == source for ask in crowd.repeats)


async def at_rest(database: Database, kafka: KafkaCluster | None) -> bool:
    """Nothing is under way, and nothing follows from what was."""
    await asyncio.sleep(0.2)
    if not await all_is_read(database.engine, kafka):
        return False
    return await all_is_read(database.engine, kafka)


async def column(database: Database, query: str) -> list[str]:
    async with database.engine.connect() as connection:
        return list((await connection.execute(text(query))).scalars())
