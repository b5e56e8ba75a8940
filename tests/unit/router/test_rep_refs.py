"""The pact names a rep by their id or their e-mail address."""

from __future__ import annotations

import pytest

from leadpact_router.rep_refs import RepRefs

REFS = RepRefs(
    [("Ana", "ana@acme.example"), ("ben", "ben@acme.example"), ("cem@acme.example", "cem@acme.example")]
)


@pytest.mark.parametrize(
    ("ref", "rep_id"),
    [
        ("Ana", "Ana"),
        ("ANA", None),
        ("ana", None),
        ("BEN", None),
        ("Ben@Acme.example", "ben"),
        ("CEM@acme.example", "cem@acme.example"),
        ("dora", None),
        ("", None),
    ],
)
def test_an_id_is_meant_as_it_is_written_and_an_address_in_any_case(ref: str, rep_id: str | None) -> None:
    assert REFS.id_of(ref) == rep_id
