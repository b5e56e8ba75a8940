"""Who may do what: tokens, scopes, browsers and requests from other people's pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from leadpact.access.endpoints import create_access_router
from leadpact.access.gatekeeper import COOKIE, DatabaseGatekeeper
from leadpact.access.scopes import Scope, require
from leadpact.access.tokens import SESSION_LASTS, create_token
from leadpact.runtime.problems import install_problem_handlers
from leadpact.storage.unit_of_work import UnitOfWork
from tests.conftest import Database
from tests.support.fake_clock import FakeClock


@pytest.fixture
def uow(uow_for: Callable[[str], UnitOfWork]) -> UnitOfWork:
    return uow_for("access")


@pytest.fixture
async def http(uow: UnitOfWork, clock: FakeClock) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.state.gatekeeper = DatabaseGatekeeper(uow, clock)
    app.include_router(create_access_router(uow, clock))

    @app.get("/readable", dependencies=[require(Scope.READ)])
    @app.post("/readable", dependencies=[require(Scope.READ)])
    async def readable() -> str:
        return "seen"

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://pact.example") as client:
        yield client


async def a_token(uow: UnitOfWork, clock: FakeClock, *scopes: Scope, lasts: timedelta | None = None) -> str:
    async with uow.transaction() as tx:
        expires_at = clock.now() + lasts if lasts else None
        return await create_token(tx, name="t", scopes=scopes, now=clock.now(), expires_at=expires_at)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_request_without_a_token_is_told_which_scope_is_missing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/readable")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="leadpact", scope="read"'
    assert "read" in answer.json()["detail"]


async def test_a_token_opens_what_its_scopes_say_and_nothing_else(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    reader, worker = await a_token(uow, clock, Scope.READ), await a_token(uow, clock, Scope.WORK)
    assert (await http.get("/readable", headers=bearer(reader))).status_code == 200
    refused = await http.get("/readable", headers=bearer(worker))
    assert refused.status_code == 403
    assert "read" in refused.json()["detail"]
    assert "work" in refused.json()["detail"]


async def test_admin_may_do_everything(http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock) -> None:
    admin = await a_token(uow, clock, Scope.ADMIN)
    assert (await http.get("/readable", headers=bearer(admin))).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token.replace("lp_", "xx_"),
        lambda token: token.rsplit("_", 1)[0],
        lambda token: token + "_more",
        lambda _: "lp_0123456789ab_short",
        lambda _: "",
        lambda _: "é" * 50,
    ],
)
async def test_a_spoilt_token_is_refused(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock, spoil: Callable[[str], str]
) -> None:
    token = await a_token(uow, clock, Scope.READ)
    headers = httpx.Headers({"Authorization": f"Bearer {spoil(token)}"}, encoding="utf-8")
    assert (await http.get("/readable", headers=headers)).status_code == 401


async def test_a_token_ends_at_its_expiry(http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock) -> None:
    token = await a_token(uow, clock, Scope.READ, lasts=timedelta(hours=1))
    clock.advance(timedelta(minutes=59))
    assert (await http.get("/readable", headers=bearer(token))).status_code == 200
    clock.advance(timedelta(minutes=1))
    assert (await http.get("/readable", headers=bearer(token))).status_code == 401


async def test_tokens_are_made_listed_and_revoked_over_http_and_shown_once(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    admin = bearer(await a_token(uow, clock, Scope.ADMIN))
    made = await http.post("/v1/tokens", json={"name": "crm", "scopes": ["read"]}, headers=admin)
    assert made.status_code == 201
    token = made.json()["token"]
    assert (await http.get("/readable", headers=bearer(token))).status_code == 200

    listed = await http.get("/v1/tokens", headers=admin)
    crm = next(item for item in listed.json()["items"] if item["name"] == "crm")
    assert crm["last_used_at"] is not None
    assert token.split("_")[2] not in listed.text

    assert (await http.delete(f"/v1/tokens/{crm['id']}", headers=admin)).status_code == 204
    assert (await http.get("/readable", headers=bearer(token))).status_code == 401
    assert (await http.delete("/v1/tokens/nothing", headers=admin)).status_code == 404


async def test_a_name_or_an_id_that_cannot_be_stored_is_refused(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    admin = bearer(await a_token(uow, clock, Scope.ADMIN))
    answer = await http.post("/v1/tokens", json={"name": "CRM\0", "scopes": ["read"]}, headers=admin)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/name")
    assert "U+0000" in answer.json()["errors"][0]["detail"]
    assert (await http.delete("/v1/tokens/%00", headers=admin)).status_code == 422


async def test_only_a_hash_of_the_secret_is_stored(
    uow: UnitOfWork, clock: FakeClock, database: Database
) -> None:
    token = await a_token(uow, clock, Scope.READ)
    async with database.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM access_token"))).one()
    assert token.split("_")[2][:20] not in str(row)


async def test_an_unknown_scope_is_refused_by_name(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    admin = bearer(await a_token(uow, clock, Scope.ADMIN))
    answer = await http.post("/v1/tokens", json={"name": "x", "scopes": ["reed"]}, headers=admin)
    assert answer.status_code == 422
    assert "'reed'" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_that_is_too_long_is_not_read_to_its_end(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock, is_declared: bool
) -> None:
    admin = bearer(await a_token(uow, clock, Scope.ADMIN))
    parts = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal parts
        while parts < 1_000:
            parts += 1
            yield b" " * 100_000

    length = {"Content-Length": "100000000"} if is_declared else {}
    answer = await http.post(
        "/v1/tokens", content=body(), headers={**admin, **length, "Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["title"]) == (413, "Too large")
    assert "1,000,000 bytes" in answer.json()["detail"]
    assert parts == (0 if is_declared else 11)


async def sign_in(http: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    return await http.post(
        "/sign-in", data={"token": token, **fields}, headers={"Origin": "https://pact.example"}
    )


async def test_a_browser_is_sent_to_the_sign_in_page_and_back(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    sent = await http.get("/readable?page=2", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=/readable%3Fpage%3D2")
    page = await http.get(sent.headers["location"])
    assert 'value="/readable?page=2"' in page.text

    signed_in = await sign_in(http, await a_token(uow, clock, Scope.READ), next="/readable?page=2")

    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/readable?page=2")
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" in cookie
    assert (await http.get("/readable")).status_code == 200


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_signing_in_never_leads_to_another_host(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock, target: str
) -> None:
    signed_in = await sign_in(http, await a_token(uow, clock, Scope.READ), next=target)
    assert signed_in.headers["location"] == "/"


async def test_a_wrong_token_signs_nobody_in(http: httpx.AsyncClient) -> None:
    answer = await sign_in(http, "lp_nothing")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "unknown, expired or revoked" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://pact.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "https://pact.example"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_a_cookie_changes_something_only_from_our_own_pages(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock, headers: dict[str, str], status: int
) -> None:
    await sign_in(http, await a_token(uow, clock, Scope.READ))
    assert (await http.post("/readable", headers=headers)).status_code == status


async def test_a_session_ends_with_time_with_sign_out_and_with_its_token(
    http: httpx.AsyncClient, uow: UnitOfWork, clock: FakeClock
) -> None:
    admin = bearer(await a_token(uow, clock, Scope.ADMIN))
    token = await a_token(uow, clock, Scope.READ)

    await sign_in(http, token)
    await http.post("/sign-out", headers={"Origin": "https://pact.example"})
    assert (await http.get("/readable")).status_code == 401

    await sign_in(http, token)
    stolen = http.cookies[COOKIE]
    clock.advance(SESSION_LASTS)
    assert (await http.get("/readable")).status_code == 401

    await sign_in(http, token)
    assert http.cookies[COOKIE] != stolen
    await http.delete(f"/v1/tokens/{token.split('_')[1]}", headers=admin)
    assert (await http.get("/readable")).status_code == 401
