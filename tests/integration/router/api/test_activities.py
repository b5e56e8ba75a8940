"""What people do is taken in, once, and moves their score."""

from __future__ import annotations

from typing import Any

import pytest

from leadpact.events import ActivityRecorded
from tests.integration.router.api.conftest import Service
from tests.support.routing import downloaded


async def test_an_activity_is_stored_before_it_is_answered_and_then_moves_the_score(service: Service) -> None:
    await service.router.hear(downloaded("kim@globex.example"))
    before = (await service.get("/v1/leads"))["items"][0]["score"]
    answer = await service.http.post(
        "/v1/activities",
        json={"kind": "pricing_page", "email": " Kim@Globex.example ", "details": {"page": "/pricing"}},
    )
    assert answer.status_code == 202
    [recorded] = await service.router.said(ActivityRecorded)
    assert str(recorded.activity_id) == answer.json()["activity_id"]
    assert recorded.email == "kim@globex.example"
    await service.router.read()
    lead = (await service.get("/v1/leads"))["items"][0]
    assert lead["score"] == before + 8
    story = await service.get(f"/v1/leads/{lead['id']}")
    assert story["activities"][0]["details"] == {"page": "/pricing"}


async def test_an_activity_sent_twice_under_one_key_is_recorded_once(service: Service) -> None:
    body = {"kind": "webinar", "phone": "+49 30 1234-5678"}
    answers = [
        await service.http.post("/v1/activities", json=body, headers={"Idempotency-Key": "w-1"}) for _ in "ab"
    ]
    assert answers[0].json() == answers[1].json()
    [recorded] = await service.router.said(ActivityRecorded)
    assert recorded.phone == "+493012345678"


@pytest.mark.parametrize(
    "who",
    [
        {"email": "Kim Bo <Kim@Globex.example>"},
        {"email": "mailto:kim@globex.example?subject=Hi"},
        {"email": "kim＠globex．example"},
        {"phone": "0049 (0)30 1234-5678"},
        {"phone": '="+493012345678"'},
        {"phone": "(030) 12345678", "country": "DE"},
        {"country": "DE", "phone": "tel: 030 12345678 ext. 7"},
    ],
)
async def test_an_activity_finds_its_lead_however_the_person_is_written(
    service: Service, who: dict[str, str]
) -> None:
    named = {"email": "kim@globex.example"} if "email" in who else {"phone": "+493012345678"}
    await service.router.hear(downloaded(named.get("email", ""), draft={"email": None, **named}))
    before = (await service.get("/v1/leads"))["items"][0]["score"]
    answer = await service.http.post("/v1/activities", json={"kind": "pricing_page", **who})
    assert answer.status_code == 202, answer.text
    await service.router.read()
    assert (await service.get("/v1/leads"))["items"][0]["score"] == before + 8


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ({"email": "kim at globex"}, "there is no @ in it"),
        ({"phone": "030 12345678"}, "the country is not known"),
        ({"phone": "030 12345678", "country": "UK"}, "did you mean GB?"),
    ],
)
async def test_an_activity_of_nobody_readable_is_refused_with_the_reason(
    service: Service, who: dict[str, str], says: str
) -> None:
    answer = await service.http.post("/v1/activities", json={"kind": "pricing_page", **who})
    assert answer.status_code == 422
    assert says in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "pricing_page"},
        {"kind": "", "email": "kim@globex.example"},
        {"kind": "x", "email": "kim at globex"},
        {"kind": "x", "phone": "030 123"},
        {"kind": "x", "email": "kim@globex.example", "occurred_at": "2199-01-01T00:00:00Z"},
        {"kind": "x", "email": "kim@globex.example", "details": {"a": "\u0000"}},
        {"kind": "x", "email": "kim@globex.example", "details": {"a": "y" * 9000}},
        {"kind": "x", "lead_id": "17"},
        {"kind": "x", "email": "kim@globex.example", "unknown": 1},
        [],
    ],
)
async def test_what_cannot_be_an_activity_is_refused_by_name(service: Service, body: Any) -> None:
    answer = await service.http.post("/v1/activities", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert await service.router.said(ActivityRecorded) == []


@pytest.mark.parametrize(
    "body",
    [
        '{"kind": "x", "email": "kim@globex.example", "details": {"a": NaN}}',
        '{"kind": "\\ud800", "email": "kim@globex.example"}',
        '{"kind": "x", "email": "kim@globex.example", "details": {"a": "\\ud800"}}',
        '{"kind": "x", "details": ' + '{"a":' * 2000 + "1" + "}" * 2001,
        "{",
    ],
)
async def test_json_that_no_database_can_keep_is_the_senders_fault_not_ours(
    service: Service, body: str
) -> None:
    answer = await service.http.post(
        "/v1/activities", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await service.router.said(ActivityRecorded) == []
