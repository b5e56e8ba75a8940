"""Errors that the framework finds are answered in words that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from leadpact.runtime.problems import install_problem_handlers
from leadpact.runtime.storable import NO_NUL


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime
    note: Annotated[str, Field(pattern=NO_NUL)] = ""


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app, router = FastAPI(), APIRouter(prefix="/v1")
    install_problem_handlers(app)

    @router.get("/reports/{report_id}")
    async def show(report_id: UUID) -> None:
        """One report."""

    @router.put("/reports/{report_id}")
    async def put(report_id: UUID, report: Report) -> None:
        """Keep a report."""

    app.include_router(router)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://leadpact") as client:
        yield client


REPORT = "/v1/reports/00000000-0000-0000-0000-000000000000"


async def test_an_address_that_is_not_there_says_where_those_that_are_stand(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/report")
    assert answer.status_code == 404
    assert "/openapi.json" in answer.json()["detail"]


async def test_another_method_is_told_all_that_the_address_takes(http: httpx.AsyncClient) -> None:
    answer = await http.delete(REPORT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")
    assert answer.json()["detail"] == "This address does not take DELETE. It takes GET, PUT."


@pytest.mark.parametrize(
    ("sent", "pointer", "detail"),
    [
        ({}, "#/at", "is missing"),
        ({"at": "2026-03-03T09:00:00Z", "when": 1}, "#/when", "is no field that is known here"),
        ({"at": "2026-03-03T09:00:00"}, "#/at", "has no offset from UTC"),
        ({"at": "2026-03-03"}, "#/at", "has no offset from UTC"),
        ({"at": "yesterday"}, "#/at", "is no time"),
        ({"at": "2026-03-03T09:00:00Z", "note": "\0"}, "#/note", "holds the character U+0000"),
    ],
)
async def test_a_field_is_told_what_is_wrong_and_the_fix(
    http: httpx.AsyncClient, sent: dict[str, object], pointer: str, detail: str
) -> None:
    answer = await http.put(REPORT, json=sent)
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == (pointer, detail)
    assert fault["fix"]


async def test_a_body_that_is_no_json_says_where_it_stops_being_any(http: httpx.AsyncClient) -> None:
    answer = await http.put(REPORT, content='{"at": nine}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == (
        "#",
        "stops being JSON at character 8: Expecting value",
    )


async def test_an_id_that_is_none_is_not_repeated(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/reports/jo@globex.example")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == ("path:report_id", "is no UUID")
    assert "@" not in answer.text


async def test_a_body_that_is_no_object_says_how_one_is_sent(http: httpx.AsyncClient) -> None:
    answer = await http.put(REPORT, content="at=now", headers={"Content-Type": "text/plain"})
    assert "application/json" in answer.json()["errors"][0]["fix"]


@pytest.mark.parametrize("length", [900, 1_000, 100_000])
async def test_no_answer_repeats_much_of_what_was_sent(http: httpx.AsyncClient, length: int) -> None:
    """Thirty names of fields that nobody knows: each fault is told, with the beginning and the end of the name."""
    names = [f"{number}{'n' * length}{number}" for number in range(10, 40)]
    answer = await http.put(REPORT, json={"at": "2026-03-03T09:00:00Z", **dict.fromkeys(names, 1)})
    assert answer.status_code == 422
    faults = answer.json()["errors"]
    assert [(len(fault["pointer"]), fault["pointer"][:4], fault["pointer"][-2:]) for fault in faults] == [
        (900, f"#/{number}", str(number)) for number in range(10, 30)
    ]
    assert "n…n" in faults[0]["pointer"]


async def test_a_long_word_that_fits_is_repeated_whole(http: httpx.AsyncClient) -> None:
    answer = await http.put(REPORT, json={"at": "2026-03-03T09:00:00Z", "n" * 898: 1})
    assert answer.json()["errors"][0]["pointer"] == "#/" + "n" * 898
