"""Sales and the CRM report attempts, meetings, pauses and the end of a lead; what cannot be is refused by name."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from leadpact.events import (
    Event,
    LeadAttempted,
    LeadClosed,
    LeadContacted,
    LeadMeetingBooked,
    LeadPaused,
    LeadResumed,
)
from tests.integration.router.api.conftest import Service
from tests.support.routing import PAUSING_PACT

REPORTS: dict[str, tuple[dict[str, str], type[Event]]] = {
    "attempt": ({"channel": "call"}, LeadAttempted),
    "meeting": ({"meeting_at": "2026-03-05T14:00:00+01:00"}, LeadMeetingBooked),
    "pause": ({"state": "waiting_for_customer", "until": "2026-03-05T14:00:00+01:00"}, LeadPaused),
}


@pytest.fixture(autouse=True)
async def pausing_pact(service: Service) -> None:
    await service.router.apply_pact(PAUSING_PACT)


@pytest.mark.parametrize("verb", REPORTS)
async def test_each_report_is_taken_once_for_each_key_and_leaves_the_stage(
    service: Service, verb: str
) -> None:
    lead = await service.assigned()
    body, event = REPORTS[verb]
    path = f"/v1/assignments/{lead['assignment_id']}/{verb}"
    key = {"Idempotency-Key": "one"}
    answers = [await service.http.post(path, json=body, headers=key) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == answers[1].json()
    assert answers[0].json() == {
        "assignment_id": lead["assignment_id"],
        "lead_id": lead["id"],
        "rep_id": lead["owner"],
        "stage": "assigned",
        "changed": True,
        "recorded_as": verb,
    }
    assert len(await service.router.said(event)) == 1


async def test_an_auto_reply_is_answered_as_an_attempt(service: Service) -> None:
    lead = await service.assigned()
    answer = await service.http.post(
        f"/v1/assignments/{lead['assignment_id']}/contact", json={"channel": "email", "automatic": True}
    )
    assert (answer.json()["recorded_as"], answer.json()["stage"]) == ("attempt", "assigned")
    assert await service.router.said(LeadContacted) == []
    assert [one.automatic for one in await service.router.said(LeadAttempted)] == [True]


async def test_a_paused_lead_says_so_until_it_is_resumed(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}"
    await service.http.post(f"{path}/pause", json={"state": "waiting_for_customer"})
    shown = await service.get(f"/v1/leads/{lead['id']}")
    assert shown["lead"]["paused_state"] == "waiting_for_customer"
    assert (await service.get(path))["paused_state"] == "waiting_for_customer"
    resumed = await service.http.post(f"{path}/resume")
    assert resumed.json()["changed"] is True
    assert (await service.get("/v1/leads"))["items"][0]["paused_state"] is None
    assert len(await service.router.said(LeadResumed)) == 1


@pytest.mark.parametrize(
    ("verb", "body", "pointer", "says"),
    [
        ("attempt", {}, "#/channel", "is missing"),
        ("attempt", {"channel": ""}, "#/channel", "at least 1 character"),
        ("attempt", {"channel": "call", "automatic": "perhaps"}, "#/automatic", "boolean"),
        ("attempt", {"channel": "call", "occurred_at": "2027-01-01T00:00:00Z"}, "#/occurred_at", "future"),
        ("meeting", {"meeting_at": 1_772_528_400}, "#/meeting_at", "not a number"),
        ("meeting", {"occurred_at": "2027-01-01T00:00:00Z"}, "#/occurred_at", "future"),
        ("pause", {}, "#/state", "is missing"),
        ("pause", {"state": "waiting_for_costumer"}, "#/state", "did you mean waiting_for_customer?"),
        ("pause", {"state": "on_holiday", "until": "2026-03-03T08:59:59Z"}, "#/until", "lie ahead"),
        (
            "pause",
            {"state": "on_holiday", "occurred_at": "2026-03-03T08:00:00Z"},
            "#/occurred_at",
            "counts from when we hear of it",
        ),
        ("resume", {"occurred_at": "2026-03-03T08:00:00Z"}, "#/occurred_at", "from when we hear of it"),
        ("resume", {"state": "on_holiday"}, "#/state", "no field that is known here"),
    ],
)
async def test_a_report_that_cannot_be_is_refused_by_name(
    service: Service, verb: str, body: dict[str, object], pointer: str, says: str
) -> None:
    lead = await service.assigned()
    answer = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/{verb}", json=body)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == pointer
    assert says in f"{fault['detail']} {fault.get('fix', '')}"
    events: tuple[type[Event], ...] = (LeadAttempted, LeadMeetingBooked, LeadPaused, LeadResumed)
    for event in events:
        assert await service.router.said(event) == []


@pytest.mark.parametrize("verb", ["attempt", "meeting"])
async def test_a_clock_that_is_a_little_fast_reports_as_of_now(service: Service, verb: str) -> None:
    lead = await service.assigned()
    body, event = REPORTS[verb]
    soon = service.router.clock.now() + timedelta(minutes=4)
    await service.http.post(
        f"/v1/assignments/{lead['assignment_id']}/{verb}", json={**body, "occurred_at": soon.isoformat()}
    )
    [said] = await service.router.said(event)
    assert said.occurred_at == service.router.clock.now()


@pytest.mark.parametrize("verb", [*REPORTS, "resume"])
async def test_a_former_owner_reports_nothing_new(service: Service, verb: str) -> None:
    lead = await service.assigned()
    await service.router.hear(await service.router.breach("kathe@globex.example"))
    owner = await service.router.owner_of("kathe@globex.example")
    body, _ = REPORTS.get(verb, ({}, Event))
    answer = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/{verb}", json=body)
    assert answer.status_code == 409
    assert f"{owner} has it now" in answer.json()["detail"]


@pytest.mark.parametrize("verb", [*REPORTS, "resume"])
async def test_an_unknown_assignment_is_not_found(service: Service, verb: str) -> None:
    body, _ = REPORTS.get(verb, ({}, Event))
    assert (await service.http.post(f"/v1/assignments/{uuid4()}/{verb}", json=body)).status_code == 404


async def test_a_closed_lead_is_nobodys_and_says_why(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/leads/{lead['id']}/close"
    key = {"Idempotency-Key": "close-1"}
    first = await service.http.post(path, json={"reason": "won"}, headers=key)
    same = await service.http.post(path, json={"reason": "won"}, headers=key)
    again = await service.http.post(path, json={"reason": "lost"})
    assert first.json() == same.json() == {"lead_id": lead["id"], "stage": "closed", "changed": True}
    assert again.json() == {"lead_id": lead["id"], "stage": "closed", "changed": False}
    assert [one.reason for one in await service.router.said(LeadClosed)] == ["won"]
    [shown] = (await service.get("/v1/leads", stage="closed"))["items"]
    assert (shown["owner"], shown["why"]) == (None, "closed: won")


async def test_a_lead_that_was_rejected_is_not_closed_too(service: Service) -> None:
    lead = await service.assigned()
    await service.http.post(f"/v1/assignments/{lead['assignment_id']}/reject", json={"reason": "not_now"})
    answer = await service.http.post(f"/v1/leads/{lead['id']}/close", json={"reason": "lost"})
    assert answer.status_code == 409
    assert "recycled" in answer.json()["detail"]


async def test_closing_needs_a_reason_and_a_lead(service: Service) -> None:
    lead = await service.assigned()
    for body in ({}, {"reason": ""}, {"reason": "x" * 201}):
        answer = await service.http.post(f"/v1/leads/{lead['id']}/close", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/reason")
    assert (await service.http.post(f"/v1/leads/{uuid4()}/close", json={"reason": "won"})).status_code == 404
    assert await service.router.said(LeadClosed) == []


async def test_the_timeline_tells_what_sales_reported(service: Service) -> None:
    lead = await service.assigned()
    name, path = lead["owner_name"], f"/v1/assignments/{lead['assignment_id']}"
    reports: tuple[tuple[str, dict[str, object]], ...] = (
        ("attempt", {"channel": "phone_call"}),
        ("contact", {"channel": "email", "automatic": True}),
        ("meeting", {"meeting_at": "2026-03-05T14:00:00+01:00"}),
        ("pause", {"state": "waiting_for_customer", "until": "2026-03-05T15:00:00+01:00"}),
        ("pause", {"state": "on_holiday"}),
        ("resume", {}),
    )
    for report, body in reports:
        service.router.clock.advance(timedelta(minutes=1))
        assert (await service.http.post(f"{path}/{report}", json=body)).status_code == 200
    service.router.clock.advance(timedelta(minutes=1))
    await service.http.post(f"/v1/leads/{lead['id']}/close", json={"reason": "won"})
    story = await service.get(f"/v1/leads/{lead['id']}")
    assert [(one["kind"], one["says"]) for one in story["timeline"][3:]] == [
        ("attempted", f"{name} tried: phone call"),
        ("attempted", "email, sent by a machine: it stops nothing"),
        ("meeting_booked", f"{name} agreed on a meeting for 2026-03-05 13:00 UTC"),
        ("paused", "waiting for customer, until 2026-03-05 14:00 UTC"),
        ("paused", "on holiday, until it is resumed"),
        ("resumed", "no longer on holiday"),
        ("closed", f"won, while {name} had it"),
    ]
