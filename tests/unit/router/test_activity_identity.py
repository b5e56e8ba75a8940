"""However somebody's address or number is written: where a form recognises them by it, an activity does too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from leadpact.domain.lead import LeadDraft
from leadpact_ingest.canonical import canonicalise
from leadpact_router.endpoints.activities import NewActivity

AT = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)

_AROUND_ADDRESSES = st.sampled_from(
    ["{}", "  {}\u00a0", "{}.", "<{}>;", "mailto:{}?subject=Hi", "Ana <{}>", "\u200b{}\ufeff", "'{}'", "{}; ben@acme.example",
     '"{}"', "{}/x@y.example"]
)  # fmt: skip
_LOCAL = st.text("abcXYZ019.+-_ßüŁ用\u200dａ", min_size=1, max_size=12)
_DOMAINS = st.sampled_from(
    [
        "Acme.example",
        "bücher.example",
        "例え.jp",
        "acme．example",
        "gmail.com",
        "a-b.co.uk",
        "acme.exam ple",
        "x",
    ]
)
_ADDRESSES = st.builds(lambda local, domain: f"{local}@{domain}", _LOCAL, _DOMAINS)
_AROUND_NUMBERS = st.sampled_from(
    ["{}", " {} ", "tel: {}", "p:{}", '="{}"', "'{}", "{}.0", "{} ext. 7", "{} x12", "\u202a{}\u202c"]
)
_PREFIXES = st.sampled_from(["+49", "0049", "+1 ", "(030) ", "030", "0", "+44 (0)", "49", "", "＋４９"])
_DIGITS = st.text("0123456789 -/().", min_size=4, max_size=14)
_NUMBERS = st.builds(str.__add__, _PREFIXES, _DIGITS)


def written(around: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(str.format, around, inner) | inner | st.text(max_size=60)


@settings(max_examples=500, deadline=None)
@given(written(_AROUND_ADDRESSES, _ADDRESSES))
@example("Kim Bo <Kim@Globex.example>")
@example(" " * 300 + "kim@globex.example")
def test_an_address_that_a_form_recognises_somebody_by_is_read_alike(address: str) -> None:
    lead = canonicalise({"email": address}, received_at=AT)
    if isinstance(lead, LeadDraft) and lead.email:
        event("a lead")
        assert NewActivity.model_validate({"kind": "x", "email": address}).email == lead.email
    else:
        with pytest.raises(ValidationError):
            NewActivity.model_validate({"kind": "x", "email": address})


@settings(max_examples=500, deadline=None)
@given(written(_AROUND_NUMBERS, _NUMBERS), st.sampled_from([None, "DE", "US", "GB", "IT"]))
@example('="+493012345678"', None)
@example("030 1234567", "DE")
@example("0044 (0)20 7946 0000", None)
@example(" " * 60 + "+493012345678", None)
def test_a_number_that_a_form_recognises_somebody_by_is_read_alike(number: str, country: str | None) -> None:
    lead = canonicalise({"phone": number, "country": country}, received_at=AT)
    if isinstance(lead, LeadDraft) and lead.phone:
        event("a lead")
        said = {"kind": "x", "country": country, "phone": number}
        assert NewActivity.model_validate(said).phone == lead.phone
