"""Who gets one lead, or why nobody does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadpact.pact.model import Pact
from leadpact.pact.read import parse_pact
from leadpact_router.availability import Absence, Load, Rep
from leadpact_router.decide import Given, Kept, decide
from leadpact_router.floor import Floor
from leadpact_router.lead import Lead
from leadpact_router.route import route
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.leads import floor, lead, rep

TEMPLATE = """
pact: pools
calendars:
  berlin: {timezone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}}
sources: {website-demo: {kind: form, intent: demo_request}}
routing:
  pools:
    first: {members: [ana, ben, cem], calendar: berlin, daily_limit: 5, POLICY}
    second: {members: [dora], calendar: berlin}
  rules:
    - {name: owner, when: {account.owner: present}, to: account.owner}
    - {name: Austria, when: {country: AT, email: present}, to: second}
    - {name: Europe, when: {country: [DE, FR]}, to: first}
  fallback: second
"""
NIGHT = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
AWAY = (Absence(TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=1)),)


def pact(policy: str = "when_nobody: hold") -> Pact:
    return parse_pact(TEMPLATE.replace("POLICY", policy))


def ask(agreed: Pact, known: Floor, asked: Lead | None = None, **changes: Any) -> Given | Kept:
    facts = (asked or lead()).condition_facts()
    return decide(route(facts, agreed.routing), agreed.routing.pools, known, **changes)


def given(agreed: Pact, known: Floor, asked: Lead | None = None, **changes: Any) -> Given:
    found = ask(agreed, known, asked, **changes)
    assert isinstance(found, Given)
    return found


def kept(agreed: Pact, known: Floor, asked: Lead | None = None, **changes: Any) -> Kept:
    found = ask(agreed, known, asked, **changes)
    assert isinstance(found, Kept)
    return found


def team(**changes: Any) -> list[Rep]:
    """Everybody, in Berlin; ``changes`` by name."""
    return [rep(name, "Europe/Berlin", **changes.get(name, {})) for name in ("ana", "ben", "cem", "dora")]


def reasons(found: Given | Kept) -> dict[str, str]:
    """Why each candidate was passed over."""
    return {
        one["rep"]: one["because"]
        for pool in found.explanation["pools"]
        for one in pool["candidates"]
        if one["outcome"] == "passed over"
    }


def test_the_first_rule_that_holds_decides_and_all_tried_are_shown_with_what_they_saw() -> None:
    agreed = pact()
    found = given(agreed, floor(agreed, *team()))
    assert (found.rep.id, found.pool, found.rule) == ("ana", "first", "Europe")
    assert [(entry["rule"], entry["holds"]) for entry in found.explanation["rules"]] == [
        ("owner", False),
        ("Austria", False),
        ("Europe", True),
    ]
    assert found.explanation["rules"][1]["seen"] == [
        {"field": "country", "expected": "AT", "found": "DE", "holds": False},
        {"field": "email", "expected": "present", "found": "present", "holds": True},
    ]


def test_why_the_two_sides_agreed_on_a_rule_is_shown_where_it_was_tried() -> None:
    agreed = parse_pact(
        TEMPLATE.replace("POLICY", "").replace("to: second}", "to: second, because: Vienna knows Austria}")
    )
    found = given(agreed, floor(agreed, *team()))
    assert [entry.get("because") for entry in found.explanation["rules"]] == [
        None,
        "Vienna knows Austria",
        None,
    ]


def test_what_no_rule_speaks_of_goes_to_the_fallback() -> None:
    agreed = pact()
    found = given(agreed, floor(agreed, *team()), lead(draft={"country": "US"}))
    assert (found.rep.id, found.rule) == ("dora", "fallback")
    assert found.explanation["rules"][-1] == {"rule": "fallback", "to": "second", "holds": True, "seen": []}


def test_the_explanation_is_json_and_holds_no_address_of_the_lead() -> None:
    agreed = pact()
    asked = lead(draft={"email": "jo@globex.example", "phone": "+49301", "country": "AT"})
    text = json.dumps(given(agreed, floor(agreed, *team()), asked).explanation)
    assert "globex" not in text
    assert "+49301" not in text


def test_the_candidates_are_shown_in_the_order_of_their_turns() -> None:
    agreed = pact()
    known = floor(agreed, *team(), served={("first", "ana"): 1.0, ("first", "cem"): 0.5})
    candidates = given(agreed, known).explanation["pools"][0]["candidates"]
    assert candidates == [
        {"rep": "ben", "outcome": "chosen", "because": "next in turn, 0.50 of a turn owed"},
        {"rep": "cem", "outcome": "waits", "because": "number 2 in turn, exactly at their share"},
        {"rep": "ana", "outcome": "waits", "because": "number 3 in turn, 0.50 of a turn ahead"},
    ]


def test_whoever_is_at_work_goes_before_whoever_is_not() -> None:
    agreed = pact()
    early = [rep("ana", "America/New_York"), rep("ben", "Europe/Berlin"), rep("cem", "Europe/Berlin")]
    found = given(agreed, floor(agreed, *early))
    assert found.rep.id == "ben"
    assert reasons(found) == {"ana": "at work only from Tue 2026-03-03 09:00 (America/New_York)"}


def test_at_night_a_lead_goes_to_whoever_opens_first() -> None:
    agreed = pact()
    early = [rep("ana", "Europe/Lisbon"), rep("ben", "Europe/Berlin"), rep("cem", "Europe/Helsinki")]
    found = given(agreed, floor(agreed, *early, now=NIGHT))
    assert found.rep.id == "cem"
    assert set(reasons(found)) == {"ana", "ben"}


def test_a_pool_that_is_always_available_asks_nobodys_hours() -> None:
    agreed = pact("availability: always")
    early = [rep("ana", "America/New_York"), rep("ben", "Europe/Berlin"), rep("cem", "Europe/Berlin")]
    assert given(agreed, floor(agreed, *early)).rep.id == "ana"


def test_each_member_passed_over_has_one_reason() -> None:
    agreed = pact()
    known = floor(
        agreed,
        *team(ana={"active": False}, ben={"absences": AWAY}),
        loads={"cem": Load(5, 5)},
    )
    found = kept(agreed, known)
    assert reasons(found) == {
        "ana": "inactive",
        "ben": "away until Wed 2026-03-04 10:00 (Europe/Berlin)",
        "cem": "at the daily limit: 5 of 5 today",
    }
    assert found.reason == "nobody in first can take it now: 1 inactive, 1 away, 1 at the daily limit"
    assert (found.pool, found.is_hopeless) == ("first", False)


def test_waiting_is_hopeless_when_everybody_had_it_or_left() -> None:
    agreed = pact()
    known = floor(agreed, *team(cem={"active": False}))
    assert kept(agreed, known, excluded={"ana", "ben"}).is_hopeless is True
    assert (
        kept(agreed, floor(agreed, *team(cem={"absences": AWAY})), excluded={"ana", "ben"}).is_hopeless
        is False
    )


def test_when_nobody_can_the_pool_is_widened() -> None:
    agreed = pact("when_nobody: {widen: second}")
    found = given(agreed, floor(agreed, *team()), excluded={"ana", "ben", "cem"})
    assert (found.rep.id, found.pool, found.rule) == ("dora", "second", "Europe")
    assert found.explanation["pools"][0]["then"] == "widened to second"
    assert [pool["pool"] for pool in found.explanation["pools"]] == ["first", "second"]
    nobody = kept(agreed, floor(agreed, *team()), excluded={"ana", "ben", "cem", "dora"})
    assert nobody.reason == "nobody in first or second can take it now: 4 had it before"


def test_when_nobody_can_the_overflow_person_takes_it_whatever_their_hours_and_limits() -> None:
    agreed = pact("when_nobody: {overflow: dora}")
    busy = floor(
        agreed,
        *team(**{name: {"absences": AWAY} for name in ("ana", "ben", "cem", "dora")}),
        loads={"dora": Load(99, 99)},
    )
    found = given(agreed, busy)
    assert (found.rep.id, found.pool, dict(found.served)) == ("dora", None, {})
    again = kept(agreed, busy, excluded={"dora"})
    assert again.explanation["pools"][0]["then"] == "overflow to dora: not possible"


def test_the_owner_of_the_account_gets_it_outside_the_turns() -> None:
    agreed = pact()
    owned = lead()
    facts = {**owned.condition_facts(), "account.owner": "cem"}
    answer = route(facts, agreed.routing)
    found = decide(answer, agreed.routing.pools, floor(agreed, *team()), account_owner="CEM@acme.example")
    assert isinstance(found, Given)
    assert (found.rep.id, found.pool, found.rule) == ("cem", None, "owner")


@pytest.mark.parametrize(
    ("owner", "changes", "excluded", "passed_by"),
    [
        ("zoe", {}, (), "zoe: nobody of that name is on the roster"),
        ("cem", {"cem": {"active": False}}, (), "cem: inactive"),
        ("cem", {}, ("cem",), "cem: had this lead before"),
    ],
)
def test_an_owner_who_cannot_take_it_is_passed_by_and_the_next_rule_decides(
    owner: str, changes: dict[str, Any], excluded: tuple[str, ...], passed_by: str
) -> None:
    agreed = pact()
    answer = route({**lead().condition_facts(), "account.owner": owner}, agreed.routing)
    found = decide(
        answer,
        agreed.routing.pools,
        floor(agreed, *team(**changes)),
        account_owner=owner,
        excluded=excluded,
    )
    assert isinstance(found, Given)
    assert (found.rep.id, found.rule) == ("ana", "Europe")
    assert found.explanation["rules"][0]["passed_by"] == passed_by
    assert "passed_by" not in answer.tried[0]


def test_a_new_lead_stands_behind_those_who_wait_for_the_same_pool() -> None:
    agreed = pact()
    found = kept(agreed, floor(agreed, *team()), waiting={"first": TUESDAY_MORNING})
    assert (found.pool, found.reason, found.is_hopeless) == ("first", "older leads wait for first", False)
    assert found.explanation["pools"] == [
        {
            "pool": "first",
            "candidates": [],
            "line_since": "2026-03-03T09:00:00+00:00",
            "then": "joined its line, in which somebody waits since Tue 2026-03-03 09:00 (UTC)",
        }
    ]
    assert given(agreed, floor(agreed, *team()), waiting={"second": TUESDAY_MORNING}).rep.id == "ana"


def test_the_same_question_has_the_same_answer_and_asking_changes_nothing() -> None:
    agreed = pact()
    known = floor(agreed, *team())
    first, second = given(agreed, known), given(agreed, known)
    assert first == second
    assert not known.changed_loads
    assert not known.changed_turns
