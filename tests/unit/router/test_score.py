"""A score is the sum of contributions that can each be seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.pact.scoring import Scoring
from leadpact_router.score import Score, score
from leadpact_router.signal import Signal, heard
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.leads import lead

SCORING = Scoring.model_validate(
    {
        "fit": [
            {"name": "decides", "when": {"seniority": ["vp", "c_level"]}, "points": 25},
            {"when": {"employees": ">= 50", "country": ["DE", "AT"]}, "points": 10},
            {"name": "private address", "when": {"email": "free_mail"}, "points": -20},
        ],
        "engagement": {
            "half_life": "14 days",
            "cap": 50,
            "points": {
                "pricing_page": 8,
                "webinar": {"points": 15, "once": True},
                "unsubscribed": -25,
                "seen": 0,
            },
        },
        "bands": {"hot": ">= 80", "warm": ">= 50", "cold": "else"},
    }
)


def test_every_rule_that_holds_counts_and_says_which_values_it_saw() -> None:
    result = _score({"seniority": "vp", "employees": 120, "country": "DE"})
    assert (result.total, result.fit, result.engagement, result.band) == (35, 35, 0, "cold")
    assert [(one.name, one.points, one.because) for one in result.contributions] == [
        ("decides", 25, "seniority is vp"),
        ("employees: >= 50 and country: one of DE, AT", 10, "employees is 120, country is DE"),
    ]


def test_a_private_address_costs_points_and_is_not_shown_itself() -> None:
    result = _score({"email": "jo@freemail.example", "flags": ["free_mail"]})
    (contribution,) = result.contributions
    assert (contribution.points, contribution.because) == (-20, "free_mail is true")


def test_engagement_halves_with_every_half_life() -> None:
    signals = {"pricing_page": Signal(1.0, TUESDAY_MORNING, 1)}
    later = TUESDAY_MORNING + timedelta(days=14)
    assert score(lead().condition_facts(), signals, SCORING, later).engagement == 4


def test_engagement_never_counts_more_than_its_cap_and_the_cap_is_a_contribution() -> None:
    result = _score({}, {"pricing_page": Signal(9.0, TUESDAY_MORNING, 9)})
    assert result.engagement == 50
    assert [(one.name, one.points) for one in result.contributions] == [("pricing_page", 72), ("cap", -22)]


def test_what_counts_once_counts_once_though_an_older_pact_counted_it_often() -> None:
    result = _score({}, {"webinar": Signal(3.0, TUESDAY_MORNING, 3)})
    assert [(one.points, one.because) for one in result.contributions] == [(15, "once, last on 2026-03-03")]


def test_a_kind_that_the_pact_does_not_name_and_one_worth_nothing_do_not_count() -> None:
    signals = {name: Signal(1.0, TUESDAY_MORNING, 1) for name in ("seen", "something_else")}
    assert _score({}, signals).contributions == ()


@pytest.mark.parametrize(
    ("points", "band"), [(79, "warm"), (80, "hot"), (50, "warm"), (49, "cold"), (-5, "cold")]
)
def test_the_band_is_the_first_whose_bound_is_reached(points: int, band: str) -> None:
    scoring = SCORING.model_copy(
        update={"fit": Scoring.model_validate({"fit": [{"when": {"country": "DE"}, "points": points}]}).fit}
    )
    assert score({"country": "DE"}, {}, scoring, TUESDAY_MORNING).band == band


activities = st.lists(
    st.tuples(st.sampled_from(["pricing_page", "webinar", "unsubscribed"]), st.integers(0, 100 * 86_400)),
    max_size=30,
)


@given(activities, st.sampled_from(["vp", "entry", None]), st.integers(0, 1000))
def test_the_total_always_equals_the_sum_of_what_is_shown(
    done: list[tuple[str, int]], seniority: str | None, employees: int
) -> None:
    signals: dict[str, Signal] = {}
    for kind, second in done:
        at = TUESDAY_MORNING + timedelta(seconds=second)
        worth = SCORING.engagement.points[kind]
        signals[kind] = heard(signals.get(kind), at, SCORING.engagement.half_life, once=worth.once)
    result = score(
        {"seniority": seniority, "employees": employees, "country": "AT"},
        signals,
        SCORING,
        TUESDAY_MORNING + timedelta(days=101),
    )
    shown = round(sum(one.points for one in result.contributions), 2)
    assert result.total == shown == round(result.fit + result.engagement, 2)
    assert result.engagement <= 50


def _score(draft: dict[str, object], signals: dict[str, Signal] | None = None) -> Score:
    known = lead(draft={"country": "FR", **draft})
    return score(known.condition_facts(), signals or {}, SCORING, TUESDAY_MORNING)
