"""Sales reports what happened with an assignment; said twice it happens once, and what happened in time counts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from leadpact.events import LeadAccepted, LeadContacted, LeadRejected
from tests.integration.router.api.conftest import Service


async def test_an_accepted_lead_says_so_and_is_announced_once(service: Service) -> None:
    lead = await service.assigned()
    first = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/accept")
    again = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/accept")
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["changed"], again.json()["changed"]) == (True, False)
    assert first.json()["stage"] == "accepted"
    assert len(await service.router.said(LeadAccepted)) == 1


async def test_a_contact_reported_late_counts_from_when_it_was_made(service: Service) -> None:
    lead = await service.assigned()
    called_at = service.router.clock.now() + timedelta(minutes=30)
    service.router.clock.advance(timedelta(hours=5))
    answer = await service.http.post(
        f"/v1/assignments/{lead['assignment_id']}/contact",
        json={"occurred_at": called_at.isoformat(), "channel": "call"},
    )
    assert answer.json()["stage"] == "contacted"
    [contacted] = await service.router.said(LeadContacted)
    assert contacted.occurred_at == called_at
    assert contacted.recorded_at == service.router.clock.now()


async def test_what_has_not_happened_yet_is_refused(service: Service) -> None:
    lead = await service.assigned()
    tomorrow = service.router.clock.now() + timedelta(days=1)
    answer = await service.http.post(
        f"/v1/assignments/{lead['assignment_id']}/contact", json={"occurred_at": tomorrow.isoformat()}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/occurred_at"
    assert await service.router.said(LeadContacted) == []


async def test_a_rejection_needs_a_reason_of_the_pact_and_the_note_it_asks_for(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}/reject"
    misspelt = await service.http.post(path, json={"reason": "not_nwo"})
    without_note = await service.http.post(path, json={"reason": "bad_data"})
    without_reason = await service.http.post(path, json={})
    assert {one.status_code for one in (misspelt, without_note, without_reason)} == {422}
    assert "not_now" in misspelt.text
    assert "note" in without_note.text
    assert without_reason.json()["errors"][0]["pointer"] == "#/reason"

    good = await service.http.post(path, json={"reason": "bad_data", "note": "the number belongs to a zoo"})
    assert good.json()["stage"] == "disqualified"
    [rejected] = await service.router.said(LeadRejected)
    assert (rejected.reason, rejected.outcome, rejected.note) == (
        "bad_data",
        "disqualify",
        "the number belongs to a zoo",
    )


async def test_a_former_owner_is_told_who_has_the_lead_now(service: Service) -> None:
    lead = await service.assigned()
    await service.router.hear(await service.router.breach("kathe@globex.example"))
    owner = await service.router.owner_of("kathe@globex.example")
    answer = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/accept")
    assert answer.status_code == 409
    assert f"{owner} has it now" in answer.json()["detail"]


async def test_a_command_with_the_same_key_gets_the_first_answer_again(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}/accept"
    key = {"Idempotency-Key": '"accept-1"'}
    first = await service.http.post(path, headers=key)
    again = await service.http.post(path, headers={"Idempotency-Key": "accept-1"})
    assert first.json() == again.json()
    assert again.json()["changed"] is True
    other = await service.http.post(path, headers=key, json={"occurred_at": "2026-03-03T08:00:00Z"})
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")


async def test_a_key_whose_command_was_refused_is_free_again(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}/reject"
    key = {"Idempotency-Key": "reject-1"}
    assert (await service.http.post(path, headers=key, json={"reason": "nonsense"})).status_code == 422
    assert (await service.http.post(path, headers=key, json={"reason": "not_now"})).status_code == 200


async def test_a_day_later_a_key_means_a_new_command(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}/accept"
    key = {"Idempotency-Key": "accept-1"}
    await service.http.post(path, headers=key)
    async with service.router.uow.transaction() as tx:
        await tx.execute(text("UPDATE idempotent_answer SET at = at - interval '24 hours'"))
    again = await service.http.post(path, headers=key)
    assert again.json()["changed"] is False


async def test_twenty_clicks_at_once_under_one_key_are_one_acceptance(service: Service) -> None:
    lead = await service.assigned()
    path = f"/v1/assignments/{lead['assignment_id']}/accept"
    answers = await asyncio.gather(
        *(service.http.post(path, headers={"Idempotency-Key": "k"}) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["changed"] for answer in answers} == {True}
    assert len(await service.router.said(LeadAccepted)) == 1


@pytest.mark.parametrize("key", ["", " ", "ä", "x" * 256, '"open'])
async def test_a_key_that_is_none_is_refused(service: Service, key: str) -> None:
    lead = await service.assigned()
    answer = await service.http.post(
        f"/v1/assignments/{lead['assignment_id']}/accept", headers=[(b"Idempotency-Key", key.encode())]
    )
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/invalid-idempotency-key")


@pytest.mark.parametrize(
    "body",
    [
        {"occurred_at": "yesterday"},
        {"occurred_at": 1_772_528_400},
        {"occurred_at": "1772528400"},
        {"occurred_at": "2026-03-03T09:00:00"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"occurred_at": "9999-12-31T23:59:59-12:00"},
        {"channel": "x\u0000"},
        {"channel": ""},
        {"channel": "x" * 201},
        {"chanel": "call"},
    ],
)
async def test_an_odd_report_is_refused_by_name_and_changes_nothing(
    service: Service, body: dict[str, str]
) -> None:
    lead = await service.assigned()
    answer = await service.http.post(f"/v1/assignments/{lead['assignment_id']}/contact", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("#/")
    assert await service.router.said(LeadContacted) == []


async def test_an_unknown_assignment_is_not_found(service: Service) -> None:
    for verb, body in (("accept", {}), ("contact", {}), ("reject", {"reason": "not_now"})):
        assert (await service.http.post(f"/v1/assignments/{uuid4()}/{verb}", json=body)).status_code == 404
    assert (await service.http.get(f"/v1/assignments/{uuid4()}")).status_code == 404


async def test_an_assignment_can_be_read_by_itself(service: Service) -> None:
    lead = await service.assigned()
    shown = await service.get(f"/v1/assignments/{lead['assignment_id']}")
    assert shown["rep_id"] == lead["owner"]
    assert shown["explanation"]["decision"] == lead["why"]
