"""People see which clocks are due, which were breached, whose they are, and what one of them is about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from leadpact.ids import new_id
from leadpact.runtime.problems import install_problem_handlers
from leadpact_sla_timer.endpoints import create_routers
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import assigned, contacted
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.gatekeeper import OpenGatekeeper

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DUE = TUESDAY_MORNING + 2 * HOUR


@pytest.fixture
async def api(timer: Timer) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.gatekeeper = OpenGatekeeper()
    install_problem_handlers(app)
    for router in create_routers(timer.uow, timer.book, timer.clock, timer.wake):
        app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://timer") as client:
        yield client


async def test_running_clocks_come_soonest_first_and_breached_ones_latest_first(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    for minutes in (3, 1, 2, 90, 80):
        await timer.hear(assigned(TUESDAY_MORNING + minutes * MINUTE, rep_id=f"rep{minutes}"))
    timer.clock.set(DUE + 30 * MINUTE)
    await timer.sweep()

    running = (await api.get("/v1/clocks", params={"state": "running"})).json()["items"]
    breached = (await api.get("/v1/clocks", params={"state": "breached"})).json()["items"]
    assert [clock["rep_id"] for clock in running] == ["rep80", "rep90"]
    assert [clock["rep_id"] for clock in breached] == ["rep3", "rep2", "rep1"]
    assert running[0]["due_at"] == "2026-03-03T12:20:00Z"


async def test_clocks_can_be_asked_for_by_rep_by_lead_and_by_due_time(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    ana, ben = assigned(), assigned(TUESDAY_MORNING + HOUR, rep_id="ben")
    await timer.hear(ana, ben)

    async def reps(**params: str) -> list[str]:
        return [clock["rep_id"] for clock in (await api.get("/v1/clocks", params=params)).json()["items"]]

    assert await reps(rep="ben") == ["ben"]
    assert await reps(lead=str(ana.lead_id)) == ["ana"]
    assert await reps(due_before=(DUE + SECOND).isoformat()) == ["ana"]
    assert await reps() == ["ben", "ana"]


@pytest.mark.parametrize("state", ["running", "breached"])
async def test_pages_are_linked_and_together_hold_every_clock_once(
    timer: Timer, api: httpx.AsyncClient, state: str
) -> None:
    # Many due at one instant: the cursor has to tell them apart by more than their time.
    await timer.hear(*[assigned(TUESDAY_MORNING + (number % 2) * SECOND) for number in range(7)])
    if state == "breached":
        timer.clock.set(DUE + HOUR)
        await timer.sweep()

    seen: list[str] = []
    url = f"/v1/clocks?state={state}&limit=3"
    while url:
        page = await api.get(url)
        seen += [clock["id"] for clock in page.json()["items"]]
        url = page.links["next"]["url"] if "next" in page.links else ""
        assert bool(url) == (page.json()["next"] is not None)

    assert len(seen) == 7
    assert set(seen) == {str(clock.id) for clock in await timer.clocks()}


async def test_one_clock_is_explained_with_what_is_left_of_it(timer: Timer, api: httpx.AsyncClient) -> None:
    await timer.hear(assigned(pool_calendar="berlin", rep_timezone="Europe/London"))
    timer.clock.set(TUESDAY_MORNING + 30 * MINUTE)

    clock = (await api.get(f"/v1/clocks/{(await timer.only_clock()).id}")).json()
    assert clock["seconds_left"] == 90 * 60
    assert clock["explanation"] == (
        "The owner's clock. Started when Ana, the first owner, was given the lead: Tue 03 Mar 2026 10:00 Europe/Berlin. "
        "The promise first-touch (pact version 1) allows 2 business hours, "
        "counted in the hours of the calendar berlin in Europe/Berlin. "
        "It is kept once the lead is contacted, and ends when the lead is given back, goes to somebody else or is closed. Automatic replies stop nothing. "
        "It is due Tue 03 Mar 2026 12:00 Europe/Berlin, which is Tue 03 Mar 2026 11:00 Europe/London. "
        "1 h 30 min of business time is left."
    )


async def test_a_void_breach_is_told_with_both_times(timer: Timer, api: httpx.AsyncClient) -> None:
    lead = assigned()
    await timer.hear(lead)
    timer.clock.set(DUE)
    await timer.sweep()
    await timer.hear(contacted(lead, DUE - MINUTE, recorded_at=DUE + HOUR))

    clock = (await api.get(f"/v1/clocks/{(await timer.only_clock()).id}")).json()
    assert (clock["state"], clock["was_breached"], clock["seconds_left"]) == ("met", True, None)
    assert clock["explanation"].endswith(
        "It was met: the lead was contacted Tue 03 Mar 2026 10:59 UTC, with 1 h 59 min of business time used. "
        "We heard of it Tue 03 Mar 2026 12:00 UTC; the breach announced Tue 03 Mar 2026 11:00 UTC is void."
    )


async def test_a_clock_that_there_is_not_is_a_problem(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/v1/clocks/{new_id()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "https://leadpact.example/problems/not-found")


@pytest.mark.parametrize(
    "query",
    [
        "after=nonsense",
        "after=%F0%9F%98%80",
        "after=MjAyNi0wMy0wM1QxMTowMDowMCAwMUEyMDA5Rg",
        "limit=0",
        "limit=201",
        "state=asleep",
        "lead=7",
        "rep=%00",
        "due_before=0001-01-01T00:00:00%2B14:00",
        "due_before=2026-03-03T10:00:00",
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    api: httpx.AsyncClient, query: str
) -> None:
    answer = await api.get(f"/v1/clocks?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"query:{query.partition('=')[0]}"
