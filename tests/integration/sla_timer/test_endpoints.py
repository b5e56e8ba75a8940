"""People see which clocks are due, which were breached, whose they are, and what one of them is about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.dialects import postgresql

from leadpact.ids import new_id
from leadpact.runtime.problems import install_problem_handlers
from leadpact_sla_timer.endpoints import create_routers
from leadpact_sla_timer.read_clocks import Filter, page_query
from leadpact_sla_timer.sla_clock import ClockState
from tests.integration.sla_timer.conftest import Timer
from tests.support.assignments import PACT, accepted, assigned, attempted, contacted, facts, reassigned
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


async def test_a_clock_of_attempts_tells_how_many_count_so_far(timer: Timer, api: httpx.AsyncClient) -> None:
    version = await timer.apply_pact(PACT.replace("first_touch_within: 2", "attempts: 3 within 2"))
    lead = assigned(pact_version=version)
    await timer.hear(
        lead, attempted(lead, TUESDAY_MORNING + MINUTE), attempted(lead, TUESDAY_MORNING + 2 * MINUTE)
    )
    shown = (await api.get(f"/v1/clocks/{(await timer.only_clock()).id}")).json()
    assert "So far 2 of 3 attempts count, by call." in shown["explanation"]


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
        "whose=everybody",
        "policy=%00",
        "released_at_pace=perhaps",
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


async def test_a_promise_that_nobody_knows_is_refused_with_the_nearest(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    await timer.hear(assigned())
    await timer.apply_pact(PACT.replace("first-touch:", "touch-first:"))

    answer = await api.get("/v1/clocks?policy=tuch-first")
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["fix"]) == ("query:policy", "did you mean touch-first?")
    assert (await api.get("/v1/clocks?policy=touch-first")).json()["items"] == []
    # Some clock still runs by a pact that had it.
    assert (await api.get("/v1/clocks?policy=first-touch&state=breached")).json()["items"] == []


async def test_a_character_that_cannot_be_stored_is_named_in_plain_words(api: httpx.AsyncClient) -> None:
    for query in ("rep=a%00", "policy=a%00"):
        [fault] = (await api.get(f"/v1/clocks?{query}")).json()["errors"]
        assert fault["detail"] == "holds the character U+0000"


SIDES = (
    PACT.replace(
        "sources: {", "sources: {fair: {kind: event_scan, ends: 2026-03-02T18:00 UTC, release: 60 per hour}, "
    )
    + """
  customers-wait:
    starts: received
    first_touch_within: 1 business day
"""
)


async def test_clocks_can_be_asked_for_by_whose_they_are_by_promise_and_by_how_they_came(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    version = await timer.apply_pact(SIDES)
    scanned = facts(source="fair", source_kind="event_scan", intent="event_visit")
    ana, fair = assigned(pact_version=version), assigned(pact_version=version, lead=scanned)
    await timer.hear(ana, fair)

    async def found(**params: str) -> set[tuple[str, str]]:
        items = (await api.get("/v1/clocks", params=params)).json()["items"]
        return {(clock["lead_id"], clock["policy"]) for clock in items}

    own = (str(ana.lead_id), "first-touch")
    waits, bulk = (str(ana.lead_id), "customers-wait"), (str(fair.lead_id), "customers-wait")
    assert await found() == {own, waits, bulk}
    assert await found(whose="owner") == await found(policy="first-touch") == {own}
    assert await found(whose="customer") == {waits, bulk}
    assert await found(whose="team") == await found(whose="owner", policy="customers-wait") == set()
    assert await found(released_at_pace="true") == await found(state="waiting") == {bulk}
    assert await found(released_at_pace="false", state="running") == {own, waits}
    assert await found(policy="customers-wait", lead=str(ana.lead_id)) == {waits}


async def test_pages_of_a_filter_hold_each_of_its_clocks_once_with_what_is_left(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    version = await timer.apply_pact(SIDES)
    await timer.hear(*[assigned(pact_version=version) for _ in range(5)])
    timer.clock.set(TUESDAY_MORNING + 30 * MINUTE)

    seen: list[dict[str, Any]] = []
    url = "/v1/clocks?state=running&whose=customer&limit=2"
    while url:
        page = await api.get(url)
        seen += page.json()["items"]
        url = page.links["next"]["url"] if "next" in page.links else ""

    assert len(seen) == len({clock["id"] for clock in seen}) == 5
    assert {(clock["whose"], clock["seconds_left"]) for clock in seen} == {("customer", 7.5 * 3600)}


async def test_pages_of_clocks_in_any_state_hold_each_once_the_latest_due_first(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    leads = [assigned(TUESDAY_MORNING + number * MINUTE) for number in range(9)]
    await timer.hear(*leads, *[contacted(lead, lead.occurred_at + MINUTE) for lead in leads[::3]])
    timer.clock.set(DUE + 4 * MINUTE)
    await timer.sweep()

    seen: list[dict[str, Any]] = []
    url = "/v1/clocks?whose=owner&limit=2"
    while url:
        page = await api.get(url)
        seen += page.json()["items"]
        url = page.links["next"]["url"] if "next" in page.links else ""

    assert [clock["lead_id"] for clock in seen] == [str(lead.lead_id) for lead in reversed(leads)]
    assert {clock["state"] for clock in seen} == {"met", "breached", "running"}


@pytest.mark.parametrize("last", [None, (DUE, new_id())], ids=["first", "later"])
@pytest.mark.parametrize(
    "wanted", [Filter(), Filter(state=ClockState.MET), Filter(whose="owner"), Filter(rep_id="ana")], ids=str
)
async def test_a_page_is_read_from_indexes_however_many_clocks_there_are(
    timer: Timer, wanted: Filter, last: tuple[datetime, UUID] | None
) -> None:
    await timer.hear(assigned())
    await timer.multiply(20_000)
    query = page_query(wanted, 51, last).compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this constructor untyped
        compile_kwargs={"literal_binds": True},
    )
    async with timer.database.engine.connect() as connection:
        explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query}")
        plan = "\n".join(line for (line,) in explained)
    assert "Seq Scan on sla_clock" not in plan
    read = [int(rows) for rows in re.findall(r"Scan .*on sla_clock .*actual rows=(\d+)", plan)]
    assert read
    assert sum(read) <= 51 * len(ClockState), plan


LUNCH = PACT.replace(
    "  round:",
    '  lunch: {timezone: Europe/Berlin, hours: {mon-fri: "09:00-12:00, 13:00-17:00"}}\n  round:',
)


async def _requests(api: httpx.AsyncClient, lead_id: object) -> list[dict[str, Any]]:
    answer = await api.get("/v1/clocks/requests", params={"lead": str(lead_id)})
    assert answer.status_code == 200
    return list(answer.json()["items"])


def _utc(day: int, time: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02}T{time}").replace(tzinfo=UTC)


# Berlin is an hour ahead; its team has lunch from 12 to 13. The owner keeps 9 to 17 in UTC, without lunch.
@pytest.mark.parametrize(
    ("received_at", "qualified_at", "assigned_at", "touched_at", "customer", "team", "owner"),
    [
        # Over lunch: Tuesday 11:30, 12:30 and 12:45 in Berlin, until 13:30. Of the two hours one was lunch; the team was told in it.
        (
            _utc(3, "10:30"),
            _utc(3, "11:30"),
            _utc(3, "11:45"),
            _utc(3, "12:30"),
            (120, 60),
            (60, 30),
            (45, 45),
        ),
        # Over night: Tuesday 16:00, given at 20:00, until Wednesday 08:30 in Berlin, when nobody works yet.
        (
            _utc(3, "15:00"),
            _utc(3, "15:00"),
            _utc(3, "19:00"),
            _utc(4, "07:30"),
            (990, 60),
            (990, 60),
            (750, 0),
        ),
        # Over the weekend: Friday 11:30, 12:30 and 16:30 in Berlin, until Monday 10:15.
        (
            _utc(6, "10:30"),
            _utc(6, "11:30"),
            _utc(6, "15:30"),
            _utc(9, "09:15"),
            (4245, 30 + 240 + 75),
            (4185, 240 + 75),
            (3945, 90 + 15),
        ),
    ],
    ids=["lunch", "night", "weekend"],
)
async def test_a_request_is_measured_from_three_sides_in_wall_time_and_in_business_time(
    timer: Timer,
    api: httpx.AsyncClient,
    received_at: datetime,
    qualified_at: datetime,
    assigned_at: datetime,
    touched_at: datetime,
    customer: tuple[int, int],
    team: tuple[int, int],
    owner: tuple[int, int],
) -> None:
    version = await timer.apply_pact(LUNCH)
    lead = assigned(
        assigned_at,
        lead=facts(received_at=received_at, qualified_at=qualified_at),
        pact_version=version,
        pool_calendar="lunch",
        rep_calendar="utc",
        rep_timezone="Europe/Berlin",
    )
    await timer.hear(lead, accepted(lead, assigned_at + SECOND), contacted(lead, touched_at))

    (request,) = await _requests(api, lead.lead_id)
    waits = request["waits"]
    assert (waits["touched_at"], waits["touched_by"]) == (f"{touched_at:%Y-%m-%dT%H:%M:%SZ}", "ana")
    measured = {
        side: (waits[f"{side}_seconds"] / 60, waits[f"{side}_business_seconds"] / 60)
        for side in ("customer", "team", "owner")
    }
    assert measured == {"customer": customer, "team": team, "owner": owner}


async def test_the_owner_is_measured_from_when_the_one_who_called_was_given_the_lead(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    first = assigned()
    second = reassigned(TUESDAY_MORNING + HOUR, first)
    await timer.hear(first, second)
    assert [request["waits"] for request in await _requests(api, first.lead_id)] == [None]

    await timer.hear(contacted(second, TUESDAY_MORNING + 90 * MINUTE))
    ((waits),) = [request["waits"] for request in await _requests(api, first.lead_id)]
    assert (waits["touched_by"], waits["owner_seconds"], waits["customer_seconds"]) == ("ben", 1800, 5400)


async def test_each_time_that_somebody_asks_is_a_request_and_the_latest_comes_first(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    first = assigned()
    await timer.hear(first, contacted(first, TUESDAY_MORNING + MINUTE))
    again = facts(first.lead_id, received_at=TUESDAY_MORNING + 2 * HOUR)
    await timer.hear(assigned(TUESDAY_MORNING + 2 * HOUR, lead=again))

    later, earlier = await _requests(api, first.lead_id)
    assert (later["received_at"], later["waits"]) == ("2026-03-03T11:00:00Z", None)
    assert earlier["waits"]["customer_seconds"] == 60
    assert await _requests(api, new_id()) == []
    assert (await api.get("/v1/clocks/requests")).status_code == 422


async def test_what_another_version_would_change_is_listed_and_done_page_by_page(
    timer: Timer, api: httpx.AsyncClient
) -> None:
    await timer.hear(*[assigned(rep_timezone="Europe/London") for _ in range(3)])
    version = await timer.apply_pact(PACT.replace("2 business hours", "4 business hours"))
    asked = {"pact_version": version, "limit": 2}

    first = (await api.get("/v1/clocks/recompute", params=asked)).json()
    last = (await api.get("/v1/clocks/recompute", params={**asked, "after": first["next"]})).json()
    moves = first["items"] + last["items"]
    assert [move["later_by_seconds"] for move in moves] == [7200] * 3
    assert {(move["state"], move["whose"], move["timezone"]) for move in moves} == {
        ("running", "owner", "UTC")
    }
    assert last["next"] is None

    done = (await api.post("/v1/clocks/recompute", json=asked)).json()
    assert done["items"] == first["items"]
    after = {**asked, "after": done["next"]}
    assert (await api.post("/v1/clocks/recompute", json=after)).json()["items"] == last["items"]
    assert (await api.get("/v1/clocks/recompute", params=asked)).json() == {"items": [], "next": None}

    clock = (await api.get(f"/v1/clocks/{moves[0]['clock_id']}")).json()
    assert clock["second_timezone"] == "Europe/London"
    assert clock["moves"] == [
        {
            "moved_at": "2026-03-03T09:00:00Z",
            "moved_by": "test",
            "pact_version_before": 1,
            "pact_version": version,
            "target_before": "2 business hours",
            "target": "4 business hours",
            "due_before": "2026-03-03T11:00:00Z",
            "due_at": "2026-03-03T13:00:00Z",
        }
    ]


async def test_a_version_that_was_never_applied_moves_nothing(api: httpx.AsyncClient) -> None:
    asked = {"pact_version": 9}
    assert (await api.get("/v1/clocks/recompute", params=asked)).status_code == 404
    assert (await api.post("/v1/clocks/recompute", json=asked)).status_code == 404
