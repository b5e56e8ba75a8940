from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from leadpact.pact.model import Pact
from leadpact.pact.read import read_pact
from leadpact.pact.schema import pact_json_schema
from leadpact.pact.yaml_tree import read_yaml

ACME = Path(__file__).parents[3] / "examples" / "acme" / "pact.yaml"


@pytest.fixture(scope="module")
def acme() -> Pact:
    return read_pact(ACME)


def test_the_example_satisfies_the_schema() -> None:
    data = read_yaml(ACME.read_text(encoding="utf-8"), ACME.name).data
    jsonschema.Draft202012Validator(pact_json_schema()).validate(data)


def test_every_rep_of_the_example_takes_turns_somewhere(acme: Pact) -> None:
    reps = {member.rep for pool in acme.routing.pools.values() for member in pool.members}
    berlin, london = {"ana", "ben", "cem", "dora", "emil"}, {"fiona", "george", "harriet"}
    assert reps == berlin | london | {"ines", "jack", "kim", "luis"}


@pytest.mark.parametrize(
    ("facts", "goes_to"),
    [
        ({"country": "DE", "account.owner": "kim"}, "account.owner"),
        ({"country": "CH"}, "dach-ae"),
        ({"country": "GB"}, "emea-ae"),
        ({"country": "NO"}, "emea-ae"),
        ({"country": "US"}, "americas-ae"),
        ({"country": "JP"}, "triage"),
        ({}, "triage"),
    ],
)
def test_leads_of_the_example_go_where_the_comments_say(
    acme: Pact, facts: dict[str, object], goes_to: str
) -> None:
    first = next(rule for rule in acme.routing.rules if rule.when is None or rule.when.holds(facts))
    assert first.to == goes_to


@pytest.mark.parametrize(
    ("facts", "promises"),
    [
        ({"intent": "demo_request", "stage": "mql"}, ["demo-first-touch"]),
        ({"intent": "content_download", "stage": "mql"}, ["mql-first-touch"]),
        ({"intent": "content_download", "stage": "new"}, []),
    ],
)
def test_an_owner_of_the_example_can_lose_a_lead_by_one_promise_at_most(
    acme: Pact, facts: dict[str, object], promises: list[str]
) -> None:
    applying = [name for name, one in acme.sla.items() if one.applies is None or one.applies.holds(facts)]
    assert [name for name in applying if acme.sla[name].consequences.reassign] == promises


def test_the_example_shows_every_kind_of_promise_on_every_clock(acme: Pact) -> None:
    assert {promise.KIND for promise in acme.sla.values()} == {"first_touch", "attempts", "decide"}
    assert {promise.starts for promise in acme.sla.values()} == {"assigned", "qualified", "received"}


def test_a_demo_request_on_friday_afternoon_is_due_on_monday(acme: Pact) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    promise = acme.sla["demo-first-touch"]
    calendar = acme.calendars["berlin"].build()
    due_at = promise.target.due(datetime(2026, 11, 13, 15, 0, tzinfo=berlin), calendar)
    assert due_at == datetime(2026, 11, 16, 10, 0, tzinfo=berlin)
