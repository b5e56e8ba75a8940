"""Leads can be listed, looked for and understood."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from leadpact.events import SlaWarned
from tests.integration.router.api.conftest import Service
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import captured, did, downloaded

HOUR = timedelta(hours=1)


async def test_a_lead_shows_its_owner_and_why_it_is_theirs(service: Service) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller", "seniority": "vp"})
    assert lead["stage"] == "assigned"
    assert lead["owner"] in ("ana", "ben", "cem")
    assert lead["owner_name"] == lead["owner"].title()
    assert lead["why"] == f"{lead['owner_name']} is next in dach"
    assert (lead["score"], lead["fit"]) == (25, 25)


async def test_a_lead_that_is_not_ready_says_what_is_missing(service: Service) -> None:
    await service.router.hear(downloaded("kim@globex.example"))
    [lead] = (await service.get("/v1/leads"))["items"]
    assert lead["stage"] == "new"
    assert lead["owner"] is None
    assert lead["why"].startswith("not ready for sales: ")


async def test_leads_are_filtered_by_each_word_and_by_all_of_them_together(service: Service) -> None:
    await service.router.hear(
        captured("a@globex.example"),
        captured("b@initech.example", draft={"company": "Initech"}),
        downloaded("c@globex.example"),
    )

    async def found(**query: str) -> set[str]:
        return {lead["email"] for lead in (await service.get("/v1/leads", **query))["items"]}

    owner_of_a = await service.router.owner_of("a@globex.example")
    assert await found(stage="new") == {"c@globex.example"}
    assert await found(source="whitepaper") == {"c@globex.example"}
    assert await found(owner=str(owner_of_a), q="globex") == {"a@globex.example"}
    assert await found(q="initech") == {"b@initech.example"}
    assert await found(stage="new", source="website-demo") == set()


async def test_signs_that_sql_gives_a_meaning_to_are_looked_for_as_they_are(service: Service) -> None:
    await service.router.hear(captured("a_b@globex.example"), captured("axb@globex.example"))
    found = await service.get("/v1/leads", q="a_b")
    assert [lead["email"] for lead in found["items"]] == ["a_b@globex.example"]
    assert (await service.get("/v1/leads", q="%%"))["items"] == []


async def test_pages_continue_where_the_last_one_ended_and_name_the_next_one(service: Service) -> None:
    await service.router.hear(*(captured(f"p{number}@globex.example") for number in range(7)))
    seen: list[str] = []
    url: str | None = "/v1/leads?limit=3&stage=assigned"
    pages = 0
    while url:
        answer = await service.http.get(url)
        seen += [lead["email"] for lead in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
        assert (answer.json()["next"] is None) == (url is None)
        pages += 1
        if pages == 1:
            await service.router.hear(captured("late@globex.example"))
    assert pages == 3
    assert sorted(seen) == [f"p{number}@globex.example" for number in range(7)]


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("stage=asigned", "query:stage", "assigned"),
        ("owner=anna", "query:owner", "did you mean ana?"),
        ("source=website-demos", "query:source", "did you mean website-demo?"),
        ("source=zzz", "query:source", "website-demo, whitepaper, vendor"),
        ("limit=201", "query:limit", "200"),
        ("after=nonsense", "query:after", "cursor"),
        ("after=%ff", "query:after", "cursor"),
        ("q=%00%00", "query:q", "U+0000"),
        ("stages=held", "query:stages", "did you mean stage?"),
        ("stage=held&zzzz=1", "query:zzzz", "use one of: stage, owner, source, band, q, limit, after"),
    ],
)
async def test_an_unknown_word_is_refused_with_the_valid_ones(
    service: Service, query: str, field: str, says: str
) -> None:
    answer = await service.http.get(f"/v1/leads?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == field
    assert says in f"{fault['detail']} {fault.get('fix', '')}"


async def test_the_story_of_a_lead_names_the_rules_tried_and_who_was_passed_over(service: Service) -> None:
    await service.http.post(
        "/v1/reps/ben/absences",
        json={"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-10T00:00:00Z", "note": "skiing"},
    )
    lead = await service.assigned()
    story = await service.get(f"/v1/leads/{lead['id']}")
    [assignment] = story["assignments"]
    rules = assignment["explanation"]["rules"]
    assert [(rule["rule"], rule["holds"]) for rule in rules] == [
        ("account owner first", False),
        ("DACH", True),
    ]
    assert rules[1]["seen"][0]["found"] == "DE"
    [pool] = assignment["explanation"]["pools"]
    passed_over = {
        one["rep"]: one["because"] for one in pool["candidates"] if one["outcome"] == "passed over"
    }
    assert "ben" in passed_over
    assert story["answers"]["company"] == "Globex"


async def test_the_timeline_tells_what_happened_in_its_order(service: Service) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller"})
    clock = service.router.clock
    clock.advance(timedelta(minutes=5))
    await service.router.hear(did("pricing_page", "kathe@globex.example", clock.now()))
    clock.advance(timedelta(minutes=5))
    await service.http.post(f"/v1/assignments/{lead['assignment_id']}/accept")
    clock.advance(timedelta(hours=3))
    await service.router.hear(await service.router.breach("kathe@globex.example"))
    story = await service.get(f"/v1/leads/{lead['id']}")
    kinds = [one["kind"] for one in story["timeline"]]
    assert kinds == [
        "captured",
        "qualified",
        "assigned",
        "activity",
        "accepted",
        "breached",
        "taken_away",
        "assigned",
    ]
    times = [one["at"] for one in story["timeline"]]
    assert times == sorted(times)
    taken, given = story["timeline"][-2:]
    assert taken["says"] == f"from {lead['owner_name']}"
    assert given["says"].startswith(f"to {story['lead']['owner_name']}: pool dach")
    assert story["timeline"][0]["at"] == TUESDAY_MORNING.isoformat().replace("+00:00", "Z")


async def test_the_timeline_has_each_warning_at_its_own_time(service: Service) -> None:
    lead = await service.assigned()
    clock = {**await service.router.clock_of("kathe@globex.example"), "due_at": TUESDAY_MORNING + 2 * HOUR}
    at = [TUESDAY_MORNING + timedelta(minutes=minutes) for minutes in (60, 96, 110)]
    shares: list[dict[str, Any]] = [
        {"percent": 50},
        {"percent": 80},
        {"percent": 91, "left": "10 business minutes left"},
    ]
    for moment, share in zip(at, shares, strict=True):
        await service.router.hear(SlaWarned(**{**clock, "occurred_at": moment}, **share))
    story = await service.get(f"/v1/leads/{lead['id']}")
    warned = [one for one in story["timeline"] if one["kind"] == "warned"]
    assert [(one["at"], one["says"].partition("time is running out, ")[2]) for one in warned] == [
        (_written(at[0]), "50 % of it is used"),
        (_written(at[1]), "80 % of it is used"),
        (_written(at[2]), "10 business minutes left"),
    ]
    assert [one["details"].get("left") for one in warned] == [None, None, "10 business minutes left"]
    [shown] = story["clocks"]
    assert (shown["warned_at"], shown["warned_percent"]) == (_written(at[0]), 91)
    assert [(one["warned_at"], one["percent"]) for one in shown["warnings"]] == [
        (_written(moment), share["percent"]) for moment, share in zip(at, shares, strict=True)
    ]


async def test_a_lead_that_waits_shows_the_rules_tried_and_who_was_passed_over(service: Service) -> None:
    lead = await _waiting(service)
    story = await service.get(f"/v1/leads/{lead['id']}")
    because = story["held_explanation"]
    assert because["decision"] == story["held_reason"] == "nobody in dach can take it now: 3 away"
    assert [(rule["rule"], rule["holds"]) for rule in because["rules"]] == [
        ("account owner first", False),
        ("DACH", True),
    ]
    [pool] = because["pools"]
    assert {one["rep"]: one["outcome"] for one in pool["candidates"]} == dict.fromkeys(_DACH, "passed over")
    [hold] = story["holds"]
    assert hold["explanation"] == because
    assert (hold["pool"], hold["pact_version"], hold["latest_explanation"]) == ("dach", 1, None)


async def test_a_lead_that_joined_a_line_shows_whose_and_since_when_somebody_waits(service: Service) -> None:
    await _waiting(service)
    service.router.clock.advance(timedelta(minutes=3))
    await service.assigned("lou@globex.example")
    service.router.clock.advance(timedelta(minutes=3))
    lead = await service.assigned("kit@globex.example")
    because = (await service.get(f"/v1/leads/{lead['id']}"))["held_explanation"]
    assert because["decision"] == "older leads wait for dach"
    assert [rule["rule"] for rule in because["rules"]] == ["account owner first", "DACH"]
    [pool] = because["pools"]
    assert (pool["pool"], pool["candidates"], pool["line_since"]) == ("dach", [], TUESDAY_MORNING.isoformat())


async def test_the_timeline_tells_why_a_lead_was_held_when_it_was_and_by_now(service: Service) -> None:
    await _waiting(service)
    held_at = service.router.clock.advance(timedelta(minutes=3))
    lead = await service.assigned("kit@globex.example")

    async def held() -> list[tuple[str, str]]:
        happened = (await service.get(f"/v1/leads/{lead['id']}"))["timeline"]
        return [(one["at"], one["says"]) for one in happened if one["kind"] == "held"]

    began = "older leads wait for dach"
    assert await held() == [(_written(held_at), began)]
    service.router.clock.advance(timedelta(seconds=5))
    await service.router.release()
    away = "nobody in dach can take it now: 3 away"
    assert await held() == [(_written(held_at), f"{began}; by now: {away}")]
    story = await service.get(f"/v1/leads/{lead['id']}")
    assert story["held_explanation"]["decision"] == story["lead"]["why"] == away
    service.router.clock.advance(timedelta(hours=5))
    await service.router.release()
    story = await service.get(f"/v1/leads/{lead['id']}")
    assert [one["kind"] for one in story["timeline"]] == ["captured", "qualified", "held", "assigned"]
    assert await held() == [(_written(held_at), began)]
    assert story["held_explanation"] is None
    assert [one["reason"] for one in story["holds"]] == [began]


_DACH = ("ana", "ben", "cem")


async def _waiting(service: Service) -> dict[str, Any]:
    """A lead that waits, since everybody of its pool is away for four hours."""
    for rep in _DACH:
        await service.http.post(
            f"/v1/reps/{rep}/absences",
            json={"starts_at": _written(TUESDAY_MORNING), "ends_at": _written(TUESDAY_MORNING + 4 * HOUR)},
        )
    return await service.assigned("jo@globex.example")


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def test_an_unknown_lead_is_not_found(service: Service) -> None:
    answer = await service.http.get(f"/v1/leads/{uuid4()}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/not-found")


async def test_before_there_is_a_pact_there_are_no_leads_and_no_error(service: Service) -> None:
    async with service.router.uow.transaction() as tx:
        await tx.execute(text("DELETE FROM pact_version"))
    assert (await service.get("/v1/leads")) == {"items": [], "next": None}
    assert (await service.http.get("/v1/leads?source=website-demo")).status_code == 422
    assert (await service.http.get("/v1/pact")).status_code == 404
    board = (await service.http.get("/")).text
    assert "leadpact pact apply" in board
    assert "No pact is in force" in (await service.http.get("/pact")).text
