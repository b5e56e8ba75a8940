from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.pact.phrases import Share
from leadpact.pact.read import PactErrors, PactProblem, parse_pact, read_pact, render
from tests.support.pacts import SMALL_PACT, pact_with

TEN_MISTAKES = """\
pact: broken
calendars:
  dach: {timezone: Europe/Berln, hours: {mon-fri: "09:00-17:00"}}
  pool: {timezone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}}
sources:
  demo: {kind: from, intent: demo_request}
  demo: {kind: form, intent: demo_request}
scoring:
  fit:
    - {when: {employes: ">= 50"}, points: 10}
    - {when: {country: UK}, points: 10}
routing:
  pools:
    triage: {membrs: [ana], calendar: dahc}
  fallback: triag
sla:
  demo:
    first_touch_within: 1 day
"""


def problems_of(text: str) -> list[PactProblem]:
    with pytest.raises(PactErrors) as refused:
        parse_pact(text)
    return list(refused.value.problems)


def the_problem_of(text: str) -> PactProblem:
    (problem,) = problems_of(text)
    return problem


def test_ten_mistakes_are_all_reported_in_one_run_in_file_order() -> None:
    found = [(p.line, p.column, p.where, p.suggestion) for p in problems_of(TEN_MISTAKES)]
    assert found == [
        (3, 20, "calendars.dach.timezone", "Europe/Berlin"),
        (4, 3, "calendars.pool", ""),
        (6, 16, "sources.demo.kind", "form"),
        (7, 3, "sources.demo", ""),
        (10, 15, "scoring.fit[0].when.employes", "employees"),
        (11, 24, "scoring.fit[1].when.country", "GB"),
        (14, 14, "routing.pools.triage.membrs", "members"),
        (14, 39, "routing.pools.triage.calendar", "dach"),
        (15, 13, "routing.fallback", "triage"),
        (18, 25, "sla.demo.first_touch_within", ""),
    ]


def test_an_error_says_file_line_column_what_was_expected_what_was_found_and_what_was_meant() -> None:
    problem = problems_of(TEN_MISTAKES)[8]
    assert problem == PactProblem(
        file="pact.yaml",
        line=15,
        column=13,
        where="routing.fallback",
        expected="a pool of this pact (triage)",
        found='"triag"',
        suggestion="triage",
        width=5,
    )
    assert render(problem, TEN_MISTAKES) == "\n".join(
        [
            'pact.yaml:15:13 routing.fallback: expected a pool of this pact (triage), found "triag"',
            "   14 |     triage: {membrs: [ana], calendar: dahc}",
            "   15 |   fallback: triag",
            '      |             ^^^^^ did you mean "triage"?',
        ]
    )


def test_a_pact_with_mistakes_is_refused_with_one_fault_each() -> None:
    with pytest.raises(PactErrors) as refused:
        parse_pact(TEN_MISTAKES, name="acme.yaml")
    assert len(refused.value.faults) == 10
    assert refused.value.faults[-2].where == "acme.yaml:15:13 routing.fallback"
    assert "triage" in refused.value.faults[-2].fix
    assert str(refused.value).startswith("acme.yaml has 10 mistakes, the first in line 3")


@pytest.mark.parametrize(
    ("written", "instead", "where", "underlined", "message"),
    [
        ("pact: small\n", "", "", "c", "expected `pact` here, found nothing"),
        ("pact: small", "pakt: small", "pakt", "pakt", "expected pact, version, signatures"),
        ("pact: small", "pact: 12", "pact", "12", "expected a text, found 12"),
        ("pact: small", "pact: [small]", "pact", "[", "expected a text, found a list"),
        ("pact: small", "pact: small\nversion: 0", "version", "0", "expected a number above 0, found 0"),
        (
            "pact: small",
            "pact: small\nversion: true",
            "version",
            "true",
            "expected a whole number, found true",
        ),
        ("pact: small", "pact:", "pact", "pact", "expected a value, or the whole line left out"),
        ("timezone: Europe/Berlin\n", "", "calendars.dach", "dach", "expected `timezone` here"),
        ('"09:00-17:00"', '"9 to 5"', "calendars.dach.hours.mon-fri", '"9 to 5"', "expected an interval"),
        ('{mon-fri: "09:00-17:00"}', "{mon-fri: closed}", "calendars.dach", "t", "hours that can be kept"),
        ("kind: form, ", "", "sources.website-demo", "website-demo", "expected `kind` here, found nothing"),
        (
            "kind: form",
            "kind: fax",
            "sources.website-demo.kind",
            "fax",
            "expected form, event_scan or syndication",
        ),
        ("ends: 2026-04-24T18:00 Europe/Berlin, ", "", "sources.fair", "fair", "expected `ends` here"),
        (
            "kind: form,",
            "kind: form, origins: [acme.example],",
            "sources.website-demo.origins[0]",
            "acme.example",
            "origin",
        ),
        ("cap: 500 per month", "cap: 500", "sources.vendor.cap", "500", 'a cap such as "500 per month"'),
        ("cap: 500 per month", "cap: 0 per day", "sources.vendor.cap", "0 per day", "expected a cap"),
        ("45 EUR", "45 euros", "sources.vendor.cost_per_lead", "45 euros", "an amount with its currency"),
        (
            "T18:00 Europe",
            "T25:00 Europe",
            "sources.fair.ends",
            "2026-04-24T25:00 Europe/Berlin",
            "that exist",
        ),
        (
            "T18:00 Europe/Berlin",
            "T18:00",
            "sources.fair.ends",
            "2026-04-24T18:00",
            "a local time with its zone",
        ),
        (
            "18:00 Europe/Berlin",
            "18:00 Berlin",
            "sources.fair.ends",
            "2026-04-24T18:00 Berlin",
            "a time zone of the IANA",
        ),
        (
            "2026-04-24T18",
            "2026-03-29T02",
            "sources.fair.ends",
            "2026-03-29T02:00 Europe/Berlin",
            "skip this hour",
        ),
        ("hours, calendar: dach}", "hours}", "sources.fair", "{", "expected `calendar` beside"),
        (
            "{country: [DE, AT]}",
            "{score: 5}",
            "sources.vendor.accept.score",
            "score",
            "not one that is known here",
        ),
        ("[DE, AT]", "[DE, de]", "sources.vendor.accept.country[1]", "de", "a country code of ISO 3166"),
        (
            "points: 25",
            'points: "25"',
            "scoring.fit[0].points",
            '"25"',
            'expected a whole number, found "25"',
        ),
        ("14 days", "14 business days", "scoring.engagement.half_life", "14 business days", "wall time"),
        ("cap: 50,", "cap: 0,", "scoring.engagement.cap", "0", "expected a number above 0"),
        (
            "once: true",
            "once: yes",
            "scoring.engagement.points.webinar.once",
            "yes",
            "expected true or false",
        ),
        ('warm: ">= 50"', 'warm: ">= 90"', "scoring.bands", "{", "expected bands from high to low"),
        (", cold: else", "", "scoring.bands", "{", 'expected "else" for the last band'),
        ('hot: ">= 80"', "hot: 80", "scoring.bands", "{", 'expected ">= NUMBER" in quotes'),
        ("needs: [email]", "needs: [emial]", "qualification.mql.needs[0]", "emial", "expected email, phone"),
        (
            "mql: {any:",
            "mql: {all: [{email: present}], any:",
            "qualification.mql",
            "{",
            "either `any` or `all`",
        ),
        ("webinar]}", "webiner]}", "qualification.mql.any[1].did[1]", "webiner", "an activity with points"),
        (
            "{did: [pricing_page, webinar]}",
            "{stage: mql}",
            "qualification.mql.any[1].stage",
            "stage",
            "not one that is known",
        ),
        (
            "{seniority: [vp, c_level]}",
            "{score: 5}",
            "scoring.fit[0].when.score",
            "score",
            "not one that is known here",
        ),
        ("[ana, {rep: ben, weight: 0.5}]", "[]", "routing.pools.dach-ae.members", "[", "at least 1"),
        ("weight: 0.5", "weight: 0", "routing.pools.dach-ae.members[1].weight", "0", "a number above 0"),
        ("rep: ben", "rep: ana", "routing.pools.dach-ae.members", "[", "expected each rep once"),
        ("[cem]", "[cem], open_limit: 0", "routing.pools.triage.open_limit", "0", "a number above 0"),
        ("[cem]", "[cem], daily_limit: 2.5", "routing.pools.triage.daily_limit", "2.5", "a whole number"),
        (
            "{widen: triage}",
            "{widen: x}",
            "routing.pools.dach-ae.when_nobody.widen",
            "x",
            "a pool of this pact",
        ),
        ("{widen: triage}", "wait", "routing.pools.dach-ae.when_nobody", "wait", "hold, {overflow: REP}"),
        (
            "{widen: triage}",
            "{widen: dach-ae}",
            "routing.pools.dach-ae.when_nobody.widen",
            "dach-ae",
            "lead back here",
        ),
        (
            "to: dach-ae",
            "to: dach-ea",
            "routing.rules[1].to",
            "dach-ea",
            "(dach-ae, triage or account.owner)",
        ),
        ("name: DACH", "name: owner", "routing.rules[1].name", "owner", "again, after line 21"),
        (
            "when: {country: [DE, AT, CH]}",
            "when: ",
            "routing.rules[1].when",
            "when",
            "the whole line left out",
        ),
        ("  fallback: triage\n", "", "routing", "routing", "expected `fallback` here, found nothing"),
        ("fallback: triage", "fallback: dach", "routing.fallback", "dach", "a pool of this pact"),
        (
            "s: {intent: demo_request}",
            "s: {intent: demo}",
            "sla.first-touch.applies.intent",
            "demo",
            "an intent of a source",
        ),
        (
            "s: {intent: demo_request}",
            "s: {source: web}",
            "sla.first-touch.applies.source",
            "web",
            "a source of this pact",
        ),
        (
            "s: {intent: demo_request}",
            "s: {band: hott}",
            "sla.first-touch.applies.band",
            "hott",
            "a band of this pact",
        ),
        (
            "2 business hours",
            "1 day",
            "sla.first-touch.first_touch_within",
            "1 day",
            "24 hours or 1 business day",
        ),
        ("2 business hours", "0 hours", "sla.first-touch.first_touch_within", "0 hours", "more than zero"),
        (
            "warn_at",
            "calendar: dahc\n    warn_at",
            "sla.first-touch.calendar",
            "dahc",
            "(rep, pool, lead or dach)",
        ),
        ("[50%, 80%]", "[80%, 50%]", "sla.first-touch.warn_at", "[", "warnings in rising order"),
        ("[50%, 80%]", "[100%]", "sla.first-touch.warn_at[0]", "100%", "a share from 1% to 99%"),
        ("at_most: 3", "at_most: -1", "sla.first-touch.on_breach.reassign.at_most", "-1", "at least 0"),
        (
            ", then: {escalate: boss}",
            "",
            "sla.first-touch.on_breach",
            "{",
            "expected `then` beside `reassign`",
        ),
        (
            "outcome: disqualify",
            "outcome: drop",
            "rejection_reasons.bad_data.outcome",
            "drop",
            "recycle, nurture",
        ),
        ("  bad_data:", "  Bad Data:", "rejection_reasons.Bad Data", "Bad Data", "a name of small letters"),
        (
            "[ana, {rep: ben, weight: 0.5}]",
            "[&a ana, *a]",
            "routing.pools.dach-ae.members[1]",
            "&a ana",
            "an anchor used more",
        ),
        ("pact: small", "pact: small\n? [a]\n: b", "", "[", "expected a word before the colon, found a list"),
        (
            "rep: ben",
            "rep: !!binary YW5h",
            "routing.pools.dach-ae.members[1].rep",
            "!!binary YW5h",
            "a plain value",
        ),
        (
            "14 days",
            "14 days, half_life: 7 days",
            "scoring.engagement.half_life",
            "half_life",
            "each key once",
        ),
    ],
)
def test_each_mistake_gets_a_clear_answer_at_its_place(
    written: str, instead: str, where: str, underlined: str, message: str
) -> None:
    text = pact_with(written, instead)
    problem = the_problem_of(text)
    line = text.splitlines()[problem.line - 1]
    assert problem.where == where
    assert line[problem.column - 1 :][: problem.width] == underlined
    assert message in problem.message


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the sections of a pact"),
        ("# nothing yet\n", 1, 1, "the sections of a pact"),
        ("- a\n- list\n", 1, 1, "found a list"),
        ("pact: small\nsources: {demo: {employees: >= 50}}\n", 2, 29, 'a comparison in quotes: ">= 50"'),
        ("pact: small: or not\n", 1, 12, "a text that holds a colon needs quotes"),
        ("pact: small\n\tversion: 1\n", 2, 1, "indent with spaces"),
        ("pact: 'small\n", 2, 1, "found unexpected end of stream"),
        ("pact: [a, b\nversion: 1\n", 2, 8, "expected ',' or ']'"),
        ("pact: *small\n", 1, 7, "a text that begins with * needs quotes"),
        ("pact: small\nversion: \x07\n", 2, 10, "special characters are not allowed"),
        ("pact: a\n---\npact: b\n", 2, 1, "found another document"),
        ("[" * 1500, 1, 1, "expected at most 40 levels, found more"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_where_it_goes_wrong(
    text: str, line: int, column: int, message: str
) -> None:
    problem = problems_of(text)[0]
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


@pytest.mark.parametrize("depth", [30, 40, 100, 250])
def test_a_condition_deeper_than_anybody_can_follow_is_refused(depth: int) -> None:
    deep = "{not: " * depth + "{country: DE}" + "}" * depth
    text = pact_with("{country: [DE, AT, CH]}", deep)
    if depth == 30:
        assert parse_pact(text).fingerprint
    else:
        assert "expected at most 40 levels, found more" in problems_of(text)[0].message


def test_yaml_is_read_by_the_rules_of_1_2() -> None:
    text = pact_with("[DE, AT, CH]", "[NO, SE]").replace("pact: small", "pact: off")
    pact = parse_pact(text)
    assert pact.pact == "off"
    rule = pact.routing.rules[1]
    assert rule.when is not None
    assert rule.when.holds({"country": "NO"})


def test_the_phrases_of_a_pact_become_values() -> None:
    pact = parse_pact(SMALL_PACT)
    vendor, fair = pact.sources["vendor"], pact.sources["fair"]
    assert vendor.kind == "syndication"
    assert fair.kind == "event_scan"
    assert vendor.cap is not None
    assert vendor.accept is not None
    assert (vendor.intent, vendor.cap.count, vendor.cap.per) == ("content_download", 500, "month")
    assert str(vendor.cost_per_lead) == "45 EUR"
    assert vendor.accept.holds({"country": "AT"})
    assert fair.ends == datetime(2026, 4, 24, 16, 0, tzinfo=UTC)
    assert [(member.rep, member.weight) for member in pact.routing.pools["dach-ae"].members] == [
        ("ana", 1),
        ("ben", 0.5),
    ]
    assert pact.sla["first-touch"].warn_at == (Share(50), Share(80))
    assert pact.scoring.engagement.points["webinar"].once
    assert pact.qualification.mql is not None
    assert pact.qualification.mql.any is not None
    assert pact.qualification.mql.any[1].holds({"did": {"webinar"}})


@pytest.mark.parametrize(
    ("score", "band"), [(80, "hot"), (79.9, "warm"), (50, "warm"), (49, "cold"), (-20, "cold")]
)
def test_every_score_has_a_band(score: float, band: str) -> None:
    assert parse_pact(SMALL_PACT).scoring.bands.of(score) == band


def test_two_files_that_agree_on_the_same_have_the_same_fingerprint() -> None:
    agreed = parse_pact(SMALL_PACT).fingerprint
    assert (
        agreed
        == parse_pact(
            "# signed in Berlin\n" + SMALL_PACT.replace("2 business hours", '"2  business hours"')
        ).fingerprint
    )
    assert (
        agreed == parse_pact(pact_with("[50%, 80%]", "[50%, 80%]\n    calendar: rep  # as usual")).fingerprint
    )
    assert len(agreed) == 64


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("2 business hours", "3 business hours"),
        ("weight: 0.5", "weight: 0.6"),
        ("[DE, AT, CH]", "[DE, CH, AT]"),
        ("at_most: 3", "at_most: 2"),
        ("cap: 500 per month", "cap: 500 per week"),
        ("14 days", "15 days"),
        ("T18:00", "T18:01"),
        ("45 EUR", "45 USD"),
        ("[50%, 80%]", "[50%, 81%]"),
        ('{mon-fri: "09:00-17:00"}', '{mon-fri: "09:00-17:01"}'),
        ('warm: ">= 50"', 'warm: ">= 51"'),
    ],
)
def test_whatever_is_agreed_differently_changes_the_fingerprint(written: str, instead: str) -> None:
    assert parse_pact(pact_with(written, instead)).fingerprint != parse_pact(SMALL_PACT).fingerprint


def test_a_pact_dumped_and_read_again_is_the_same_pact() -> None:
    pact = parse_pact(SMALL_PACT)
    dumped = pact.model_dump(mode="json", by_alias=True, exclude_none=True)
    again = type(pact).model_validate(dumped)
    assert again == pact
    assert again.fingerprint == pact.fingerprint


def test_a_rule_after_one_for_every_lead_cannot_be_reached() -> None:
    everyone = "    - {name: everyone, to: triage}\n  fallback"
    problem = the_problem_of(
        SMALL_PACT.replace("  fallback", everyone).replace(
            "  fallback", "    - {name: late, to: dach-ae}\n  fallback"
        )
    )
    assert problem.where == "routing.rules[3]"
    assert "the rule in line 23 always forestalls" in problem.message


def test_a_rule_that_asks_what_an_earlier_one_asked_cannot_be_reached() -> None:
    again = "    - {name: DACH again, when: {country: [DE, AT, CH]}, to: triage}\n  fallback"
    assert the_problem_of(SMALL_PACT.replace("  fallback", again)).where == "routing.rules[2]"


def test_a_rule_for_account_owners_leaves_leads_for_the_rules_after_it() -> None:
    parse_pact(pact_with(", when: {account.owner: present}, to", ", to"))


def test_a_misspelt_field_is_one_mistake_not_two() -> None:
    problem = the_problem_of(pact_with("fallback: triage", "falback: triage"))
    assert (problem.where, problem.suggestion) == ("routing.falback", "fallback")


def test_a_name_that_cannot_be_one_is_not_also_called_unknown() -> None:
    problem = the_problem_of(pact_with("cem], calendar: dach", "cem], calendar: Dach"))
    assert (problem.where, problem.suggestion) == ("routing.pools.triage.calendar", "dach")


def test_a_pact_is_read_from_a_file_and_named_after_it(tmp_path: Path) -> None:
    file = tmp_path / "pact.yaml"
    file.write_text("\ufeff" + SMALL_PACT, encoding="utf-8")
    assert read_pact(file) == parse_pact(SMALL_PACT)
    file.write_text(pact_with("fallback: triage", "fallback: dach"), encoding="utf-8")
    with pytest.raises(PactErrors, match=r"pact\.yaml has 1 mistake"):
        read_pact(file)


def test_a_file_that_is_no_text_is_refused_at_its_first_bad_byte(tmp_path: Path) -> None:
    file = tmp_path / "pact.yaml"
    file.write_bytes("pact: small\n# für\n".encode("cp1252"))
    with pytest.raises(PactErrors) as refused:
        read_pact(file)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.found) == (2, 4, "the byte 0xfc")


def test_a_text_far_too_long_to_be_a_pact_is_refused_unread() -> None:
    problem = the_problem_of(SMALL_PACT + "#" * 300_000)
    assert "at most 262144 characters" in problem.message


@given(st.text(max_size=200))
def test_any_text_is_a_pact_or_refused_with_a_place(text: str) -> None:
    for problem in problems_of(text):
        assert problem.line >= 1
        assert problem.column >= 1
        assert render(problem, text)


@given(st.data())
def test_a_pact_with_a_piece_cut_out_is_read_or_refused_with_a_place(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL_PACT) - 1))
    end = data.draw(st.integers(start + 1, min(start + 60, len(SMALL_PACT))))
    text = SMALL_PACT[:start] + SMALL_PACT[end:]
    try:
        parse_pact(text)
    except PactErrors as refused:
        for problem in refused.problems:
            assert render(problem, text).startswith(f"pact.yaml:{problem.line}:{problem.column} ")


TARGET, ACTS = "first_touch_within: 2 business hours", "{reassign: {at_most: 3}, then: {escalate: boss}}"


@pytest.mark.parametrize(
    ("written", "instead", "where", "suggestion", "message"),
    [
        (TARGET, "first_touch_whithin: 1 hour", "first_touch_whithin", "first_touch_within", ""),
        (TARGET, "decide_withn: 2 business hours", "decide_withn", "decide_within", ""),
        (
            TARGET,
            f"{TARGET}\n    attempts: 5 within 9 hours",
            "",
            "",
            "a promise is of one kind: make two of it",
        ),
        (
            TARGET,
            "attempts: five times",
            "attempts",
            "",
            'attempts such as "5 within 10 business days over 2',
        ),
        (TARGET, "attempts: 5 within 1 day", "attempts", "", "'1 day' could be 24 hours or 1 business day"),
        (
            TARGET,
            "attempts: 2 within 3 hours over 3 channels",
            "attempts",
            "",
            "at most as many channels as attempts",
        ),
        (TARGET, f"{TARGET}\n    starts: asigned", "starts", "assigned", "assigned, qualified or received"),
        (
            TARGET,
            f"{TARGET}\n    stops: [contactd]",
            "stops[0]",
            "contacted",
            "contacted, accepted, meeting_booked",
        ),
        (TARGET, f"{TARGET}\n    stops: []", "stops", "", "at least 1 of them"),
        (TARGET, f"{TARGET}\n    starts: received\n    calendar: rep", "", "", "belongs to no single owner"),
        (TARGET, f"{TARGET}\n    starts: qualified", "", "", "nobody can lose the lead by it"),
        (TARGET, f"{TARGET}\n    calendar: rep and led", "calendar", "lead", "a calendar of this pact"),
        (TARGET, f"{TARGET}\n    calendar: rep and rep", "calendar", "", "or two different ones"),
        (TARGET, f"{TARGET}\n    owner_away: paus", "owner_away", "pause", "run, pause or reassign"),
        (
            TARGET,
            f"{TARGET}\n    pause_while: [On Hold]",
            "pause_while[0]",
            "on-hold",
            "a name of small letters",
        ),
        ("[50%, 80%]", "[50%, soon]", "warn_at[1]", "", 'time left such as "15 business minutes left"'),
        (
            TARGET,
            "attempts: 5 within 9 hours\n    owner_away: paus",
            "owner_away",
            "pause",
            "run, pause or reassign",
        ),
        ("[50%, 80%]", "[50%, 15 minutes left]", "", "", "in the same kind of time as the target"),
        ("[50%, 80%]", "[50%, 2 business hours left]", "", "", "less time than the target"),
        (
            "[50%, 80%]",
            "[50%, 1 business day left]",
            "warn_at[1]",
            "",
            "less time than the target, 2 business hours",
        ),
        (
            TARGET,
            "attempts: 5 within 1 business day\n    apart: 4 business hours",
            "apart",
            "",
            "at most 2 h between 5 attempts within 1 business day",
        ),
        ("[50%, 80%]", "[1 business hour left, 1 business hour left]", "warn_at", "", "each warning once"),
        (
            ACTS,
            "{escalate: a, reassign: {at_most: 1}, then: {escalate: b}}",
            "on_breach",
            "",
            "`escalate` decides at once",
        ),
        (ACTS, "{then: {escalate: b}}", "on_breach", "", "to decide at once, write `escalate`"),
        (ACTS, "{take_offline: yes}", "on_breach.take_offline", "", "true or false"),
        (ACTS, "{give_back: true}", "on_breach", "", "without it nobody loses the lead"),
        (ACTS, "anounce", "on_breach", "announce", "announce, {escalate: PERSON} or {reassign"),
        (ACTS, "{escalte: boss}", "on_breach", "escalate", "announce, {escalate: PERSON} or {reassign"),
        (ACTS, "reasign", "on_breach", "", "announce, {escalate: PERSON} or {reassign"),
    ],
)
def test_each_mistake_in_a_promise_gets_a_clear_answer(
    written: str, instead: str, where: str, suggestion: str, message: str
) -> None:
    problem = the_problem_of(pact_with(written, instead))
    assert problem.where == f"sla.first-touch.{where}".removesuffix(".")
    assert problem.suggestion == suggestion
    assert message in str(problem)


@pytest.mark.parametrize(
    ("alerts", "where", "message"),
    [
        ("{quiet: '20:00-20:00'}", "alerts.quiet", "an interval that ends after it starts"),
        ("{quiet: '00:00-24:00'}", "alerts.quiet", "quiet hours that leave some of the day"),
        ("{quiet_days: [every day]}", "alerts", "leave at least one day of the week"),
        ("{quiet_days: [mun]}", "alerts.quiet_days[0]", "weekdays such as"),
    ],
)
def test_quiet_hours_leave_a_time_at_which_people_may_be_told(alerts: str, where: str, message: str) -> None:
    problem = the_problem_of(f"{SMALL_PACT}alerts: {alerts}\n")
    assert problem.where == where
    assert message in str(problem)


def test_every_kind_of_promise_is_read_with_what_it_leaves_out() -> None:
    promises = """
  try:
    attempts: 5 attempts within 10 business days over 2 channels
    apart: 4 business hours
  decide:
    decide_within: 1 business day
    on_breach: {escalate: boss, take_offline: true}
  customer:
    starts: received
    first_touch_within: 24 hours
    warn_at: [50%, 2 hours left]
    calendar: pool and lead
"""
    sla = parse_pact(SMALL_PACT.replace("sla:\n", f"sla:{promises}", 1)).sla
    assert [
        (name, promise.KIND, str(promise.target), promise.whose_hours) for name, promise in sla.items()
    ] == [
        ("try", "attempts", "10 business days", ("rep",)),
        ("decide", "decide", "1 business day", ("rep",)),
        ("customer", "first_touch", "24 hours", ("pool", "lead")),
        ("first-touch", "first_touch", "2 business hours", ("rep",)),
    ]
    acts = sla["decide"].consequences
    assert (acts.reassign_at_most, acts.escalate_to, acts.take_offline) == (None, "boss", True)


@pytest.mark.parametrize(
    ("written", "instead", "where", "suggestion"),
    [
        ('"09:00-17:00"', '"9-17"', "calendars.dach.hours.mon-fri", "09:00-17:00"),
        ('"09:00-17:00"', '"9-5"', "calendars.dach.hours.mon-fri", ""),
        ('"09:00-17:00"', '"9-12:30 13:30-18"', "calendars.dach.hours.mon-fri", "09:00-12:30 13:30-18:00"),
        ('"09:00-17:00"', '"9-12:30 noon"', "calendars.dach.hours.mon-fri", ""),
        ('"09:00-17:00"', '"9-13 12-18"', "calendars.dach.hours.mon-fri", ""),
        ('"09:00-17:00"', '"9-24:30"', "calendars.dach.hours.mon-fri", ""),
        ("mon-fri", "monday - thursday", "calendars.dach.hours.monday - thursday", "mon-thu"),
        ("mon-fri", "lun", "calendars.dach.hours.lun", ""),
        ("mon-fri", "mon-fry", "calendars.dach.hours.mon-fry", "mon-fri"),
        ("mon-fri", "mon-x", "calendars.dach.hours.mon-x", ""),
        ("mon-fri", "mon-fryday", "calendars.dach.hours.mon-fryday", "mon-fri"),
        ("mon-fri", "mo-fr", "calendars.dach.hours.mo-fr", "mon-fri"),
        ("mon-fri", "Monday-Friday", "calendars.dach.hours.Monday-Friday", "mon-fri"),
        ("mon-fri", "Monday to wensday", "calendars.dach.hours.Monday to wensday", "mon-wed"),
        ("mon-fri", "mon–fri", "calendars.dach.hours.mon–fri", "mon-fri"),
        ("mon-fri", "Mon. - Fri.", "calendars.dach.hours.Mon. - Fri.", "mon-fri"),
        ("mon-fri", "mon/fri", "calendars.dach.hours.mon/fri", ""),
        ("mon-fri", "Everyday", "calendars.dach.hours.Everyday", "every day"),
        ("to: account.owner", "to: acount.owner",
         "routing.rules[0].to", "account.owner"),
        ("to: dach-ae", "to: Dach AE", "routing.rules[1].to", "dach-ae"),
    ],
)  # fmt: skip
def test_what_was_meant_is_named_once_at_its_place(
    written: str, instead: str, where: str, suggestion: str
) -> None:
    problem = the_problem_of(pact_with(written, instead))
    assert (problem.where, problem.suggestion) == (where, suggestion)


@pytest.mark.parametrize(
    ("instead", "suggestion"),
    [
        ("hodl", "hold"),
        ("{widden: dach}", "widen"),
        ("{overflw: ana}", "overflow"),
        ("[]", ""),
        ("nobody", ""),
    ],
)
def test_a_misspelt_policy_of_a_pool_is_answered_with_the_one_that_was_meant(
    instead: str, suggestion: str
) -> None:
    text = pact_with("when_nobody: {widen: triage}", f"when_nobody: {instead}")
    problem = the_problem_of(text)
    assert problem.where.endswith("when_nobody")
    assert problem.suggestion == suggestion


def test_a_pool_has_one_policy_and_the_word_too_many_is_named() -> None:
    problem = the_problem_of(pact_with("{widen: triage}", "{overflow: ana, widen: triage}"))
    assert problem.where.endswith("when_nobody.widen")
    assert problem.expected == "overflow"


@pytest.mark.parametrize(
    "written",
    [
        "attempts: 5 within 1 business day\n    apart: 2 business hours",
        "attempts: 2 within 2 business hours\n    apart: 5 hours",
        "attempts: 1 within 2 business hours\n    apart: 1 business day",
    ],
)
def test_attempts_that_just_fit_into_their_time_are_taken(written: str) -> None:
    parse_pact(pact_with(TARGET, written))
