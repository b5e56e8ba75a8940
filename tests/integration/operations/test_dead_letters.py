"""Dead letters over HTTP, from the application as it is put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.bus.carrier import Delivery
from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact.bus.dead_letters import SetAside, set_aside
from leadpact.cli.assemble import create_app
from leadpact.events.base import Message
from leadpact.ids import EventId, new_id
from leadpact.operations.metrics import DeadLetterGauge, DeadLetterMetrics
from leadpact.pact.book import PactBook
from leadpact.runtime.parts import Parts
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from tests.conftest import Database
from tests.support.fake_clock import TUESDAY_MORNING, FakeClock

PERSON = "kofi@drumbeat.example"


@pytest.fixture
def uow(uow_for: Callable[[str], UnitOfWork]) -> UnitOfWork:
    return uow_for("core")


@pytest.fixture
async def client(
    database: Database, uow: UnitOfWork, wake: Wake, clock: FakeClock
) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator's."""
    parts = Parts(
        Settings(),
        database.engine,
        clock,
        wake,
        PostgresCarrier(uow, wake),
        PactBook(),
        CollectorRegistry(),
    )
    async with uow.transaction() as tx:
        token = await create_token(tx, name="ops", scopes=[Scope.ADMIN], now=clock.now(), expires_at=None)
    transport = httpx.ASGITransport(create_app(parts, [], real_time=clock))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://pact.example", headers=headers
    ) as client:
        yield client


async def set_aside_one(uow: UnitOfWork, consumer: str = "router", *, is_readable: bool = True) -> UUID:
    message = Message(
        id=EventId(new_id()),
        type="leadpact.lead.captured.v1",
        source="/leadpact/ingest",
        topic="leadpact.inbound",
        key=PERSON,
        occurred_at=TUESDAY_MORNING,
        data=f'{{"email": "{PERSON}"}}',
    )
    delivery = Delivery(
        "leadpact.inbound", "1:2:3", message if is_readable else None, raw=PERSON.encode(), unreadable="no"
    )
    async with uow.transaction() as tx:
        await set_aside(tx, consumer, [SetAside(delivery, "a bug", f"Traceback: {PERSON}")], TUESDAY_MORNING)
    async with uow.transaction() as tx:
        found = await tx.connection.exec_driver_sql("SELECT id FROM dead_letter ORDER BY id DESC LIMIT 1")
        return UUID(str(found.scalar_one()))


async def test_a_person_is_seen_in_a_letter_that_is_opened_and_nowhere_else(
    client: httpx.AsyncClient, uow: UnitOfWork
) -> None:
    for is_readable in (True, False):
        letter_id = await set_aside_one(uow, is_readable=is_readable)

        assert PERSON not in (await client.get("/v1/dead-letters")).text
        opened = (await client.get(f"/v1/dead-letters/{letter_id}")).json()
        assert PERSON in opened["body"]
        assert PERSON in opened["error"]
        assert opened["reason"] == "a bug"
        assert PERSON not in (await client.post(f"/v1/dead-letters/{letter_id}/discard")).text


async def test_the_list_is_of_a_consumer_of_what_waits_and_comes_in_pages(
    client: httpx.AsyncClient, uow: UnitOfWork
) -> None:
    made = [await set_aside_one(uow) for _ in range(5)]
    other = await set_aside_one(uow, "webhooks")
    await client.post(f"/v1/dead-letters/{made[0]}/discard")

    async def listed(**parameters: str) -> list[str]:
        answer = await client.get("/v1/dead-letters", params=parameters)
        return [letter["id"] for letter in answer.json()["items"]]

    newest_first = [str(letter_id) for letter_id in reversed(made)]
    assert await listed() == [str(other), *newest_first]
    assert await listed(consumer="router") == newest_first
    assert await listed(consumer="router", settled="false") == newest_first[:-1]
    assert await listed(settled="true") == newest_first[-1:]

    page = await client.get("/v1/dead-letters", params={"consumer": "router", "limit": "3"})
    following = await client.get(page.links["next"]["url"])
    assert [letter["id"] for letter in page.json()["items"]] == newest_first[:3]
    assert [letter["id"] for letter in following.json()["items"]] == newest_first[3:]
    assert following.json()["next"] is None


async def test_a_letter_is_settled_once_over_http(client: httpx.AsyncClient, uow: UnitOfWork) -> None:
    letter_id = await set_aside_one(uow)

    first = await client.post(f"/v1/dead-letters/{letter_id}/replay")
    second = await client.post(f"/v1/dead-letters/{letter_id}/discard")

    assert (first.status_code, first.json()["settled_as"]) == (200, "replayed")
    assert (second.status_code, second.json()["detail"]) == (
        409,
        f"Dead letter {letter_id} has been replayed already.",
    )


async def test_bytes_that_are_no_event_can_only_be_discarded(
    client: httpx.AsyncClient, uow: UnitOfWork
) -> None:
    letter_id = await set_aside_one(uow, is_readable=False)

    refused = await client.post(f"/v1/dead-letters/{letter_id}/replay")

    assert refused.status_code == 409
    assert "no event with an id" in refused.json()["detail"]
    assert (await client.post(f"/v1/dead-letters/{letter_id}/discard")).status_code == 200


async def test_an_unknown_letter_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/dead-letters/{new_id()}")).status_code == 404
    assert (await client.post(f"/v1/dead-letters/{new_id()}/replay")).status_code == 404


async def test_the_gauge_counts_what_waits_and_forgets_what_is_settled(
    client: httpx.AsyncClient, uow: UnitOfWork
) -> None:
    registry = CollectorRegistry()
    gauge = DeadLetterGauge(uow, DeadLetterMetrics(registry))
    letter_id = await set_aside_one(uow)

    await gauge.run_once()
    assert registry.get_sample_value("leadpact_dead_letters", {"consumer": "router"}) == 1

    await client.post(f"/v1/dead-letters/{letter_id}/replay")
    await gauge.run_once()
    assert not registry.get_sample_value("leadpact_dead_letters", {"consumer": "router"})
