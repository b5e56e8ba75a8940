from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leadpact.pact.condition import FACTS, FACTS_AT_CAPTURE, FACTS_OF_AN_ASSIGNMENT, Condition, Seen

LEAD: dict[str, object] = {
    "intent": "demo_request",
    "source": "website-demo",
    "kind": "form",
    "email": "kim@drumbeat.example",
    "email_domain": "drumbeat.example",
    "free_mail": False,
    "phone": "+49301234567",
    "country": "DE",
    "company": "Drumbeat GmbH",
    "employees": 50,
    "job_title": "Head of Engineering",
    "products": ("crm", "mail"),
    "consent": None,
    "score": 64.5,
    "did": frozenset({"pricing_page", "webinar"}),
    "account.tier": "1",
}


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ({"country": "DE"}, True),
        ({"country": ["AT", "DE"]}, True),
        ({"country": ["AT", "CH"]}, False),
        ({"state": "BY"}, False),
        ({"company": "drumbeat gmbh"}, True),
        ({"company": "Drumbeat"}, False),
        ({"job_title": "contains engineer"}, True),
        ({"job_title": ["student", "contains head of"]}, True),
        ({"job_title": "contains intern"}, False),
        ({"account.tier": 1}, True),
        ({"employees": ">= 50"}, True),
        ({"employees": "> 50"}, False),
        ({"employees": "<50.5"}, True),
        ({"employees": "<= 49"}, False),
        ({"employees": 50}, True),
        ({"employees": "= 51"}, False),
        ({"engagement": ">= 0"}, False),
        ({"engagement": "< 1000"}, False),
        ({"did": ["demo", "webinar"]}, True),
        ({"did": "pricing_page"}, True),
        ({"did": ["demo"]}, False),
        ({"products": ["MAIL"]}, True),
        ({"email": "present"}, True),
        ({"email": "business"}, True),
        ({"email": "free_mail"}, False),
        ({"free_mail": False}, True),
        ({"consent": "absent"}, True),
        ({"consent": True}, False),
        ({"consent": False}, False),
        ({"account.owner": "present"}, False),
        ({"account.owner": "absent"}, True),
        ({"country": "DE", "employees": ">= 100"}, False),
        ({"country": "DE", "employees": ">= 10"}, True),
        ({"any": [{"country": "AT"}, {"employees": ">= 10"}]}, True),
        ({"all": [{"country": "AT"}, {"employees": ">= 10"}]}, False),
        ({"not": {"country": "AT"}}, True),
        ({"not": {"state": "BY"}}, True),
        ({"not": {"any": [{"country": "AT"}, {"employees": ">= 10"}]}}, False),
        ({"not": {"all": [{"country": "AT"}, {"employees": ">= 10"}]}}, True),
        ({"not": {"not": {"country": "DE"}}}, True),
        ({"country": "DE", "not": {"employees": ">= 200"}}, True),
    ],
)
def test_a_condition_holds_for_the_leads_it_describes(written: dict[str, Any], holds: bool) -> None:
    condition = Condition.parse(written)
    assert condition.holds(LEAD) is holds
    assert condition.evaluate(LEAD).holds is holds


@pytest.mark.parametrize(
    ("email", "free_mail", "words"),
    [
        ("kim@drumbeat.example", False, {"present", "business"}),
        ("kim@mail.example", True, {"present", "free_mail"}),
        (None, None, {"absent"}),
    ],
)
def test_an_address_is_free_mail_or_business_or_absent(
    email: str | None, free_mail: bool | None, words: set[str]
) -> None:
    facts = {"email": email, "free_mail": free_mail}
    for word in ("present", "absent", "business", "free_mail"):
        assert Condition.parse({"email": word}).holds(facts) is (word in words)
        assert Condition.parse({"not": {"email": word}}).holds(facts) is (word not in words)


def test_a_fact_that_is_missing_meets_no_test_but_absent() -> None:
    for written in (
        {"country": "DE"},
        {"employees": "< 10"},
        {"did": "webinar"},
        {"consent": False},
        {"job_title": "contains none"},
        {"phone": "present"},
    ):
        assert not Condition.parse(written).holds({})
    assert Condition.parse({"phone": "absent"}).holds({})


def test_a_verdict_shows_every_value_also_after_the_first_no() -> None:
    verdict = Condition.parse({"country": ["AT", "CH"], "employees": ">= 50"}).evaluate(LEAD)
    assert not verdict.holds
    assert verdict.seen == (
        Seen("country", "one of AT, CH", "DE", holds=False),
        Seen("employees", ">= 50", 50, holds=True),
    )


def test_under_not_each_value_says_whether_it_was_as_wanted() -> None:
    verdict = Condition.parse({"not": {"country": ["AT", "CH"], "did": "webinar"}}).evaluate(LEAD)
    assert verdict.holds
    assert verdict.seen == (
        Seen("country", "none of AT, CH", "DE", holds=True),
        Seen("did", "not webinar", ("pricing_page", "webinar"), holds=False),
    )


def test_an_explanation_never_holds_an_address_or_a_number_of_a_person() -> None:
    asked = Condition.parse({"email": "business", "phone": "present", "account.owner": "absent"})
    shown = str(asked.evaluate(LEAD))
    assert "kim@" not in shown
    assert "+4930" not in shown
    assert [seen.found for seen in asked.evaluate(LEAD).seen] == ["present", False, "present", "absent"]


def test_a_condition_reads_as_a_sentence() -> None:
    written = {"any": [{"intent": "demo_request"}, {"country": ["DE", "AT"], "not": {"score": "< 65"}}]}
    assert (
        str(Condition.parse(written))
        == "intent: demo_request or (country: one of DE, AT and score: not < 65)"
    )


def test_conditions_written_equally_are_equal() -> None:
    assert Condition.parse({"country": "DE"}) == Condition.parse({"country": "DE"})
    assert Condition.parse({"country": "DE"}) != Condition.parse({"country": "AT"})


@pytest.mark.parametrize(
    ("written", "place", "suggestion"),
    [
        ({"employes": ">= 50"}, ("employes",), "employees"),
        ({"any": [{"country": "DE"}, {"contry": "DE"}]}, ("any", 1, "contry"), "country"),
        ({"not": {"emial": "present"}}, ("not", "emial"), "email"),
        ({"country": ["DE", "UK"]}, ("country", 1), "GB"),
        ({"country": "germany"}, ("country",), "DE"),
        ({"country": "Utopia"}, ("country",), ""),
        ({"country": False}, ("country",), ""),
        ({"country": []}, ("country",), ""),
        ({"kind": "forms"}, ("kind",), "form"),
        ({"seniority": ["vp", "c-level"]}, ("seniority", 1), "c_level"),
        ({"stage": "MQL"}, ("stage",), "mql"),
        ({"employees": "about 50"}, ("employees",), ""),
        ({"employees": True}, ("employees",), ""),
        ({"employees": [50, 60]}, ("employees",), ""),
        ({"consent": "yes"}, ("consent",), "true"),
        ({"email": "free-mail"}, ("email",), "free_mail"),
        ({"phone": "+4930"}, ("phone",), ""),
        ({"company": ""}, ("company",), ""),
        ({"company": {"is": "x"}}, ("company",), ""),
        ({"all": []}, ("all",), ""),
        ({"any": {"country": "DE"}}, ("any",), ""),
        ({"not": [{"country": "DE"}]}, ("not",), ""),
        ({}, (), ""),
        (None, (), ""),
        ("country = DE", (), ""),
    ],
)
def test_what_cannot_be_a_condition_is_refused_at_its_place(
    written: object, place: tuple[int | str, ...], suggestion: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Condition.parse(written)
    (error,) = refused.value.errors()
    assert error["loc"] == place
    assert error["ctx"]["suggestion"] == suggestion
    assert error["ctx"]["expected"]


def test_all_mistakes_of_a_condition_are_found_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        Condition.parse({"contry": "DE", "any": [{"employees": "x"}, {"country": ["UK", "DE", "EN"]}]})
    assert [error["loc"] for error in refused.value.errors()] == [
        ("contry",),
        ("any", 0, "employees"),
        ("any", 1, "country", 0),
        ("any", 1, "country", 2),
    ]


@pytest.mark.parametrize("late", sorted(FACTS.keys() - FACTS_AT_CAPTURE))
def test_a_source_cannot_ask_for_what_is_known_only_later(late: str) -> None:
    Condition.parse({late: "present"})
    with pytest.raises(ValidationError, match=late.replace(".", r"\.")):
        Condition.parse({late: "present"}, FACTS_AT_CAPTURE)


def test_the_kind_of_an_address_can_only_be_asked_where_it_is_known() -> None:
    assert "free_mail" not in FACTS_OF_AN_ASSIGNMENT
    Condition.parse({"email": "present"}, FACTS_OF_AN_ASSIGNMENT)
    for word in ("free_mail", "business"):
        with pytest.raises(ValidationError):
            Condition.parse({"email": word}, FACTS_OF_AN_ASSIGNMENT)


TESTS = st.sampled_from(
    [{"country": "DE"}, {"country": ["AT", "CH"]}, {"employees": ">= 50"}, {"did": ["a"]}, {"consent": True}]
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)


def asked_plainly(written: Any, facts: dict[str, object]) -> bool:
    """The meaning of a condition by the letter, without carrying `not` anywhere."""
    ((name, value),) = written.items()
    match name:
        case "all":
            return all(asked_plainly(part, facts) for part in value)
        case "any":
            return any(asked_plainly(part, facts) for part in value)
        case "not":
            return not asked_plainly(value, facts)
        case _:
            return Condition.parse(written).holds(facts)


@given(CONDITIONS)
def test_not_means_the_same_wherever_it_stands(written: dict[str, Any]) -> None:
    condition = Condition.parse(written)
    for country, employees, consent in product(("DE", "AT", None), (49, 50), (True, None)):
        facts: dict[str, object] = {
            "country": country,
            "employees": employees,
            "consent": consent,
            "did": ["a"],
        }
        assert condition.holds(facts) is asked_plainly(written, facts)
        assert condition.evaluate(facts).holds is condition.holds(facts)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ({"intent": "demo_request"}, {"intent"}),
        ({"country": "DE", "employees": ">= 50"}, {"country", "employees"}),
        (
            {"any": [{"intent": "demo"}, {"all": [{"score": ">= 5"}, {"not": {"kind": "form"}}]}]},
            {"intent", "score", "kind"},
        ),
        ({"email": "business"}, {"email", "free_mail"}),
    ],
)
def test_a_condition_knows_what_it_asks_about(written: dict[str, Any], asked: set[str]) -> None:
    condition = Condition.parse(written)
    assert {name for name in FACTS if condition.asks_about([name])} == asked
