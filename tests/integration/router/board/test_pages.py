"""The board reads without scripts: what it shows, to whom, and what its forms do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request

from leadpact.access.scopes import Caller, Scope
from leadpact.events import (
    Event,
    LeadAccepted,
    LeadAttempted,
    LeadClosed,
    LeadContacted,
    LeadMeetingBooked,
    LeadPaused,
    LeadRejected,
    LeadResumed,
    RepReturned,
    SlaMet,
    SlaPaused,
    SlaStarted,
    SlaWarned,
)
from leadpact.ids import new_id
from leadpact.runtime.pages import cursor
from leadpact.runtime.problems import Problem
from tests.integration.router.api.conftest import Service
from tests.support.routing import PACT, PAUSING_PACT, REPS, captured, downloaded


class Text(HTMLParser):
    """The words of a page, in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def __str__(self) -> str:
        return " ".join(self.words)


async def words(service: Service, path: str) -> str:
    answer = await service.http.get(path)
    assert answer.status_code == 200, answer.text
    return str(Text(answer.text))


@pytest.fixture
def reader(service: Service) -> Iterator[None]:
    """Whoever asks may only read."""

    class OnlyReaders:
        async def admit(self, request: Request, scope: Scope) -> Caller:
            caller = Caller("reader", "a reader", frozenset({Scope.READ}))
            if not caller.may(scope):
                raise Problem(403, "missing-scope", f"This needs a token with the scope {scope!s}.")
            return caller

    app = cast(FastAPI, cast(httpx.ASGITransport, service.http._transport).app)
    before = app.state.gatekeeper
    app.state.gatekeeper = OnlyReaders()
    yield
    app.state.gatekeeper = before


async def start_clock(service: Service, email: str, *, due_in: timedelta, **changes: Any) -> SlaStarted:
    """The sla-timer says that a promise runs."""
    [lead] = (await service.get("/v1/leads", q=email))["items"]
    now = service.router.clock.now()
    said: dict[str, Any] = {
        "occurred_at": now,
        "clock_id": new_id(),
        "lead_id": lead["id"],
        "assignment_id": lead["assignment_id"],
        "policy": "first-touch",
        "rep_id": lead["owner"],
        "due_at": now + due_in,
        "started_at": now,
        "target": "2 business hours",
        "pact_version": 1,
    }
    started = SlaStarted(**{**said, **changes})
    await service.router.hear(started)
    return started


def about(clock: SlaStarted) -> dict[str, Any]:
    """What every event of the clock says."""
    return clock.model_dump(
        include={"clock_id", "lead_id", "assignment_id", "policy", "rep_id", "due_at", "whose"}
    ) | {"occurred_at": clock.occurred_at}


NOBODYS = {"assignment_id": None, "rep_id": None}


async def test_an_empty_board_says_how_to_begin(service: Service) -> None:
    board = await words(service, "/")
    assert "No lead has come in yet" in board
    assert "http://router/v1/forms/website-demo" in board


async def test_the_board_shows_each_lead_with_its_owner_and_why(service: Service) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller"})
    await service.router.hear(downloaded("kim@globex.example"))
    board = await words(service, "/")
    assert (
        f"Käthe Müller Globex DE website-demo 0 cold ◑ assigned {lead['owner_name']} {lead['why']}" in board
    )
    assert "Not ready for sales yet all kim@globex.example Globex whitepaper" in board


async def test_clocks_stand_in_the_order_of_the_time_left(service: Service) -> None:
    for email, minutes in (("late@a.example", 90), ("soon@a.example", 30), ("over@a.example", -5)):
        await service.router.hear(captured(email))
        await start_clock(service, email, due_in=timedelta(minutes=minutes))
    board = await words(service, "/board/now")
    section = board[board.index("Clocks") : board.index("Leads for sales")]
    assert re.findall(r"(\S+ min \w+|\S+ h \S+ min \w+) .*?(\w+)@a\.example", section) == [
        ("5 min over", "over"),
        ("30 min left", "soon"),
        ("1 h 30 min left", "late"),
    ]


async def test_a_missed_promise_is_shown_with_who_has_the_lead_now(service: Service) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller"})
    service.router.clock.advance(timedelta(hours=3))
    await service.router.hear(await service.router.breach("kathe@globex.example"))
    owner = str(await service.router.owner_of("kathe@globex.example")).title()
    assert f"▲ missed by {lead['owner_name']} → now {owner}" in await words(service, "/")


async def test_a_clock_says_whose_it_is_and_a_paused_one_stands_behind_those_that_run(
    service: Service,
) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller"})
    email = "kathe@globex.example"
    await start_clock(service, email, due_in=timedelta(hours=2))
    await start_clock(service, email, due_in=timedelta(hours=3), whose="team", policy="team-time", **NOBODYS)
    paused = await start_clock(
        service, email, due_in=timedelta(hours=1), whose="customer", policy="wait", **NOBODYS
    )
    await service.router.hear(SlaPaused(**about(paused), because="waiting_for_customer"))
    board = await words(service, "/board/now")
    section = board[board.index("Clocks") : board.index("Leads for sales")]
    rows = re.findall(
        r"(2 h left|3 h left|–) .*?Käthe Müller Globex (.*?) 2 business hours (\S+ \w+)", section
    )
    assert rows == [
        ("2 h left", f"{lead['owner_name']} first-touch", "● running"),
        ("3 h left", "the team team-time", "● running"),
        ("–", "the customer’s wait wait", "‖ paused"),
    ]
    assert "‖ paused waiting for customer" in section
    page = await words(service, f"/leads/{lead['id']}")
    assert "the customer’s wait, no time passes: waiting for customer" in page
    [clock] = [
        one for one in (await service.get(f"/v1/leads/{lead['id']}"))["clocks"] if one["whose"] == "customer"
    ]
    assert (clock["rep_id"], clock["assignment_id"], clock["state"]) == (None, None, "paused")


async def test_what_the_team_missed_is_shown_without_a_name(service: Service) -> None:
    lead = await service.assigned(draft={"full_name": "Käthe Müller"})
    await service.router.hear(await service.router.shared_breach("kathe@globex.example", "customer"))
    board = await words(service, "/")
    assert "▲ missed the customer’s wait → escalated to boss@acme.example customer-clock" in board
    late = (await service.router.shared_breach("kathe@globex.example", "team")).model_copy()
    await service.router.hear(late)
    kept = {"met_at": late.due_at, "recorded_at": late.due_at, "business_seconds_used": 1}
    await service.router.hear(
        SlaMet(
            **late.model_dump(include={"clock_id", "lead_id", "policy", "due_at", "whose"}),
            **kept,
            occurred_at=late.due_at,
            was_breached=True,
        )
    )
    assert "✓ in time after all the team, the news came late" in await words(service, "/")
    page = await words(service, f"/leads/{lead['id']}")
    assert "the team's team-clock: kept, although the news came late" in page


async def test_a_leads_page_shows_how_far_it_was_warned(service: Service) -> None:
    lead = await service.assigned()
    clock = await start_clock(service, "kathe@globex.example", due_in=timedelta(hours=2))
    await service.router.hear(*(SlaWarned(**about(clock), percent=percent) for percent in (50, 80)))
    page = await words(service, f"/leads/{lead['id']}")
    assert "left warned up to 80 %" in page
    assert re.search(
        r"time is running out, 50 % of it is used .*time is running out, 80 % of it is used", page
    )
    [shown] = (await service.get(f"/v1/leads/{lead['id']}"))["clocks"]
    assert shown["warned_percent"] == 80


async def test_who_is_offline_is_shown_with_a_way_back(service: Service) -> None:
    assert "Offline" not in await words(service, "/")
    lead = await service.assigned()
    await service.router.hear(await service.router.breach("kathe@globex.example", take_offline=True))
    assert f"‖ offline {lead['owner_name']} 09:00 UTC first-touch was breached" in await words(service, "/")
    answer = await service.http.post(f"/reps/{lead['owner']}/return")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert [one.rep_id for one in await service.router.said(RepReturned)] == [lead["owner"]]
    assert "Offline" not in await words(service, "/")
    assert (await service.http.post("/reps/nobody/return")).status_code == 404


async def test_who_may_only_read_cannot_bring_anybody_back(service: Service, reader: None) -> None:
    await service.router.hear(captured("kathe@globex.example"))
    await service.router.hear(await service.router.breach("kathe@globex.example", take_offline=True))
    page = (await service.http.get("/")).text
    assert "Offline" in page
    assert "is back" not in page
    assert (await service.http.post("/reps/ana/return")).status_code == 403
    assert await service.router.said(RepReturned) == []


async def test_a_lead_that_was_given_back_tells_its_call_once(service: Service) -> None:
    lead = await service.assigned()
    email, called_at = "kathe@globex.example", service.router.clock.now()
    service.router.clock.advance(timedelta(hours=2))
    breach = await service.router.breach(email)
    await service.router.hear(breach)
    report = {"channel": "call", "occurred_at": called_at.isoformat()}
    reported = await service.http.post(f"/v1/assignments/{breach.assignment_id}/contact", json=report)
    assert reported.status_code == 200, reported.text
    times = {"met_at": called_at, "recorded_at": called_at, "business_seconds_used": 0}
    clock = breach.model_dump(include={"clock_id", "lead_id", "assignment_id", "policy", "rep_id", "due_at"})
    await service.router.hear(
        SlaMet(**clock, **times, occurred_at=called_at, was_breached=True, give_back=True)
    )
    page = await words(service, f"/leads/{lead['id']}")
    assert page.count(f"{lead['owner_name']} reached the person") == 1
    assert f"{lead['owner_name']} gets it back: first-touch was kept in time after all" in page


async def test_a_held_lead_and_an_escalated_one_wait_for_somebody(service: Service) -> None:
    await service.http.post(
        "/v1/reps/dora/absences",
        json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
    )
    await service.assigned("held@globex.example", draft={"country": "FR"})
    await service.assigned("up@globex.example")
    await service.router.hear(await service.router.breach("up@globex.example", at_most=0))
    board = await words(service, "/")
    section = board[board.index("Waiting for an owner or a decision") : board.index("Clocks")]
    assert "held@globex.example Globex ‖ waits for an owner" in section
    assert "up@globex.example Globex ▲ escalated to boss@acme.example" in section


async def test_of_many_that_wait_those_that_have_waited_longest_are_shown(service: Service) -> None:
    await service.http.post(
        "/v1/reps/dora/absences",
        json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
    )
    waiting = []
    for number in range(14):
        service.router.clock.advance(timedelta(minutes=1))
        if number % 3:
            await service.assigned(f"p{number:02}@held.example", draft={"country": "FR"})
            waiting.append(f"p{number:02}@held.example")
        else:
            await service.assigned(f"p{number:02}@up.example")
            await service.router.hear(await service.router.breach(f"p{number:02}@up.example", at_most=0))
            waiting.append(f"p{number:02}@up.example")
    board = await words(service, "/")
    section = board[board.index("Waiting for an owner or a decision") : board.index("Clocks")]
    assert re.findall(r"p\d\d@\w+\.example", section) == waiting[:12]


async def test_a_leads_page_explains_every_rule_and_every_candidate(service: Service) -> None:
    await service.http.post(
        "/v1/reps/ben/absences",
        json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
    )
    lead = await service.assigned(draft={"full_name": "Käthe Müller", "seniority": "vp"})
    page = await words(service, f"/leads/{lead['id']}")
    assert "✗ account owner first → account.owner account.owner: wanted present, saw" in page
    assert "✓ DACH → dach country: wanted one of DE, AT, CH, saw DE" in page
    assert f"{lead['owner']} chosen next in turn" in page
    assert re.search(r"ben passed over .*away", page)
    assert "+25 decides" in page
    assert "captured demo request through website-demo; a new person" in page


async def test_the_page_of_a_lead_that_waits_explains_every_rule_and_every_candidate(
    service: Service,
) -> None:
    for rep in ("ana", "ben", "cem"):
        await service.http.post(
            f"/v1/reps/{rep}/absences",
            json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
        )
    await service.assigned("jo@globex.example")
    lead = await service.assigned("kit@globex.example")
    page = await words(service, f"/leads/{lead['id']}")
    assert re.search(r"waits for an owner in the line of dach .* older leads wait for dach", page)
    assert "✓ DACH → dach country: wanted one of DE, AT, CH, saw DE" in page
    assert "joined its line, in which somebody waits since Tue 2026-03-03 09:00 (UTC)" in page
    await service.router.release()
    page = await words(service, f"/leads/{lead['id']}")
    assert "by now, since 09:00 UTC : nobody in dach can take it now: 3 away" in page
    assert re.search(r"ana passed over away .* ben passed over away .* cem passed over away", page)


async def test_the_wait_that_goes_on_comes_first_also_if_the_clock_was_set_back_before_it(
    service: Service,
) -> None:
    for rep in ("ana", "ben", "cem", "dora"):
        await service.http.post(
            f"/v1/reps/{rep}/absences",
            json={"starts_at": "2026-03-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"},
        )
    lead = await service.assigned("jo@globex.example")
    service.router.clock.advance(timedelta(hours=-1))
    await service.router.apply_pact(
        PACT.replace("{country: [DE, AT, CH]}, to: dach", "{country: [CH]}, to: dach")
    )
    await service.router.release()
    page = await words(service, f"/leads/{lead['id']}")
    assert re.search(
        r"waits for an owner in the line of rest .* waited for an owner in the line of dach", page
    )
    story = await service.get(f"/v1/leads/{lead['id']}")
    assert story["held_explanation"]["decision"] == story["held_reason"] == story["holds"][0]["reason"]


async def test_the_forms_on_a_leads_page_accept_reach_and_give_back(service: Service) -> None:
    lead = await service.assigned()
    form = {"assignment_id": lead["assignment_id"]}
    accepted = await service.http.post(f"/leads/{lead['id']}/accept", data=form)
    assert (accepted.status_code, accepted.headers["location"]) == (303, f"/leads/{lead['id']}")
    await service.http.post(f"/leads/{lead['id']}/contact", data={**form, "channel": "call"})
    await service.http.post(f"/leads/{lead['id']}/reject", data={**form, "reason": "not_now", "note": " "})
    assert len(await service.router.said(LeadAccepted)) == 1
    assert [one.channel for one in await service.router.said(LeadContacted)] == ["call"]
    [rejected] = await service.router.said(LeadRejected)
    assert (rejected.reason, rejected.note) == ("not_now", None)
    page = await words(service, f"/leads/{lead['id']}")
    assert "gave it back: not now, to be tried again later" in page
    assert "Reached the person" not in page


async def test_the_forms_on_a_leads_page_try_meet_pause_resume_and_close(service: Service) -> None:
    await service.router.apply_pact(PAUSING_PACT)
    lead = await service.assigned()
    path, form = f"/leads/{lead['id']}", {"assignment_id": lead["assignment_id"]}
    await service.http.post(f"{path}/attempt", data={**form, "channel": "email"})
    await service.http.post(f"{path}/meeting", data=form)
    unsaid = await service.http.post(f"{path}/pause", data={**form, "state": ""})
    assert unsaid.status_code == 422
    assert "Choose a state from the list." in unsaid.text
    assert "pause while…" in unsaid.text
    await service.http.post(f"{path}/pause", data={**form, "state": "on_holiday"})
    unknown = await service.http.post(f"{path}/pause", data={**form, "state": "nonsense"})
    assert "<button>Resume</button>" in unknown.text
    page = await words(service, path)
    assert "‖ on holiday since 09:00 UTC" in page
    assert "attempted Ana tried: email" in page
    assert "meeting booked Ana agreed on a meeting" in page
    assert "◑ assigned ‖ on holiday" in await words(service, "/leads")
    await service.http.post(f"{path}/resume", data=form)
    assert "on holiday since" not in await words(service, path)
    nothing = await service.http.post(f"{path}/close", data={"reason": " "})
    assert nothing.status_code == 422
    assert "Say in a few words why it is closed." in nothing.text
    closed = await service.http.post(f"{path}/close", data={"reason": "won"})
    assert (closed.status_code, closed.headers["location"]) == (303, path)
    events: tuple[type[Event], ...] = (
        LeadAttempted,
        LeadMeetingBooked,
        LeadPaused,
        LeadResumed,
        LeadClosed,
    )
    for event in events:
        assert len(await service.router.said(event)) == 1
    page = await words(service, path)
    assert "■ closed" in page
    assert "closed won, while Ana had it" in page
    too_late = await service.http.post(f"{path}/accept", data=form)
    assert "it is closed now" in too_late.text
    assert 'aria-label="What to do"' in nothing.text
    assert 'aria-label="What to do"' not in too_late.text


async def test_a_lead_that_nobody_has_can_be_closed_and_is_no_longer_not_ready(service: Service) -> None:
    await service.router.hear(downloaded("kim@globex.example"))
    [lead] = (await service.get("/v1/leads"))["items"]
    assert "Not ready for sales yet" in await words(service, "/")
    await service.http.post(f"/leads/{lead['id']}/close", data={"reason": "spam"})
    assert "Not ready for sales yet" not in await words(service, "/")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"reason": ""}, "Choose a reason from the list."),
        ({"reason": "bad_data"}, "the pact asks for a note"),
        ({"reason": "nonsense"}, "no rejection reason"),
    ],
)
async def test_what_is_refused_is_said_on_the_leads_own_page(
    service: Service, form: dict[str, str], says: str
) -> None:
    lead = await service.assigned()
    answer = await service.http.post(
        f"/leads/{lead['id']}/reject", data={"assignment_id": lead["assignment_id"], **form}
    )
    assert answer.status_code == 422
    assert says in answer.text
    assert "Give back" in answer.text
    assert await service.router.said(LeadRejected) == []


async def test_who_may_only_read_sees_no_buttons_and_cannot_press_them(
    service: Service, reader: None
) -> None:
    await service.router.hear(captured("kathe@globex.example"))
    lead = (await service.get("/v1/leads"))["items"][0]
    page = await service.http.get(f"/leads/{lead['id']}")
    assert "Accept" not in page.text
    answer = await service.http.post(
        f"/leads/{lead['id']}/accept", data={"assignment_id": lead["assignment_id"]}
    )
    assert answer.status_code == 403
    assert "scope work" in answer.text
    assert await service.router.said(LeadAccepted) == []


async def test_what_people_typed_is_shown_and_never_run(service: Service) -> None:
    lead = await service.assigned(
        draft={"full_name": "<script>alert(1)</script>", "company": '"><img src=x>', "message": "{{ 7*7 }}"}
    )
    for path in ("/", "/leads", f"/leads/{lead['id']}"):
        page = (await service.http.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page


async def test_a_page_may_load_nothing_from_elsewhere_and_stand_in_nobodys_frame(service: Service) -> None:
    answer = await service.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert all(address.startswith(("/", "#", "data:image")) for address in addresses)
    for address in addresses:
        if address.startswith("/board/static/"):
            assert (await service.http.get(address)).status_code == 200


async def test_leads_are_looked_for_and_paged_without_a_script(service: Service) -> None:
    await service.router.hear(*(captured(f"p{number}@globex.example") for number in range(55)))
    first = (await service.http.get("/leads?q=globex&stage=assigned")).text
    [older] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = (await service.http.get("/leads" + older.replace("&amp;", "&"))).text
    found = re.findall(r">(p\d+@globex)", first + second)
    assert len(found) == len(set(found)) == 55
    assert "No lead is like that" in (await service.http.get("/leads?q=initech")).text
    # A link may have been handed on with what a mailing appended to it.
    assert (await service.http.get("/leads?utm_source=mail")).status_code == 200


@pytest.mark.parametrize("asked", ["ana", "ANA", "Ana Berger", "ana berger", " berg", "BERGER "])
async def test_leads_are_found_by_their_owner_as_the_board_shows_them(service: Service, asked: str) -> None:
    await service.router.put_reps(replace(REPS[0], name="Ana Berger"), replace(REPS[1], name="Diana Roth"))
    await service.router.hear(*(captured(f"p{number}@globex.example") for number in range(6)))
    theirs = {lead["email"] for lead in (await service.get("/v1/leads", owner="ana"))["items"]}
    assert theirs
    page = (await service.http.get("/leads", params={"owner": asked})).text
    assert set(re.findall(r">(p\d@globex\.example)", page)) == theirs
    assert f'value="{asked}"' in page
    assert '<option value="Ana Berger">ana</option>' in page


async def test_a_part_of_a_name_finds_the_leads_of_all_who_have_it_on_every_page(service: Service) -> None:
    await service.router.put_reps(replace(REPS[0], name="Jo Berg"), replace(REPS[1], name="Kim Bergmann"))
    await service.router.hear(*(captured(f"p{number}@globex.example") for number in range(165)))
    theirs = [await ids_of(service, owner) for owner in ("ana", "ben")]
    assert all(theirs)
    found, path = [], "?owner=berg"
    while path:
        page = (await service.http.get("/leads" + path.replace("&amp;", "&"))).text
        found += re.findall(r'"/leads/([0-9a-f-]{36})"', page)
        [path] = re.findall(r'rel="next" href="([^"]+)"', page) or [""]
    assert len(found) > 50
    assert sorted(found) == sorted(theirs[0] + theirs[1])


async def ids_of(service: Service, owner: str) -> list[str]:
    """The leads that the API says a rep has."""
    return [lead["id"] for lead in (await service.get("/v1/leads", owner=owner, limit=200))["items"]]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/leads?stage=asigned", "stage: 'asigned' is no stage that anybody knows; did you mean assigned?"),
        ("/leads?stage=17", "use one of: new, mql, assigned, held"),
        ("/leads?owner=Anna", "owner: 'Anna' is no owner that anybody knows; did you mean Ana?"),
        ("/leads?owner=xxxx", "use one of: Ana, Ben, Cem, Dora"),
        ("/leads?source=websit-demo", "did you mean website-demo?"),
        ("/leads?q=%00", "q: holds the character U+0000; remove it"),
        ("/leads?owner=a%00", "owner: holds the character U+0000; remove it"),
        ("/leads?q=" + "x" * 201, "q: String should have at most 200 characters"),
        (
            "/deliveries?state=deliverd",
            "state: 'deliverd' is no state that anybody knows; did you mean delivered?",
        ),
        ("/deliveries?state=%00", "state: holds the character U+0000; remove it"),
    ],
)
async def test_a_filter_that_means_nothing_says_so_with_the_nearest_that_does(
    service: Service, path: str, says: str
) -> None:
    await service.assigned()
    answer = await service.http.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert says in str(Text(answer.text))
    assert 'href="/deliveries"' in answer.text, "it has the layout of the board"


async def test_a_form_with_an_assignment_that_is_none_says_so(service: Service) -> None:
    lead = await service.assigned()
    for form, says in (
        ({"assignment_id": "17"}, "assignment id: is no UUID; take the id as it was given"),
        ({}, "assignment id: is missing"),
    ):
        answer = await service.http.post(f"/leads/{lead['id']}/accept", data=form)
        assert answer.status_code == 422
        assert says in str(Text(answer.text))


async def test_what_is_not_there_is_said_on_a_page(service: Service) -> None:
    for path in (f"/leads/{uuid4()}", "/leads/17", f"/deliveries/{uuid4()}", "/board/static/../pages.py"):
        answer = await service.http.get(path)
        assert answer.status_code == 404
    assert (await service.http.get("/leads/17")).headers["content-type"].startswith("text/html")


async def test_a_browser_gets_a_page_for_an_address_that_is_not_there(service: Service) -> None:
    """One that is for forms only is none either: who reloads after a refusal has it in the address bar."""
    for path, status in (("/nothing", 404), (f"/leads/{uuid4()}/accept", 405)):
        answer = await service.http.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert "There is no such page" in answer.text
        assert 'href="/deliveries"' in answer.text, "it has the layout of the board"
        assert answer.headers.get("allow") == {404: None, 405: "POST"}[status]


async def test_programs_and_whoever_asks_the_api_get_a_problem_for_it(service: Service) -> None:
    for path, accept in (("/nothing", "*/*"), ("/nothing", "application/json"), ("/v1/nothing", "text/html")):
        answer = await service.http.get(path, headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_deliveries_are_shown_with_their_attempts_and_can_be_sent_again(service: Service) -> None:
    assert "No other system listens yet" in await words(service, "/deliveries")
    assert "curl -X POST http://router/v1/webhook-endpoints" in await words(service, "/deliveries")
    made = await service.http.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook"})
    sent = await service.http.post(f"/v1/webhook-endpoints/{made.json()['id']}/test")
    listed = await words(service, "/deliveries?state=pending")
    assert "webhook.test … pending" in listed
    assert "http://127.0.0.1:9/hook" in listed
    page = await words(service, f"/deliveries/{sent.json()['id']}")
    assert sent.json()["event_id"] in page
    sent_now = await service.http.post(f"/deliveries/{sent.json()['id']}/replay")
    assert (sent_now.status_code, sent_now.headers["location"]) == (303, f"/deliveries/{sent.json()['id']}")


@pytest.mark.parametrize("place", [2**63, -1, "x"])
async def test_a_list_that_cannot_be_continued_says_so_on_a_page(service: Service, place: object) -> None:
    for path in ("/deliveries", "/leads"):
        answer = await service.http.get(path, params={"after": cursor(place)})
        assert answer.status_code == 422
        assert "The page cannot be continued from there." in answer.text
        assert answer.headers["content-type"].startswith("text/html")


async def test_the_pact_in_force_can_be_read_on_its_page(service: Service) -> None:
    page = await words(service, "/pact")
    assert "A pact about who gets what Version 1 is in force." in page
    assert "demo_request" in page
