"""The pact can be read, applied and looked back on; a mistake in it is shown where it stands."""

from __future__ import annotations

from tests.integration.router.api.conftest import Service
from tests.support.routing import PACT


async def test_the_pact_in_force_is_shown_as_it_was_applied(service: Service) -> None:
    shown = await service.get("/v1/pact")
    assert (shown["version"], shown["name"], shown["applied_by"]) == (1, "A pact about who gets what", "test")
    assert shown["text"] == PACT
    assert shown["signatures"] is None


async def test_a_changed_pact_is_the_next_version_and_the_same_one_is_not(service: Service) -> None:
    other = PACT.replace("2 business hours", "3 business hours")
    applied = await service.http.post("/v1/pact", content=other)
    assert (applied.status_code, applied.json()["version"], applied.json()["changed"]) == (201, 2, True)
    again = await service.http.post("/v1/pact", content="# only a remark\n" + other)
    assert (again.status_code, again.json()["version"], again.json()["changed"]) == (200, 2, False)
    versions = (await service.get("/v1/pact/versions"))["items"]
    assert [one["version"] for one in versions] == [2, 1]
    assert (await service.get("/v1/pact/versions/1"))["text"] == PACT
    assert (await service.http.get("/v1/pact/versions/3")).status_code == 404


async def test_who_applies_a_pact_is_told_whom_it_names_that_nobody_has_imported(service: Service) -> None:
    known = await service.http.post("/v1/pact", files={"file": ("pact.yaml", PACT)})
    assert known.json()["not_on_the_roster"] == []
    strangers = PACT.replace(
        "members: [dora]", "members: [DORA@acme.example, zoe], when_nobody: {overflow: yan}"
    )
    assert strangers != PACT
    applied = await service.http.post("/v1/pact", content=strangers)
    assert applied.json()["not_on_the_roster"] == ["yan", "zoe"]


async def test_a_pact_with_mistakes_is_refused_with_their_lines_and_changes_nothing(service: Service) -> None:
    answer = await service.http.post("/v1/pact", content=PACT.replace("to: dach}", "to: dahc}"))
    assert answer.status_code == 422
    line = PACT[: PACT.index("to: dach}")].count("\n") + 1
    [fault] = answer.json()["errors"]
    assert f":{line}:" in fault["pointer"]
    assert fault["fix"] == "did you mean 'dach'?"
    assert (await service.get("/v1/pact"))["version"] == 1


async def test_what_is_no_text_is_no_pact(service: Service) -> None:
    assert (await service.http.post("/v1/pact", content=b"\xff\xfe")).status_code == 400
    assert (await service.http.post("/v1/pact", content=b"x" * 1_048_577)).status_code == 413
    assert (await service.http.post("/v1/pact", content=b"")).status_code == 422
