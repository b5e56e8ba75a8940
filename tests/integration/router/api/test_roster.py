"""Reps, absences and accounts come in one by one or as a list, and a list is taken whole or not at all."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from leadpact.events import RepReturned
from leadpact_router.release_held import FLOOR_CHANGED
from tests.integration.router.api.conftest import Service
from tests.support.routing import captured

REPS = """\
id,name,email,timezone,calendar,max_open,active
emil,Emil Wagner,emil@acme.example,Europe/Berlin,,40,true
ana,Ana Berger,ana.berger@acme.example,Europe/Berlin,utc,,yes
"""


async def csv(service: Service, path: str, text: str | bytes) -> httpx.Response:
    return await service.http.post(path, content=text, headers={"content-type": "text/csv"})


async def test_a_list_of_reps_adds_new_ones_and_updates_known_ones(service: Service) -> None:
    answer = await csv(service, "/v1/reps/import", REPS)
    assert answer.json() == {"imported": 2}
    reps = {one["id"]: one for one in (await service.get("/v1/reps"))["items"]}
    assert set(reps) == {"ana", "ben", "cem", "dora", "emil"}
    assert (reps["emil"]["open_limit"], reps["emil"]["timezone"]) == (40, "Europe/Berlin")
    assert (reps["ana"]["name"], reps["ana"]["open_limit"]) == ("Ana Berger", None)


@pytest.mark.parametrize("text", [REPS.replace(",", ";"), REPS.replace(",", "\t"), "\ufeff" + REPS])
async def test_the_separator_and_the_mark_of_an_office_program_do_not_matter(
    service: Service, text: str
) -> None:
    assert (await csv(service, "/v1/reps/import", text)).json() == {"imported": 2}


ACCOUNTS = "name,domain\nAcme,acme.example\n"


@pytest.mark.parametrize(("path", "text"), [("/v1/reps/import", REPS), ("/v1/accounts/import", ACCOUNTS)])
async def test_a_list_may_be_the_file_of_a_form(service: Service, path: str, text: str) -> None:
    whole = await csv(service, path, text)

    answer = await service.http.post(
        path, data={"note": "as exported"}, files={"file": ("Liste.csv", text.encode("utf-8-sig"))}
    )

    assert (answer.status_code, answer.json()) == (200, whole.json())


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"files": {"file": (None, REPS)}}, "no-file"),
        ({"files": {"a": ("a.csv", REPS), "b": ("b.csv", REPS)}}, "malformed-form"),
        ({"content": REPS, "headers": {"content-type": "multipart/form-data"}}, "malformed-form"),
        ({"content": REPS, "headers": {"content-type": "multipart/form-data; boundary=x"}}, "malformed-form"),
        ({"files": {"file": ("a.csv", b"\xff\xfe")}}, "not-utf-8"),
    ],
)
async def test_a_form_without_one_readable_file_is_refused_as_that(
    service: Service, form: dict[str, Any], kind: str
) -> None:
    answer = await service.http.post("/v1/reps/import", **form)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, kind)


async def test_every_mistake_is_named_with_its_line_and_nothing_is_taken(service: Service) -> None:
    broken = REPS.replace("Europe/Berlin,utc", "Europe/Berln,utc").replace("emil@acme.example", "emil")
    answer = await csv(service, "/v1/reps/import", broken)
    assert answer.status_code == 422
    places = [fault["pointer"] for fault in answer.json()["errors"]]
    assert places == ["line 2, email", "line 3, timezone"]
    assert "emil" not in {one["id"] for one in (await service.get("/v1/reps"))["items"]}


async def test_cells_that_cannot_be_read_hide_no_other_mistake(service: Service) -> None:
    answer = await csv(
        service,
        "/v1/reps/import",
        "id,name,email,timezone,open_limit\nx,X,x@a.example,UTC,many\ny,Y,nope,UTC,,more\nx,Z,z@a.example,UTC,1\n",
    )
    places = {fault["pointer"] for fault in answer.json()["errors"]}
    assert places == {"line 2, open_limit", "line 3", "line 3, email", "line 4, id"}

    answer = await csv(
        service, "/v1/accounts/import", "name,domain,employees\nX,x.example,many\n,nowhere,1\n"
    )
    places = {fault["pointer"] for fault in answer.json()["errors"]}
    assert places == {"line 2, employees", "line 3, name", "line 3, domain"}


@pytest.mark.parametrize("address", ["jo@globex.example", "a b.globex.example", "globex,example.com"])
async def test_what_is_no_host_name_is_no_companys_domain(service: Service, address: str) -> None:
    answer = await service.http.put(f"/v1/accounts/{address}", json={"name": "Globex"})
    assert answer.status_code == 422
    assert (await service.get("/v1/accounts"))["items"] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the column id is missing"),
        ("id,name,email,timezone\n", "nothing below"),
        ("id,name,email,timezon\nx,X,x@a.example,UTC", "did you mean timezone?"),
        ("id,id,name,email,timezone\nx,x,X,x@a.example,UTC", "twice"),
        ("id,name,email,timezone\nx,X,x@a.example,UTC,more", "5 cells below 4 columns"),
        ("id,name,email,timezone,max_open\nx,X,x@a.example,UTC,many", "'many' is no whole number"),
        ("id,name,email,timezone,active\nx,X,x@a.example,UTC,maybe", "neither yes nor no"),
        ('id,name,email,timezone\nx,"X,x@a.example,UTC', "no CSV"),
        ("id,name,email,timezone\nx," + "X" * 501 + ",x@a.example,UTC", "501 characters"),
    ],
)
async def test_a_list_that_cannot_be_read_says_why(service: Service, text: str, says: str) -> None:
    answer = await csv(service, "/v1/reps/import", text)
    assert answer.status_code == 422
    assert says in answer.text


async def test_a_file_that_is_no_text_is_refused(service: Service) -> None:
    assert (await csv(service, "/v1/reps/import", b"id,name\xff")).status_code == 400
    assert (await csv(service, "/v1/reps/import", b"id\x00")).status_code == 400
    assert (await csv(service, "/v1/reps/import", b"x" * 10_000_001)).status_code == 413


async def test_a_rep_is_put_by_id_and_shows_what_is_on_their_desk(service: Service) -> None:
    lead = await service.assigned()
    rep = await service.get(f"/v1/reps/{lead['owner']}")
    assert rep["open_leads"] == 1
    changed = await service.http.put(
        f"/v1/reps/{lead['owner']}",
        json={"name": rep["name"], "email": rep["email"], "timezone": "Europe/Berlin", "active": False},
    )
    assert changed.json()["active"] is False
    assert (await service.http.get("/v1/reps/nobody")).status_code == 404


async def test_a_single_reps_mistake_is_named_by_its_field(service: Service) -> None:
    answer = await service.http.put(
        "/v1/reps/emil", json={"name": "Emil", "email": "emil@acme.example", "timezone": "Europe/Berln"}
    )
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/timezone"]
    answer = await service.http.put("/v1/accounts/localhost", json={"name": "Here"})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/domain"]


async def test_a_calendar_that_the_pact_does_not_have_is_refused_with_the_nearest(service: Service) -> None:
    rows = (
        "emil,Emil,emil@a.example,UTC,utc\nfay,Fay,fay@a.example,UTC,rund\ngil,Gil,gil@a.example,UTC,night\n"
    )
    answer = await csv(service, "/v1/reps/import", "id,name,email,timezone,calendar\n" + rows)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "line 3, calendar",
            "detail": "'rund' is no calendar of the pact in force",
            "fix": "did you mean round?",
        },
        {
            "pointer": "line 4, calendar",
            "detail": "'night' is no calendar of the pact in force",
            "fix": "use round or utc, or leave it empty",
        },
    ]
    emil = {"name": "Emil", "email": "emil@a.example", "timezone": "UTC"}
    answer = await service.http.put("/v1/reps/emil", json={**emil, "calendar": "rund"})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/calendar"]
    answer = await csv(
        service, "/v1/reps/import", "id,name,email,timezone,calendar,open_limit\n,E,e@a.example,UTC,rund,many"
    )
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {
        "line 2, open_limit",
        "line 2, id",
        "line 2, calendar",
    }
    assert {one["id"] for one in (await service.get("/v1/reps"))["items"]} == {"ana", "ben", "cem", "dora"}


async def test_before_the_first_pact_a_rep_may_have_any_calendar(service: Service) -> None:
    async with service.router.uow.transaction() as tx:
        await tx.connection.exec_driver_sql("DELETE FROM pact_version")
    answer = await csv(
        service, "/v1/reps/import", "id,name,email,timezone,calendar\nfay,Fay,fay@a.example,UTC,rund\n"
    )
    assert answer.json() == {"imported": 1}


@pytest.mark.parametrize(
    ("country", "fix"),
    [
        ("UK", "did you mean GB?"),
        ("de", "did you mean DE?"),
        ("DEU", "did you mean DE?"),
        ("Narnia", "use the country's two letters, such as DE"),
    ],
)
async def test_a_country_that_there_is_not_is_refused_with_the_nearest(
    service: Service, country: str, fix: str
) -> None:
    text = f"name,domain,country\nAcme,acme.example,DE\nGlobex,globex.example,{country}\n"
    answer = await csv(service, "/v1/accounts/import", text)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "line 3, country", "detail": f"{country!r} is no country code", "fix": fix}
    ]
    assert (await service.get("/v1/accounts"))["items"] == []


async def test_where_anybody_has_a_mailbox_there_is_no_company(service: Service) -> None:
    answer = await csv(
        service,
        "/v1/accounts/import",
        "name,domain\nAcme,acme.example\nMail,Gmail.com\nMail,https://mail.yahoo.co.uk/\n",
    )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": f"line {line}, domain",
            "detail": f"anybody can have a mailbox at {domain}, so it tells no company",
            "fix": "use the company's own domain, or leave the account out",
        }
        for line, domain in ((3, "gmail.com"), (4, "yahoo.co.uk"))
    ]
    answer = await service.http.put("/v1/accounts/gmx.de", json={"name": "GMX"})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/domain"]
    assert (await service.get("/v1/accounts"))["items"] == []


async def test_another_reps_address_is_a_conflict(service: Service) -> None:
    answer = await service.http.put(
        "/v1/reps/emil", json={"name": "Emil", "email": "ana@acme.example", "timezone": "UTC"}
    )
    assert answer.status_code == 409
    assert "already belongs to the rep ana" in answer.json()["detail"]


async def test_who_is_away_gets_nothing_until_the_absence_is_taken_back(service: Service) -> None:
    ids = []
    for rep in ("ana", "ben", "cem"):
        answer = await service.http.post(
            f"/v1/reps/{rep}/absences",
            json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
        )
        assert answer.status_code == 201
        ids.append(answer.json()["id"])
    lead = await service.assigned()
    assert lead["stage"] == "held"
    assert "3 away" in lead["why"] or "away" in lead["why"]
    assert (await service.get("/v1/reps/ben"))["away_until"] == "2026-04-01T00:00:00Z"
    assert (await service.get("/v1/reps/ben/absences"))["items"][0]["id"] == ids[1]

    assert (await service.http.delete(f"/v1/absences/{ids[1]}")).status_code == 204
    await service.router.release()
    assert await service.router.owner_of("kathe@globex.example") == "ben"
    assert (await service.http.delete(f"/v1/absences/{ids[1]}")).status_code == 404


async def test_who_was_taken_offline_is_shown_so_and_returns_when_asked(service: Service) -> None:
    """And leads that wait for them are looked at again at once."""
    await service.assigned("jo@globex.example", draft={"country": "FR"})
    await service.router.hear(await service.router.breach("jo@globex.example", take_offline=True))
    await service.assigned("kim@globex.example", draft={"country": "FR"})
    dora = await service.get("/v1/reps/dora")
    assert (dora["offline_since"], dora["offline_because"]) == (
        "2026-03-03T09:00:00Z",
        "first-touch was breached",
    )
    woken = service.router.wake.sleeper([FLOOR_CHANGED])
    for _ in range(2):
        answer = await service.http.post("/v1/reps/dora/return")
        assert answer.status_code == 200
        assert (answer.json()["offline_since"], answer.json()["offline_because"]) == (None, None)
    assert len(await service.router.said(RepReturned)) == 1
    assert woken.is_poked
    await service.router.release()
    assert await service.router.owner_of("kim@globex.example") == "dora"
    assert (await service.http.post("/v1/reps/nobody/return")).status_code == 404


async def test_an_absence_that_ends_before_it_starts_is_refused(service: Service) -> None:
    backwards = {"starts_at": "2026-04-01T00:00:00Z", "ends_at": "2026-03-01T00:00:00Z"}
    assert (await service.http.post("/v1/reps/ana/absences", json=backwards)).status_code == 422
    unknown = {"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"}
    assert (await service.http.post("/v1/reps/nobody/absences", json=unknown)).status_code == 404


async def test_a_list_of_accounts_is_kept_by_registrable_domain(service: Service) -> None:
    text = "name,website,country,employees,tier,owner\nGlobex,https://www.globex.example/de,DE,900,A,dora\n"
    answer = await csv(service, "/v1/accounts/import", text)
    assert answer.json() == {"imported": 1, "not_on_the_roster": []}
    [account] = (await service.get("/v1/accounts"))["items"]
    assert (account["domain"], account["employees"], account["owner"]) == ("globex.example", 900, "dora")
    await service.router.hear(captured("kathe@globex.example", draft={"domain": "globex.example"}))
    assert await service.router.owner_of("kathe@globex.example") == "dora"
    broken = await csv(service, "/v1/accounts/import", "name,domain\nGlobex,\n")
    assert broken.json()["errors"][0]["pointer"] == "line 2, domain"


async def test_owners_whom_nobody_has_imported_are_named_and_their_accounts_kept(service: Service) -> None:
    owners = ("zoe", "ana", "Ben@acme.example", "yan@acme.example", "", "zoe")
    rows = "".join(f"A{number},a{number}.example,{owner}\n" for number, owner in enumerate(owners))
    answer = await csv(service, "/v1/accounts/import", "name,domain,owner\n" + rows)
    assert answer.status_code == 200
    assert answer.json() == {"imported": 6, "not_on_the_roster": ["yan@acme.example", "zoe"]}
    [kept] = (await service.get("/v1/accounts", domain="a0.example"))["items"]
    assert kept["owner"] == "zoe"


async def test_an_account_is_found_by_whatever_address_of_its_website_was_listed(service: Service) -> None:
    """What a lead may state, an account list may hold: both are read the same way."""
    for number, website in enumerate(
        ("https://www.a{}.example?x=1", "https://u:p@a{}.example/", "a{}.example#about", "//a{}.example/x")
    ):
        written = website.format(number)
        answer = await csv(service, "/v1/accounts/import", f"name,website\nA,{written}\n")
        assert answer.status_code == 200, written
    found = [one["domain"] for one in (await service.get("/v1/accounts"))["items"]]
    assert found == ["a0.example", "a1.example", "a2.example", "a3.example"]


async def test_an_account_is_put_by_domain_and_lists_are_paged(service: Service) -> None:
    for name in ("a", "b", "c"):
        answer = await service.http.put(f"/v1/accounts/shop.{name}corp.example", json={"name": name})
        assert answer.json()["domain"] == f"{name}corp.example"
    first = await service.http.get("/v1/accounts?limit=2")
    second = await service.http.get(first.links["next"]["url"])
    domains = [one["domain"] for page in (first, second) for one in page.json()["items"]]
    assert domains == ["acorp.example", "bcorp.example", "ccorp.example"]
    assert second.json()["next"] is None
    assert (await service.get("/v1/accounts", domain="bcorp.example"))["items"][0]["name"] == "b"


async def test_reps_are_paged_too(service: Service) -> None:
    first = await service.http.get("/v1/reps?limit=3")
    second = await service.http.get(first.links["next"]["url"])
    assert [one["id"] for page in (first, second) for one in page.json()["items"]] == [
        "ana",
        "ben",
        "cem",
        "dora",
    ]


async def test_unknown_things_are_not_found(service: Service) -> None:
    assert (await service.http.get("/v1/reps/nobody/absences")).status_code == 404
    assert (await service.http.delete(f"/v1/absences/{uuid4()}")).status_code == 404
