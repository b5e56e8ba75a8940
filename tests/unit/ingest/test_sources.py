"""Every kind of source keeps the family's promises; each kind its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadpact.domain.lead import LeadDraft
from leadpact.pact.condition import FACTS_AT_CAPTURE
from leadpact.pact.read import parse_pact
from leadpact.runtime.problems import Problem
from leadpact_ingest.body import MediaType
from leadpact_ingest.source import Post, Posted
from leadpact_ingest.sources import AnySource, EventScan, PlainForm, Syndication, source_of
from tests.support.pacts import SMALL_PACT, pact_with

PACT = parse_pact(SMALL_PACT)
SOURCES = [source_of(PACT, name) for name in PACT.sources]
JUST_A_LEAD = LeadDraft(email="kofi@drumbeat.example", country="AT")


def post(fields: str, **headers: str) -> Post:
    return Post(MediaType.parse("application/x-www-form-urlencoded"), fields.encode(), headers, {})


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.kind)
def test_a_source_carries_what_the_pact_says_of_it(source: AnySource) -> None:
    agreed = PACT.sources[source.name]

    assert (source.kind, source.intent, source.default_country) == (
        agreed.kind,
        agreed.intent,
        agreed.default_country,
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.kind)
def test_a_source_comes_through_one_of_the_two_doors(source: AnySource) -> None:
    assert hasattr(source, "read") is not hasattr(source, "objection")


def test_the_pact_of_these_tests_has_every_kind() -> None:
    assert {type(source) for source in SOURCES} == {PlainForm, EventScan, Syndication}


@pytest.mark.parametrize(
    "source",
    [source for source in SOURCES if not isinstance(source, PlainForm)],
    ids=lambda source: source.kind,
)
def test_a_source_of_files_takes_a_lead_that_is_as_agreed(source: EventScan | Syndication) -> None:
    assert source.objection(JUST_A_LEAD) is None


class TestPlainForm:
    form = PlainForm("website-demo", PACT.sources["website-demo"])  # type: ignore[arg-type]  # that one is a form

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ("email=a", Posted({"email": "a"})),
            ("email=a&_key=lp_form_1&_subject=x", Posted({"email": "a"}, form_key="lp_form_1")),
            ("email=a&redirect=https://x", Posted({"email": "a"}, go_to="https://x")),
            ("email=a&_next=&retURL=%20y%20", Posted({"email": "a"}, go_to="y")),
            ("email=a&_next=x&redirect=y", Posted({"email": "a"}, go_to="x")),
            ("email=a&_gotcha=", Posted({"email": "a"})),
            ("email=a&_gotcha=%20", Posted({"email": "a"})),
            ("email=a&_gotcha=x", Posted({"email": "a"}, is_trap=True)),
            ("email=a&bot-field=x", Posted({"email": "a"}, is_trap=True)),
            ("email=a&bot-field=&bot-field=x", Posted({"email": "a"}, is_trap=True)),
        ],
    )
    def test_answers_and_steering_are_told_apart(self, fields: str, expected: Posted) -> None:
        assert self.form.read(post(fields)) == expected

    def test_a_key_in_the_header_comes_first(self) -> None:
        assert self.form.read(post("email=a&_key=two", **{"x-leadpact-form-key": "one"})).form_key == "one"

    @pytest.mark.parametrize(
        ("sent", "keys", "may"),
        [
            (None, None, True),
            ("any", None, True),
            ("one", frozenset({"one", "two"}), True),
            ("three", frozenset({"one", "two"}), False),
            (None, frozenset({"one"}), False),
            (None, frozenset(), False),
            ("revoked", frozenset(), False),
        ],
    )
    def test_who_may_post(self, sent: str | None, keys: frozenset[str] | None, may: bool) -> None:
        posted = Posted({}, form_key=sent)
        if may:
            self.form.authenticate(post(""), posted, keys)
            return
        with pytest.raises(Problem) as caught:
            self.form.authenticate(post(""), posted, keys)
        assert caught.value.status == 401


class TestEventScan:
    scan = source_of(PACT, "fair")

    def test_times_without_a_zone_are_the_fairs(self) -> None:
        assert isinstance(self.scan, EventScan)
        assert self.scan.timezone == "Europe/Berlin"

    @pytest.mark.parametrize(
        ("received_at", "late_by"),
        [
            (datetime(2026, 4, 20, 9, 0, tzinfo=UTC), timedelta(0)),  # before the fair ends
            (datetime(2026, 4, 29, 15, 0, tzinfo=UTC), timedelta(0)),  # exactly the promise
            (datetime(2026, 4, 29, 15, 0, 1, tzinfo=UTC), timedelta(0)),  # the office is closed
            (datetime(2026, 4, 30, 7, 0, 1, tzinfo=UTC), timedelta(seconds=1)),
            (datetime(2026, 5, 2, 12, 0, tzinfo=UTC), timedelta(hours=16)),  # no holiday in this calendar
        ],
    )
    def test_lateness_counts_in_the_promises_own_time(
        self, received_at: datetime, late_by: timedelta
    ) -> None:
        assert isinstance(self.scan, EventScan)
        assert self.scan.due_at == datetime(2026, 4, 29, 15, 0, tzinfo=UTC)
        assert self.scan.late_by(received_at) == late_by

    def test_a_promise_in_wall_time_counts_every_hour(self) -> None:
        wall = source_of(parse_pact(pact_with("24 business hours", "24 hours")), "fair")

        assert isinstance(wall, EventScan)
        assert wall.due_at == datetime(2026, 4, 25, 16, 0, tzinfo=UTC)
        assert wall.late_by(datetime(2026, 4, 26, 16, 0, tzinfo=UTC)) == timedelta(hours=24)

    def test_without_a_promise_nothing_is_late(self) -> None:
        none = source_of(
            parse_pact(pact_with(", upload_within: 24 business hours, calendar: dach", "")), "fair"
        )

        assert isinstance(none, EventScan)
        assert (none.due_at, none.late_by(datetime(2027, 1, 1, tzinfo=UTC))) == (None, None)


class TestSyndication:
    @pytest.mark.parametrize(
        ("accept", "draft", "says"),
        [
            ("{country: [DE, AT]}", LeadDraft(country="GB"), "country is GB, agreed is one of DE, AT"),
            ("{country: [DE, AT]}", LeadDraft(), "country is not stated, agreed is one of DE, AT"),
            ('{employees: ">= 50"}', LeadDraft(employees=49), "employees is 49, agreed is >= 50"),
            (
                "{email: business}",
                LeadDraft(email="a@b.example", flags=("free_mail",)),
                "free_mail is true, agreed is not true",
            ),
            ("{phone: present}", LeadDraft(email="a@b.example"), "phone is absent, agreed is present"),
            ("{country: DE, seniority: [vp, c_level]}", LeadDraft(country="DE"), "seniority is not stated"),
        ],
    )
    def test_an_objection_names_what_is_not_as_agreed(self, accept: str, draft: LeadDraft, says: str) -> None:
        pact = parse_pact(pact_with("{country: [DE, AT]}", accept))
        vendor = source_of(pact, "vendor")

        assert isinstance(vendor, Syndication)
        objection = vendor.objection(draft)
        assert objection is not None
        assert says in objection.message
        assert objection.fix

    def test_every_fact_of_a_capture_can_be_asked(self) -> None:
        vendor = source_of(PACT, "vendor")

        assert isinstance(vendor, Syndication)
        assert vendor.facts(JUST_A_LEAD).keys() == FACTS_AT_CAPTURE

    def test_a_contract_without_conditions_takes_everybody(self) -> None:
        vendor = source_of(parse_pact(pact_with("accept: {country: [DE, AT]}, ", "")), "vendor")

        assert isinstance(vendor, Syndication)
        assert vendor.objection(LeadDraft(phone="+4930901820")) is None
