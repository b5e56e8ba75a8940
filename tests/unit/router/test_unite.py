"""What one person said over several touches."""

from __future__ import annotations

from typing import Any

import pytest

from leadpact_router.unite import unite


@pytest.mark.parametrize(
    ("older", "newer", "united"),
    [
        ({}, {"email": "jo@x.example"}, {"email": "jo@x.example"}),
        ({"job_title": "Engineer"}, {"job_title": "CTO"}, {"job_title": "CTO"}),
        ({"job_title": "Engineer"}, {"company": "Globex"}, {"job_title": "Engineer", "company": "Globex"}),
        (
            {"products": ["pump", "valve"]},
            {"products": ["valve", "hose"]},
            {"products": ["pump", "valve", "hose"]},
        ),
        ({"extras": {"a": 1, "b": 2}}, {"extras": {"b": 3}}, {"extras": {"a": 1, "b": 3}}),
        (
            {"utm": {"utm_source": "x"}},
            {"utm": {"utm_term": "y"}},
            {"utm": {"utm_source": "x", "utm_term": "y"}},
        ),
        ({"opted_out": True}, {"email": "jo@x.example"}, {"opted_out": True, "email": "jo@x.example"}),
        ({"consent": True}, {"consent": False}, {"consent": False}),
    ],
)
def test_the_newest_answer_wins_and_silence_loses_nothing(
    older: dict[str, Any], newer: dict[str, Any], united: dict[str, Any]
) -> None:
    assert unite(older, newer) == united


def test_an_address_moves_as_a_whole() -> None:
    older = {"country": "DE", "city": "Berlin", "postal_code": "10115"}
    assert unite(older, {"country": "FR"}) == {"country": "FR"}
    assert unite(older, {"country": "FR", "city": "Lyon"}) == {"country": "FR", "city": "Lyon"}
    assert unite(older, {"country": "DE", "city": "Köln"}) == {**older, "city": "Köln"}
    assert unite({"city": "Berlin"}, {"country": "DE"}) == {"country": "DE"}


def test_flags_go_with_the_address_that_they_describe() -> None:
    older = {"email": "jo@freemail.example", "flags": ["free_mail"]}
    assert unite(older, {"email": "jo@globex.example"}) == {"email": "jo@globex.example"}
    assert unite(older, {"company": "Globex"}) == {**older, "company": "Globex"}


def test_neither_side_is_changed() -> None:
    older, newer = {"products": ["pump"]}, {"products": ["valve"]}
    unite(older, newer)
    assert (older, newer) == ({"products": ["pump"]}, {"products": ["valve"]})
