"""Whatever a form or a row is called and however it is written, one shape comes out, or reasons that can be acted on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from leadpact.domain.lead import LeadDraft
from leadpact_ingest.canonical import Context, Unusable, canonicalise, canonicalise_row
from leadpact_ingest.headers import map_headers

RECEIVED_AT = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)


def lead(fields: dict[str, Any], **context: Any) -> LeadDraft:
    draft = canonicalise(fields, received_at=RECEIVED_AT, **context)
    assert isinstance(draft, LeadDraft), draft
    return draft


def problems(fields: dict[str, Any]) -> list[tuple[str, str]]:
    answer = canonicalise(fields, received_at=RECEIVED_AT)
    assert isinstance(answer, Unusable), answer
    assert all(problem.fix for problem in answer.problems)
    return [(problem.field, problem.message) for problem in answer.problems]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=30)
        | st.sampled_from(["email", "phone", "name", "country", "utm_source", "date", "employees"]),
        JSON,
        max_size=8,
    )
)
def test_any_fields_end_in_a_storable_lead_or_in_problems(fields: dict[str, JsonValue]) -> None:
    answer = canonicalise(fields, received_at=RECEIVED_AT)
    if isinstance(answer, Unusable):
        assert answer.problems
    else:
        stored = json.dumps(answer.to_json(), ensure_ascii=False).encode("utf-8")
        assert b"\\u0000" not in stored
        assert LeadDraft.model_validate_json(stored) == answer


def test_a_full_form_becomes_a_full_lead() -> None:
    draft = lead(
        {
            "your-email": " Ana.Berger@Acme.Example ",
            "your-name": "Dr. Ana Berger",
            "tel-414": "030 23125 117",
            "menu-country": "Deutschland",
            "companyName": "Müller & Söhne GmbH & Co. KG",
            "jobTitle": "Leiterin Einkauf",
            "company_size": "201-500",
            "interest[]": ["CRM", "BI; Reports"],
            "marketing_consent": "on",
            "message": "Guten Tag,\r\nbitte um Rückruf.",
            "pageUrl": "https://www.acme.example/demo?utm_source=x&gclid=AbC",
            "favourite colour": "blue",
            "_gotcha": "",
        }
    )
    assert draft.to_json() == {
        "email": "ana.berger@acme.example",
        "email_as_written": "Ana.Berger@Acme.Example",
        "phone": "+493023125117",
        "phone_as_written": "030 23125 117",
        "first_name": "Ana",
        "last_name": "Berger",
        "full_name": "Dr. Ana Berger",
        "country": "DE",
        "company": "Müller & Söhne GmbH & Co. KG",
        "company_key": "muller and sohne",
        "domain": "acme.example",
        "job_title": "Leiterin Einkauf",
        "seniority": "director",
        "employees": 201,
        "employee_range": "201-500",
        "products": ["CRM", "BI", "Reports"],
        "consent": True,
        "message": "Guten Tag,\nbitte um Rückruf.",
        "utm": {"utm_source": "x"},
        "click_ids": {"gclid": "AbC"},
        "page_url": "https://www.acme.example/demo?utm_source=x&gclid=AbC",
        "extras": {"utm_found_in": "page_url", "favourite colour": "blue"},
    }


def test_a_small_lead_is_small_on_the_bus() -> None:
    assert lead({"email": "ana@acme.example"}).to_json() == {
        "email": "ana@acme.example",
        "domain": "acme.example",
    }


def test_nested_objects_and_lists_unfold() -> None:
    draft = lead(
        {
            "contact": {"email": "a@acme.example", "name": {"first": "Ana", "last": "Berger"}},
            "company": {"name": "Acme"},
        }
    )
    assert (draft.full_name, draft.company) == ("Ana Berger", "Acme")


def test_an_object_nested_too_deep_is_kept_as_text() -> None:
    deep: dict[str, Any] = {"email": "a@acme.example", "a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    assert lead(deep).extras == {"a.b.c.d": '{"e": {"f": 1}}'}


def test_a_lone_value_that_reads_as_an_address_is_the_address() -> None:
    assert lead({"field_1": "ana@acme.example", "field_2": "Ana"}).email == "ana@acme.example"


def test_a_phone_sent_as_a_json_number_is_a_phone() -> None:
    assert lead({"phone": 493023125117.0}).phone == "+493023125117"


# --- who it is ----------------------------------------------------------------------------------------------------


def test_a_work_address_is_preferred_and_the_others_are_kept() -> None:
    draft = lead(
        {"email": "ana@gmail.com", "work email": "ana@acme.example", "other email": "old@acme.example"}
    )
    assert draft.email == "ana@acme.example"
    assert draft.extras == {"secondary_emails": ["ana@gmail.com", "old@acme.example"]}
    assert draft.flags == ()


def test_a_mobile_is_preferred_and_the_desk_is_kept() -> None:
    draft = lead({"phone": "+49 30 23125117", "mobile": "+49 151 23456789"})
    assert (draft.phone, draft.extras) == ("+4915123456789", {"other_phones": "+493023125117"})


def test_the_identity_key_is_the_address_else_the_phone() -> None:
    assert lead({"email": "Ana@acme.example", "phone": "+493023125117"}).identity_key == "ana@acme.example"
    assert lead({"phone": "+493023125117"}).identity_key == "+493023125117"
    assert LeadDraft().identity_key is None


def test_plus_tags_stay_and_are_not_merged() -> None:
    assert lead({"email": "ana+a@acme.example"}).email != lead({"email": "ana@acme.example"}).email


def test_free_mail_says_nothing_about_the_employer_but_a_website_does() -> None:
    assert lead({"email": "ana@gmail.com"}).domain is None
    assert lead({"email": "ana@gmail.com", "website": "https://www.acme.example/de"}).domain == "acme.example"
    assert lead({"email": "ana@gmail.com"}).flags == ("free_mail",)


def test_an_unreadable_address_is_forgiven_when_a_phone_can_be_read() -> None:
    draft = lead({"email": "ana(at)acme.example", "phone": "+493023125117"})
    assert (draft.email, draft.email_as_written, draft.flags) == (
        None,
        "ana(at)acme.example",
        ("email_unreadable",),
    )


# --- what refuses a lead ------------------------------------------------------------------------------------------


def test_nobody_to_reach_is_refused() -> None:
    assert problems({"name": "Ana", "email": "n/a", "phone": "-"}) == [
        ("email", "There is neither an e-mail address nor a phone number.")
    ]


def test_every_unreadable_way_is_named_with_the_senders_own_field_name() -> None:
    assert problems({"E-Mail-Adresse": "ana@", "Telefon": "keine Ahnung"}) == [
        ("email", '"E-Mail-Adresse" is not an e-mail address: there must be something after the @-sign.'),
        ("phone", '"Telefon" is not a phone number: there are no digits in it.'),
    ]


@pytest.mark.parametrize(
    "fields", [{"email": "a@acme.example", "note": "a\0b"}, {"email": "a@acme.example", "n\0te": "x"}]
)
def test_nul_is_refused_before_it_is_accepted(fields: dict[str, str]) -> None:
    assert problems(fields)[0][1] == "It contains a NUL character or half of a character."


def test_half_a_surrogate_pair_is_refused() -> None:
    assert problems({"email": "a@acme.example", "name": "\ud83d"})[0][0] == "name"


@pytest.mark.parametrize("name", ["first name", "last name", "name"])
def test_a_name_of_201_characters_is_refused_and_one_of_200_is_not(name: str) -> None:
    assert "201 characters" in problems({"email": "a@acme.example", name: "x" * 201})[0][1]
    assert lead({"email": "a@acme.example", name: "x" * 200}).full_name == "x" * 200


def test_a_phone_of_41_characters_is_no_phone() -> None:
    assert problems({"phone": "+4930" + "1" * 36})[0][0] == "phone"


def test_too_many_campaign_parameters_are_refused() -> None:
    fields = {f"utm_{chr(97 + number)}": "v" for number in range(21)}
    assert problems({"email": "a@acme.example", **fields})[0][0] == "utm"


# --- what does not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Null", "O'Brien", "🙂", "X", "x" * 200, "<script>alert(1)</script>", "Robert'); DROP TABLE"]
)
def test_an_odd_name_is_a_name_and_kept_letter_by_letter(name: str) -> None:
    assert lead({"email": "a@acme.example", "last name": name}).last_name == name


def test_hidden_marks_in_a_name_are_not_shown() -> None:
    assert lead({"email": "a@acme.example", "name": "\u202eAna\u200b Berger"}).full_name == "Ana Berger"


def test_an_unknown_country_is_kept_and_flagged() -> None:
    draft = lead({"email": "a@acme.example", "country": "XX"})
    assert (draft.country, draft.extras, draft.flags) == (None, {"country": "XX"}, ("country_unknown",))


def test_a_missing_country_is_the_sources_own_and_reads_the_phone() -> None:
    draft = lead({"phone": "030 23125117"}, default_country="DE")
    assert (draft.country, draft.phone, draft.flags) == ("DE", "+493023125117", ("repaired.country",))


def test_an_unreadable_time_is_kept_and_flagged() -> None:
    draft = lead({"email": "a@acme.example", "Scan time": "yesterday"})
    assert (draft.event_at, draft.extras, draft.flags) == (
        None,
        {"Scan time": "yesterday"},
        ("event_time_unreadable",),
    )


def test_a_time_in_the_future_is_kept_and_flagged_beyond_a_small_skew() -> None:
    soon, later = RECEIVED_AT + timedelta(minutes=4), RECEIVED_AT + timedelta(minutes=10)
    assert lead({"email": "a@acme.example", "timestamp": soon.isoformat()}).flags == ()
    draft = lead({"email": "a@acme.example", "timestamp": later.isoformat()})
    assert (draft.event_at, draft.flags) == (later, ("event_time_in_future",))


def test_a_bare_date_says_the_same_whenever_it_is_posted() -> None:
    draft = lead({"email": "a@acme.example", "date": "2026-05-04"})
    assert datetime(2026, 5, 4, 12, tzinfo=UTC) > RECEIVED_AT
    assert (draft.event_at, draft.flags) == (datetime(2026, 5, 4, 12, tzinfo=UTC), ("event_date_only",))


def test_consent_in_other_words_is_neither_yes_nor_no_and_kept() -> None:
    draft = lead({"email": "a@acme.example", "consent": "see contract 7"})
    assert (draft.consent, draft.extras) == (None, {"consent_as_written": "see contract 7"})
    assert lead({"email": "a@acme.example", "consent": "no"}).consent is False
    assert lead({"email": "a@acme.example"}).consent is None
    assert lead({"email": "a@acme.example", "unsubscribed": "yes"}).opted_out


def test_a_very_long_message_is_cut_and_said() -> None:
    draft = lead({"email": "a@acme.example", "message": "x" * 20_000})
    assert draft.message is not None
    assert (len(draft.message), draft.flags) == (16_384, ("repaired.length",))


def test_a_platforms_test_lead_is_flagged() -> None:
    assert (
        "test"
        in lead({"email": "a@acme.example", "full name": "<test lead: dummy data for full_name>"}).flags
    )


def test_nothing_that_was_said_is_lost() -> None:
    fields = {
        "email": "a@acme.example",
        "salutation": "Ms",
        "Company": "Acme",
        "Organisation": "Acme Holding",
        "Q1": "yes",
    }
    draft = lead({**fields, "Q2": ["a", "b"], "timeframe": "3 months"})
    assert draft.company == "Acme"
    assert draft.extras == {
        "salutation": "Ms",
        "Organisation": "Acme Holding",
        "timeframe": "3 months",
        "Q1": "yes",
        "Q2": ["a", "b"],
    }


# --- rows ---------------------------------------------------------------------------------------------------------


def test_a_row_is_read_in_the_order_of_dates_that_its_column_settled() -> None:
    columns = map_headers(["Email", "Scan time"], [["", "25/04/2026 10:00"]])
    draft = canonicalise_row(
        columns, ["a@acme.example", "03/04/2026 10:00"], Context(RECEIVED_AT, timezone="Europe/Berlin")
    )
    assert isinstance(draft, LeadDraft)
    assert draft.event_at == datetime(2026, 4, 3, 8, tzinfo=UTC)
    assert draft.repairs == ("Time read as Europe/Berlin.",)


def test_a_corrected_row_from_an_error_file_carries_nothing_of_the_error() -> None:
    columns = map_headers(["Email", "Phone", "leadpact_error", "leadpact_fix"])
    draft = canonicalise_row(
        columns, ["a@acme.example", "'+493023125117", "wrong", "do this"], Context(RECEIVED_AT)
    )
    assert isinstance(draft, LeadDraft)
    assert (draft.phone, draft.extras) == ("+493023125117", {})
