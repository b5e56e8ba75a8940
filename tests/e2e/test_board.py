"""The board in a real browser: it signs in, watches a lead arrive and be taken away, and lets sales answer.

Needs Chromium (Debian: ``apt-get install chromium``); ``LEADPACT_TEST_CHROMIUM`` names another one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from pydantic import SecretStr

from leadpact.access.scopes import Scope
from leadpact.access.tokens import create_token
from leadpact.cli.assemble import SERVICES, Foundation, create_app, make_parts
from leadpact.runtime.service import http_loop, listen, run_loops
from leadpact.runtime.settings import Settings
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact_router.roster import put_reps
from tests.conftest import Database
from tests.support.eventually import eventually
from tests.support.fake_clock import FakeClock
from tests.support.routing import PACT, REPS
from tests.support.webhook_receiver import ReceiverZoo

CHROMIUM = os.environ.get("LEADPACT_TEST_CHROMIUM") or shutil.which("chromium")
PATIENCE_MS = 15_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"
    ),
]
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Running:
    """All three services on a port, with the time in the test's hands."""

    address: str
    token: str
    clock: FakeClock
    api: httpx.AsyncClient

    async def post_form(self, email: str, name: str, **answers: str) -> None:
        """Somebody asks for a demo."""
        said = {"email": email, "full_name": name, "company": "Globex", "country": "DE", **answers}
        answer = await self.api.post("/v1/forms/website-demo", json=said)
        assert answer.status_code == 202, answer.text


@asynccontextmanager
async def leadpact_running(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    settings = Settings(database_url=SecretStr(database.url), webhook_allow_private=True, drain_seconds=5)
    foundation = Foundation(database.engine, database.url, None)
    shared = await make_parts(foundation, settings, clock=clock)
    async with shared.parts.uow("test").transaction() as tx:
        token = await create_token(tx, name="Mia", scopes=[Scope.ADMIN], now=shared.real_time.now())
    services = [build(shared.parts) for build in SERVICES.values()]
    stop, ready = asyncio.Event(), asyncio.Event()
    listener = listen("127.0.0.1", 0)
    app = create_app(shared.parts, services, real_time=shared.real_time)
    server = http_loop(app, listener, on_ready=ready.set)
    loops = [*shared.loops, *(loop for service in services for loop in service.loops), server]
    running = asyncio.create_task(run_loops(loops, stop, drain_seconds=settings.drain_seconds))
    await ready.wait()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=address, headers=headers) as api:
            yield Running(address, token, clock, api)
    finally:
        stop.set()
        await running
        for service in services:
            for close in service.on_stop:
                await close()
        listener.close()


async def agree(uow: UnitOfWork, running: Running) -> None:
    """A pact and people."""
    assert (await running.api.post("/v1/pact", content=PACT)).status_code == 201
    async with uow.transaction() as tx:
        await put_reps(tx, REPS, running.clock.now())


@pytest.fixture
async def running(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    async with leadpact_running(database, clock) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@dataclass(frozen=True)
class Visitor:
    """A signed-in browser and what went wrong in it."""

    page: Page
    faults: list[str]


async def sign_in(context: BrowserContext, running: Running) -> Visitor:
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await page.goto(f"{running.address}/")
    await expect(page).to_have_url(f"{running.address}/sign-in?next=/")
    await page.get_by_label("Access token").fill(running.token)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("not yet reached")).to_be_visible()
    return Visitor(page, faults)


async def test_a_lead_appears_by_itself_and_is_seen_to_be_taken_away(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork]
) -> None:
    visitor = await sign_in(await browser.new_context(timezone_id="Asia/Kolkata", locale="en-GB"), running)
    page = visitor.page
    await expect(page.get_by_text("No lead has come in yet")).to_be_visible()
    await agree(uow_for("test"), running)
    await running.post_form("kathe@globex.example", "Käthe Müller")

    clocks = page.get_by_role("region", name="Clocks")
    row = clocks.get_by_role("row").filter(has_text="Käthe Müller")
    await expect(row).to_contain_text("2 h left")
    due = row.locator("time")
    await expect(due).to_have_text("16:30")
    assert await due.get_attribute("title") == "Tue 3 Mar 2026, 11:00:00 UTC"
    first = await owner(page, "Käthe Müller")
    await expect(page.get_by_text("No lead has come in yet")).to_have_count(0)

    running.clock.advance(timedelta(hours=2, seconds=1))
    missed = page.get_by_role("region", name="Missed and passed on")
    await expect(missed).to_contain_text(f"missed by {first} → now ")
    assert await owner(page, "Käthe Müller") != first
    assert visitor.faults == []


async def test_sales_answers_from_the_leads_page(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork]
) -> None:
    await agree(uow_for("test"), running)
    visitor = await sign_in(await browser.new_context(), running)
    page = visitor.page
    await running.post_form("kathe@globex.example", "Käthe Müller")
    await page.get_by_role("region", name="Clocks").get_by_role("link", name="Käthe Müller").click()
    await expect(page.get_by_role("heading", name="Käthe Müller")).to_be_visible()
    await expect(page.get_by_role("region", name="Why it is where it is")).to_contain_text("is next in dach")

    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    await page.get_by_role("button", name="Reached the person").click()
    happened = page.get_by_role("region", name="What happened")
    await expect(happened).to_contain_text("reached the person: call")

    await page.get_by_label("Reason").select_option("bad_data")
    await page.get_by_role("button", name="Give back").click()
    await expect(page.get_by_role("alert")).to_contain_text("asks for a note")
    await page.get_by_label("Reason").select_option("bad_data")
    await page.get_by_label("Note").fill("the number belongs to a zoo")
    await page.get_by_role("button", name="Give back").click()
    await expect(happened).to_contain_text("“the number belongs to a zoo”")
    assert [fault for fault in visitor.faults if "422" not in fault] == []


async def test_a_delivery_is_looked_into_and_sent_again(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork]
) -> None:
    await agree(uow_for("test"), running)
    async with ReceiverZoo.running() as zoo:
        await running.api.post("/v1/webhook-endpoints", json={"url": zoo.url("/text")})
        await running.post_form("kathe@globex.example", "Käthe Müller")
        visitor = await sign_in(await browser.new_context(), running)
        page = visitor.page
        delivery = page.get_by_role("region", name="Deliveries").get_by_role("link", name="lead.assigned")
        await delivery.click()
        await expect(page.get_by_role("region", name="Attempts")).to_contain_text("thanks, Käthe")
        await page.get_by_role("button", name="Send again").click()
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while len(zoo.received) < 2:
                zoo.visited.clear()
                await zoo.visited.wait()
    assert len({one.headers["webhook-id"] for one in zoo.received}) == 1
    assert visitor.faults == []


async def test_a_delivery_that_waits_for_its_next_attempt_is_sent_now(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork]
) -> None:
    await agree(uow_for("test"), running)
    async with ReceiverZoo.running() as zoo:
        await running.api.post("/v1/webhook-endpoints", json={"url": zoo.url("/500")})
        await running.post_form("kathe@globex.example", "Käthe Müller")
        page = (await sign_in(await browser.new_context(), running)).page
        delivery = page.get_by_role("region", name="Deliveries").get_by_role("link", name="lead.assigned")
        await delivery.click()
        attempts = page.get_by_role("region", name="Attempts")
        await expect(attempts).to_contain_text("500")
        await page.get_by_role("button", name="Send now").click()
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while len(zoo.received) < 2:
                zoo.visited.clear()
                await zoo.visited.wait()
    assert len({one.headers["webhook-id"] for one in zoo.received}) == 1


async def test_everything_can_be_read_and_done_without_javascript(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork]
) -> None:
    await agree(uow_for("test"), running)
    await running.post_form("kathe@globex.example", "Käthe Müller")
    await eventually(lambda: has_clock(running))
    page = (await sign_in(await browser.new_context(java_script_enabled=False), running)).page
    row = page.get_by_role("region", name="Clocks").get_by_role("row").filter(has_text="Käthe Müller")
    await expect(row).to_contain_text("11:00 UTC")
    await row.get_by_role("link").click()
    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("region", name="What happened")).to_contain_text("took it on")
    await page.get_by_role("link", name="Leads").click()
    await page.get_by_label("Look for").fill("globex")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("link", name="Käthe Müller")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_needs_sideways_scrolling_on_a_phone(
    running: Running, browser: Browser, uow_for: Callable[[str], UnitOfWork], scheme: Literal["light", "dark"]
) -> None:
    await agree(uow_for("test"), running)
    long_name = "Maximiliane-Anastasia von und zu Hohenschwangau-Wittelsbach"
    await running.post_form("kathe@globex.example", long_name, message="donaudampfschifffahrt" * 20)
    await running.api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/" + "path" * 50})
    await eventually(lambda: has_clock(running))
    context = await browser.new_context(viewport={"width": 375, "height": 812}, color_scheme=scheme)
    page = (await sign_in(context, running)).page
    lead = (await running.api.get("/v1/leads")).json()["items"][0]["id"]
    for path in ("/", "/leads", f"/leads/{lead}", "/deliveries", "/pact"):
        await page.goto(running.address + path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 375, path


async def test_who_signs_out_sees_nothing_any_more(running: Running, browser: Browser) -> None:
    page = (await sign_in(await browser.new_context(), running)).page
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Access token")).to_be_visible()
    await page.goto(f"{running.address}/leads")
    await expect(page.get_by_label("Access token")).to_be_visible()
    answer = await page.request.get(f"{running.address}/board/stream")
    assert answer.status == 401


async def owner(page: Page, name: str) -> str:
    """Whose clock runs on the lead, once one does."""
    row = page.get_by_role("region", name="Clocks").get_by_role("row").filter(has_text=name)
    return (await row.locator("[data-label=On]").inner_text()).strip()


async def has_clock(running: Running) -> bool:
    leads = (await running.api.get("/v1/leads")).json()["items"]
    return bool(leads and leads[0]["due_at"])
