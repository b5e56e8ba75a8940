"""Ready for sales or not, and why."""

from __future__ import annotations

from typing import Any

import pytest

from leadpact.pact.qualification import Qualification
from leadpact_router.qualify import KeptBack, Qualified, qualify, raised_hand

DEMO = {"intent": "demo_request"}
SCORE = {"score": ">= 65"}
ANY = {"mql": {"any": [DEMO, {"all": [{"fit": ">= 25"}, SCORE]}], "needs": ["email", "country"]}}
ALL = {"mql": {"all": [DEMO, SCORE]}}
KNOWN = {"email": "jo@globex.example", "country": "DE"}


@pytest.mark.parametrize(
    ("pact", "facts", "draft", "answer"),
    [
        ({}, {}, {}, Qualified("the pact hands over every lead")),
        (ANY, {"intent": "demo_request"}, KNOWN, Qualified("intent: demo_request")),
        (ANY, {"intent": "other", "fit": 30, "score": 65}, KNOWN, Qualified("fit: >= 25 and score: >= 65")),
        (
            ANY,
            {"intent": "other", "fit": 30, "score": 64.99},
            KNOWN,
            KeptBack("meets none of: intent: demo_request; fit: >= 25 and score: >= 65"),
        ),
        (
            ANY,
            {"intent": "demo_request"},
            {"email": "jo@globex.example"},
            KeptBack("meets intent: demo_request, but country is not known"),
        ),
        (
            ANY,
            {"intent": "demo_request"},
            {"country": ""},
            KeptBack("meets intent: demo_request, but email, country are not known"),
        ),
        (
            ALL,
            {"intent": "demo_request", "score": 70},
            {},
            Qualified("intent: demo_request and score: >= 65"),
        ),
        (ALL, {"intent": "demo_request", "score": 10}, {}, KeptBack("does not meet: score: >= 65")),
    ],
)
def test_the_answer_names_the_criterion(
    pact: dict[str, Any], facts: dict[str, object], draft: dict[str, Any], answer: Qualified | KeptBack
) -> None:
    assert qualify(facts, draft, Qualification.model_validate(pact)) == answer


def test_a_needed_field_may_be_known_from_the_account() -> None:
    pact = Qualification.model_validate({"mql": {"any": [DEMO], "needs": ["industry"]}})
    assert qualify({"intent": "demo_request", "industry": "pumps"}, {}, pact) == Qualified(
        "intent: demo_request"
    )


def test_a_no_is_an_answer() -> None:
    pact = Qualification.model_validate({"mql": {"any": [DEMO], "needs": ["consent"]}})
    assert isinstance(qualify({"intent": "demo_request"}, {"consent": False}, pact), Qualified)


@pytest.mark.parametrize(
    ("pact", "facts", "criterion"),
    [
        ({}, DEMO, None),  # every lead is handed over, so no touch says more than another
        (ANY, DEMO, "intent: demo_request"),
        (ANY, {"intent": "content_download", "fit": 30, "score": 70}, None),  # ready, but for what they are
        (
            {"mql": {"any": [SCORE, {"source": "pricing"}]}},
            {"source": "pricing", "score": 70},
            "source: pricing",
        ),
        ({"mql": {"any": [{"kind": "event_scan"}]}}, {"kind": "event_scan"}, "kind: event_scan"),
        (
            {"mql": {"any": [{"any": [DEMO, {"intent": "call"}]}]}},
            {"intent": "call"},
            "intent: demo_request or intent: call",
        ),
        ({"mql": {"any": [{"not": {"intent": "newsletter"}}]}}, DEMO, "intent: not newsletter"),
        (ALL, {**DEMO, "score": 70}, "intent: demo_request and score: >= 65"),
        (ALL, {**DEMO, "score": 10}, None),
        ({"mql": {"all": [SCORE]}}, {"score": 70}, None),
    ],
)
def test_to_ask_for_what_makes_a_lead_ready_is_to_raise_a_hand(
    pact: dict[str, Any], facts: dict[str, object], criterion: str | None
) -> None:
    """Whatever sales needs to know besides: it has the lead."""
    assert raised_hand(facts, Qualification.model_validate(pact)) == criterion
