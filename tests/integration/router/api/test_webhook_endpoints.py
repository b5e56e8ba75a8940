"""Endpoints are made, changed and switched off over HTTP; a secret is shown once; every delivery can be looked into and sent again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from standardwebhooks import Webhook

from leadpact.bus.carriers.postgres import PostgresCarrier
from leadpact_router.webhooks.deliver import Deliverer
from leadpact_router.webhooks.fan_out import CONSUMER, TOPICS, fan_out_consumer
from leadpact_router.webhooks.http import webhook_client
from leadpact_router.webhooks.metrics import WebhookMetrics
from tests.integration.router.api.conftest import Service
from tests.support.routing import captured
from tests.support.webhook_receiver import ReceiverZoo


async def an_endpoint(service: Service, **body: Any) -> dict[str, Any]:
    answer = await service.http.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def deliver(service: Service) -> None:
    """Queue what was announced and call for it."""
    router = service.router
    reader = PostgresCarrier(router.uow, router.wake).reader(CONSUMER, TOPICS)
    await reader.start()
    consumer = fan_out_consumer(router.clock)
    while await consumer.run_once(reader):
        pass
    async with webhook_client(allow_private=True) as client:
        metrics = WebhookMetrics(CollectorRegistry())
        deliverer = Deliverer(router.uow, router.clock, router.wake, client, metrics)
        for _ in range(3):
            await deliverer.turn()
            await deliverer.finish()


async def test_a_secret_is_shown_when_it_is_made_and_never_again(service: Service) -> None:
    made = await an_endpoint(service)
    assert made["secret"].startswith("whsec_")
    shown = await service.http.get(f"/v1/webhook-endpoints/{made['id']}")
    listed = await service.http.get("/v1/webhook-endpoints")
    for answer in (shown, listed):
        assert "whsec_" not in answer.text
        assert made["secret"][6:] not in answer.text
    rotated = await service.http.post(f"/v1/webhook-endpoints/{made['id']}/rotate")
    assert rotated.json()["secret"] != made["secret"]


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"url": "http://169.254.169.254/latest"}, "#/url", "metadata"),
        ({"url": "ftp://crm.acme.example"}, "#/url", "https://"),
        ({"url": "https://user:pass@crm.acme.example"}, "#/url", "user name"),
        ({"url": "https://crm.acme.example\x00"}, "#/url", "U+0000"),
        ({"events": ["lead.asigned"]}, "#/events", "lead.assigned"),
        ({"events": []}, "#/events", "empty"),
        ({"secret": "mine"}, "#/secret", "no field"),
    ],
)
async def test_an_endpoint_that_cannot_be_is_refused_by_field(
    service: Service, body: dict[str, Any], pointer: str, says: str
) -> None:
    answer = await service.http.post(
        "/v1/webhook-endpoints", json={"url": "https://crm.acme.example/hook", **body}
    )
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == pointer
    assert says in f"{fault['detail']} {fault.get('fix', '')}"
    assert (await service.get("/v1/webhook-endpoints"))["items"] == []


async def test_an_endpoint_is_changed_only_where_it_was_said(service: Service) -> None:
    made = await an_endpoint(service, description="CRM")
    path = f"/v1/webhook-endpoints/{made['id']}"
    changed = await service.http.patch(path, json={"events": ["lead.accepted"]})
    assert changed.json()["events"] == ["lead.accepted"]
    assert (changed.json()["url"], changed.json()["description"]) == (made["url"], "CRM")
    refused = await service.http.patch(path, json={"url": "http://10.0.0.1:0/"})
    assert refused.status_code == 422


async def test_there_is_a_bound_to_how_many_endpoints_there_are(service: Service) -> None:
    for _ in range(25):
        await an_endpoint(service)
    answer = await service.http.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 409


async def test_a_delivery_shows_its_attempts_and_can_be_sent_again(service: Service) -> None:
    async with ReceiverZoo.running() as zoo:
        made = await an_endpoint(service, url=zoo.url("/text"))
        lead = await service.assigned()
        await deliver(service)
        [listed] = (await service.get("/v1/deliveries", state="delivered", lead=lead["id"]))["items"]
        assert (listed["type"], listed["endpoint_id"], listed["attempts"]) == ("lead.assigned", made["id"], 1)
        detail = await service.get(f"/v1/deliveries/{listed['id']}")
        assert detail["tries"][0]["status"] == 200
        assert detail["tries"][0]["body"] == "thanks, Käthe"

        replayed = await service.http.post(f"/v1/deliveries/{listed['id']}/replay")
        assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
        await deliver(service)
        first, second = zoo.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == listed["event_id"]
        Webhook(made["secret"]).verify(second.body, second.headers)
        tries = (await service.get(f"/v1/deliveries/{listed['id']}"))["tries"]
        assert [one["is_replay"] for one in tries] == [False, True]


async def test_a_test_event_can_be_followed_to_its_answer(service: Service) -> None:
    async with ReceiverZoo.running() as zoo:
        made = await an_endpoint(service, url=zoo.url("/404"))
        sent = await service.http.post(f"/v1/webhook-endpoints/{made['id']}/test")
        assert sent.status_code == 202
        await deliver(service)
        detail = await service.get(f"/v1/deliveries/{sent.json()['id']}")
    assert (detail["type"], detail["state"], detail["outcome"]) == ("webhook.test", "pending", "status 404")
    shown = await service.get(f"/v1/webhook-endpoints/{made['id']}")
    assert (shown["state"], shown["waiting"], shown["last_outcome"]) == ("failing", 1, "status 404")


async def test_an_endpoint_that_is_off_keeps_what_happens_until_it_is_on(service: Service) -> None:
    async with ReceiverZoo.running() as zoo:
        made = await an_endpoint(service, url=zoo.url("/200"))
        path = f"/v1/webhook-endpoints/{made['id']}"
        assert (await service.http.post(f"{path}/disable")).json()["state"] == "off"
        assert (await service.http.post(f"{path}/test")).status_code == 409
        await service.assigned()
        await deliver(service)
        assert zoo.received == []
        assert (await service.http.post(f"{path}/enable")).json()["state"] == "on"
        await deliver(service)
        assert len(zoo.received) == 1


async def test_what_was_given_up_is_replayed_from_a_moment_on(service: Service) -> None:
    made = await an_endpoint(service)
    await service.assigned()
    await deliver(service)
    async with service.router.uow.transaction() as tx:
        await tx.execute(text("UPDATE delivery SET state = 'dead'"))
    path = f"/v1/webhook-endpoints/{made['id']}/replay"
    assert (await service.http.post(path, json={"since": "2026-03-04T00:00:00Z"})).json() == {"replayed": 0}
    assert (await service.http.post(path, json={"since": "2026-03-03T00:00:00Z"})).json() == {"replayed": 1}


async def test_deliveries_are_paged_and_filtered(service: Service) -> None:
    made = await an_endpoint(service)
    await service.router.hear(*(captured(f"p{number}@globex.example") for number in range(5)))
    await deliver(service)
    first = await service.http.get(f"/v1/deliveries?limit=3&endpoint={made['id']}&type=lead.assigned")
    second = await service.http.get(first.links["next"]["url"])
    assert len({one["id"] for page in (first, second) for one in page.json()["items"]}) == 5
    assert (await service.get("/v1/deliveries", endpoint=str(uuid4())))["items"] == []
    unknown = await service.http.get("/v1/deliveries?type=lead.asigned")
    assert unknown.status_code == 422
    assert "lead.assigned" in unknown.text


async def test_a_deleted_endpoint_is_gone_with_its_deliveries(service: Service) -> None:
    made = await an_endpoint(service)
    await service.assigned()
    await deliver(service)
    path = f"/v1/webhook-endpoints/{made['id']}"
    assert (await service.http.delete(path)).status_code == 204
    assert (await service.get("/v1/deliveries"))["items"] == []
    assert (await service.http.get(path)).status_code == 404
    for verb in ("test", "rotate", "disable", "enable"):
        assert (await service.http.post(f"{path}/{verb}")).status_code == 404
