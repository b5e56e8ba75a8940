"""`leadpact calendar` answers in sentences, in JSON and in batches, and draws what it answers from."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from leadpact.cli.calendar import app
from leadpact.errors import NotFound, Refused
from leadpact.pact.problem import PactErrors

BERLIN = """
timezone: Europe/Berlin
hours: {mon-thu: "09:00-12:30 13:30-18:00", fri: "09:00-16:00"}
holidays: {country: DE, subdivision: BE}
closed: [2026-12-24, {from: 2026-12-28, to: 2026-12-31}]
exceptions: {2026-12-23: "09:00-12:00"}
"""
FRIDAY = "2026-11-20 15:20"


@pytest.fixture
def berlin(tmp_path: Path) -> list[str]:
    file = tmp_path / "berlin.yaml"
    file.write_text(BERLIN)
    return ["--file", str(file)]


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed, catch_exceptions=False)


def said(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0
    return result.output.strip()


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.output.splitlines()]


def test_a_due_time_is_said_with_the_days_on_which_the_time_was_used(berlin: list[str]) -> None:
    assert said(
        "add", FRIDAY, "2 business hours", *berlin, "--in", "Europe/London", "--in", "Asia/Tokyo"
    ) == (
        "due Mon 2026-11-23 10:20 in Berlin, 09:20 in London, 18:20 in Tokyo; "
        "40 min used on Friday, 1 h 20 min on Monday; Saturday and Sunday closed"
    )


def test_another_zone_says_its_own_day_when_it_is_another(berlin: list[str]) -> None:
    answer = said("add", "2026-11-16 17:00", "1 business hour", *berlin, "--in", "Asia/Tokyo")
    assert answer.startswith("due Mon 2026-11-16 18:00 in Berlin, Tue 2026-11-17 02:00 in Tokyo; ")


def test_holidays_on_the_way_are_named(berlin: list[str]) -> None:
    assert said("add", "2026-12-23 11:30", "1 business hour", *berlin) == (
        "due Mon 2027-01-04 09:30 in Berlin; 30 min used on Wed 23 Dec, 30 min on Mon 4 Jan; "
        "Thu 24 Dec to Sun 3 Jan (Christmas Day, Second Day of Christmas, New Year's Day) closed"
    )


def test_the_first_day_is_named_when_it_is_closed_as_a_whole(berlin: list[str]) -> None:
    weekend = "; 1 h used on Monday; Saturday and Sunday closed"
    assert said("add", "2026-11-21 15:00", "1 business hour", *berlin).endswith(weekend)
    assert said("add", "2026-11-20 17:00", "1 business hour", *berlin).endswith(weekend)
    assert said("add", "2026-12-25 10:00", "1 business hour", *berlin).endswith(
        "; Fri 25 Dec to Sun 3 Jan (Christmas Day, Second Day of Christmas, New Year's Day) closed"
    )


def test_the_last_day_is_named_when_it_is_closed_and_the_way_reaches_into_it(berlin: list[str]) -> None:
    assert said("between", "2026-11-20 15:00", "2026-11-21 00:00", *berlin) == "1 h; 1 h used on Friday"
    assert said("between", "2026-11-20 15:00", "2026-11-21 00:01", *berlin) == (
        "1 h; 1 h used on Friday; Saturday closed"
    )


def test_a_day_that_the_date_line_left_out_was_not_closed(tmp_path: Path) -> None:
    file = tmp_path / "apia.yaml"
    file.write_text('{timezone: Pacific/Apia, hours: {mon-fri: "09:00-17:00"}}')
    assert said("add", "2011-12-29 16:00", "2 business hours", "--file", str(file)) == (
        "due Mon 2012-01-02 10:00 in Apia; 1 h used on Thursday, 1 h on Monday; Saturday and Sunday closed"
    )


def test_a_long_way_is_summed_up(berlin: list[str]) -> None:
    assert said("add", FRIDAY, "20 business days", *berlin).endswith("; over 22 days, 10 closed")


def test_wall_time_says_that_every_hour_counts(berlin: list[str]) -> None:
    assert said("add", FRIDAY, "24 hours", *berlin) == "due Sat 2026-11-21 15:20 in Berlin; every hour counts"


def test_a_time_with_an_offset_is_understood(berlin: list[str]) -> None:
    assert said("add", "2026-11-20T14:20:00Z", "2 business hours", *berlin).startswith(
        "due Mon 2026-11-23 10:20"
    )


def test_a_pause_moves_the_due_time(berlin: list[str]) -> None:
    pause = "2026-11-20 15:20/2026-11-23 09:20"
    assert said("add", FRIDAY, "2 business hours", *berlin, "--pause", pause).startswith(
        "due Mon 2026-11-23 11:20"
    )


def test_the_working_time_between_is_said_by_day(berlin: list[str]) -> None:
    assert said("between", "2026-11-20 15:00", "2026-11-23 10:00", *berlin) == (
        "2 h; 1 h used on Friday, 1 h on Monday; Saturday and Sunday closed"
    )
    assert said("between", "2026-11-23 10:00", "2026-11-20 15:00", *berlin) == "0 min"


def test_open_says_until_when_and_closed_since_when_not(berlin: list[str]) -> None:
    assert said("open", "2026-11-20 15:00", *berlin) == "open until Fri 2026-11-20 16:00 in Berlin"
    assert said("open", "2026-11-20 16:00", *berlin) == "closed; opens Mon 2026-11-23 09:00 in Berlin"


def test_a_calendar_that_never_closes_says_so(tmp_path: Path) -> None:
    file = tmp_path / "always.yaml"
    file.write_text("{timezone: Europe/Berlin, hours: always}")
    assert said("open", "2026-11-20 15:00", "--file", str(file)) == "open; it never closes"


def test_in_an_hour_that_comes_twice_the_first_is_meant_and_both_passes_are_told_apart(
    tmp_path: Path,
) -> None:
    file = tmp_path / "always.yaml"
    file.write_text("{timezone: Europe/Berlin, hours: always}")
    at = ["--file", str(file)]
    assert said("add", "2026-10-25 02:30", "1 business hour", *at, "--in", "Europe/Paris") == (
        "due Sun 2026-10-25 02:30 CET in Berlin, 02:30 CET in Paris; 1 h used on Sunday; "
        "2026-10-25 02:30 comes twice, taken for 02:30 CEST"
    )
    assert said("add", "2026-10-25T02:30+01:00", "1 hour", *at) == (
        "due Sun 2026-10-25 03:30 in Berlin; every hour counts"
    )
    (answer,) = lines(run("add", "2026-10-25 02:30", "1 hour", *at, "--json"))
    assert answer["local"] == "2026-10-25T02:30:00+01:00"
    assert answer["read_as"] == {"2026-10-25 02:30": "2026-10-25T02:30:00+02:00"}


def test_a_pause_that_begins_in_an_hour_that_comes_twice_is_said_too(tmp_path: Path) -> None:
    file = tmp_path / "always.yaml"
    file.write_text("{timezone: Europe/Berlin, hours: always}")
    pause = ["--pause", "2026-10-25 02:15/2026-10-25 03:15"]
    assert said("between", "2026-10-25 00:00", "2026-10-25 04:00", *pause, "--file", str(file)) == (
        "3 h; 3 h used on Sunday; 2026-10-25 02:15 comes twice, taken for 02:15 CEST"
    )


@pytest.mark.parametrize("at", ["2025-10-24 02:30", "2025-03-28 02:30"])
def test_a_year_that_ends_in_a_repeated_or_skipped_hour_is_no_closing(tmp_path: Path, at: str) -> None:
    file = tmp_path / "always.yaml"
    file.write_text("{timezone: Europe/Berlin, hours: always}")
    assert said("open", at, "--file", str(file)) == "open; it never closes"


def test_a_pause_closes_a_calendar_and_its_start_is_the_next_close(berlin: list[str]) -> None:
    paused = [*berlin, "--pause", "2026-11-23 09:30/2026-11-23 11:00"]
    assert said("open", "2026-11-23 09:00", *paused) == "open until Mon 2026-11-23 09:30 in Berlin"
    assert said("open", "2026-11-23 10:00", *paused) == "closed; opens Mon 2026-11-23 11:00 in Berlin"
    assert said("open", "2026-11-23 11:00", *paused) == "open until Mon 2026-11-23 12:30 in Berlin"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_last_day_that_a_calendar_knows_is_answered_in_sentences_too(tmp_path: Path, zone: str) -> None:
    file = tmp_path / "last.yaml"
    file.write_text(f'timezone: {zone}\nhours: {{mon-fri: "09:00-17:00"}}\n')
    at = ["--file", str(file)]
    assert "; 1 h used on Tuesday" in said("add", "2199-12-31 09:00", "1 business hour", *at)
    assert said("between", "2199-12-31 09:00", "2199-12-31 10:00", *at) == "1 h; 1 h used on Tuesday"
    assert "open until Tue 2199-12-31 17:00" in said("open", "2199-12-31 10:00", *at)


def test_working_time_is_counted_up_to_the_very_end_of_what_a_calendar_knows(tmp_path: Path) -> None:
    file = tmp_path / "always.yaml"
    file.write_text('timezone: UTC\nhours: {mon-sun: "00:00-24:00"}\n')
    at = ["--file", str(file)]
    assert said("between", "2199-12-31 23:00", "2200-01-01 00:00", *at).startswith("1 h; ")
    assert said("open", "2199-12-31 10:00", *at) == "open; it never closes"
    with pytest.raises(Refused, match="1970 to 2199"):
        run("between", "2199-12-31 23:00", "2200-01-01 00:01", *at)


def test_json_answers_are_one_object(berlin: list[str]) -> None:
    assert lines(run("add", FRIDAY, "2 business hours", *berlin, "--json")) == [
        {"due_at": "2026-11-23T09:20:00+00:00", "local": "2026-11-23T10:20:00+01:00"}
    ]
    assert lines(run("between", "2026-11-20 15:00", "2026-11-23 10:00", *berlin, "--json")) == [
        {"business_seconds": 7200.0}
    ]
    assert lines(run("open", "2026-11-20 15:00", *berlin, "--json")) == [
        {"open": True, "closes_at": "2026-11-20T16:00:00+01:00"}
    ]


def test_other_zones_are_part_of_json_answers_too(berlin: list[str]) -> None:
    question = {"start": FRIDAY, "duration": "2 business hours"}
    london = ["--in", "Europe/London"]
    (one,) = lines(run("add", *question.values(), *berlin, *london, "--json"))
    (of_batch,) = lines(run("add", *berlin, *london, "--batch", "-", typed=json.dumps(question)))
    assert one["in"] == of_batch["in"] == {"Europe/London": "2026-11-23T09:20:00+00:00"}


# Batches


def test_a_batch_answers_every_line_and_keeps_what_came_with_it(berlin: list[str]) -> None:
    questions = [
        {"id": 7, "start": FRIDAY, "duration": "2 business hours"},
        {"id": 8, "start": FRIDAY, "duration": "1 business day", "pauses": [[FRIDAY, "2026-11-23 09:00"]]},
    ]
    result = run("add", *berlin, "--batch", "-", typed="\n".join(map(json.dumps, questions)))
    assert result.exit_code == 0
    assert [(line["id"], line["local"]) for line in lines(result)] == [
        (7, "2026-11-23T10:20:00+01:00"),
        (8, "2026-11-23T18:00:00+01:00"),
    ]


def test_a_line_that_cannot_be_answered_says_why_and_the_others_are(berlin: list[str]) -> None:
    typed = "\n".join(
        [
            '{"start": "2026-11-20 15:20", "duration": "1 day"}',
            "hello",
            "[]",
            '{"start": "noon", "duration": "24 hours"}',
            '{"start": "2026-11-20 15:20"}',
            '{"start": "2026-11-20 15:20", "duration": "24 hours", "pauses": ["x"]}',
            '{"start": "2026-11-20 15:20", "duration": "24 hours"}',
        ]
    )
    result = run("add", *berlin, "--batch", "-", typed=typed)
    *wrong, right = lines(result)
    assert result.exit_code == 1
    assert right["local"] == "2026-11-21T15:20:00+01:00"
    for line, why in zip(
        wrong,
        [
            "24 hours or 1 business day",
            "not JSON",
            "a JSON object",
            "is not a time",
            "say the duration",
            "from/to",
        ],
        strict=True,
    ):
        assert why in line["error"]


def test_a_batch_may_come_from_a_file_and_ask_each_question(berlin: list[str], tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"from": "2026-11-20 15:00", "to": "2026-11-23 10:00"}\n\n')
    assert lines(run("between", *berlin, "--batch", str(file)))[0]["business_seconds"] == 7200
    file.write_text('{"at": "2026-11-20 16:00"}\n')
    assert lines(run("open", *berlin, "--batch", str(file)))[0]["opens_at"] == "2026-11-23T09:00:00+01:00"


def test_a_batch_about_open_heeds_pauses(berlin: list[str]) -> None:
    question = {"at": "2026-11-23 10:00", "pauses": ["2026-11-23 09:30/2026-11-23 11:00"]}
    (answer,) = lines(run("open", *berlin, "--batch", "-", typed=json.dumps(question)))
    assert (answer["open"], answer["opens_at"]) == (False, "2026-11-23T11:00:00+01:00")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"at": "2026-11-23 10:00", "pauses": 5}', "pauses are a list"),
        ('{"at": "2026-11-23 10:00", "pauses": "2026-11-23 09:30/2026-11-23 11:00"}', "pauses are a list"),
        ('{"at": "2026-11-23 10:00", "pauses": [5]}', "a pause is two times"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_no_line_keeps_those_after_it_from_an_answer(berlin: list[str], line: str, why: str) -> None:
    typed = f'{line}\n{{"at": "2026-11-23 10:00", "id": "\\ud800 é"}}\n'
    wrong, right = lines(run("open", *berlin, "--batch", "-", typed=typed))
    assert why in wrong["error"]
    assert (right["open"], right["id"]) == (True, "\ud800 é")


@pytest.mark.parametrize("slip", ["pause", "Pauses", "paused", "puases"])
def test_a_field_that_looks_like_a_missing_one_is_refused(berlin: list[str], slip: str) -> None:
    question = {"from": FRIDAY, "to": "2026-11-23 10:00", slip: ["2026-11-20 15:30/2026-11-23 09:30"]}
    (answer,) = lines(run("between", *berlin, "--batch", "-", typed=json.dumps(question)))
    assert answer["error"] == f"{slip!r} is no field of this question; did you mean 'pauses'?"


def test_fields_that_look_like_none_come_back(berlin: list[str]) -> None:
    own = {"id": 7, "state": "open", "users": 3, "cat": "a", "form": "demo", "date": "2026-11-20"}
    (answer,) = lines(run("open", *berlin, "--batch", "-", typed=json.dumps({"at": FRIDAY, **own})))
    assert own.items() <= answer.items()
    assert answer["open"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", FRIDAY, "24 hours"],
        ["add", "--pause", "2026-11-20 15:30/2026-11-20 15:40"],
        ["between", FRIDAY, FRIDAY],
        ["open", FRIDAY],
    ],
)
def test_a_question_beside_a_batch_is_refused(berlin: list[str], arguments: list[str]) -> None:
    with pytest.raises(Refused, match="brings its own questions"):
        run(*arguments, *berlin, "--batch", "-", typed="")


# Pictures


def test_the_week_is_drawn_by_half_hours(tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text('{timezone: UTC, hours: {mon: "09:00-12:30 13:15-18:00", fri: "22:00-06:00"}}')
    shown = said("show", "--file", str(file), "--year", "2026").splitlines()
    week = shown[3:10]
    assert week[0] == "Mon  ··················███████·▌█████████············  09:00-12:30 13:15-18:00"
    assert week[4] == "Fri  ············································████  22:00-06:00"
    assert shown[10].strip() == "█ open  ▌ open for a part of the half hour  · closed"
    assert week[5] == "Sat  ████████████····································  closed"


def test_the_year_shows_holidays_closed_days_and_own_hours(berlin: list[str]) -> None:
    shown = said("show", *berlin, "--year", "2026")
    assert shown.startswith("berlin: Europe/Berlin, 39 h a week, a business day is 8 h\n")
    assert "Dec   ■■■■··■■■■■··■■■■■··■■±xHH·xxxx" in shown
    assert "Fri 2026-12-25  Christmas Day" in shown
    assert "Wed 2026-12-23  09:00-12:00" in shown
    assert "Feb   ·■■■■■··■■■■■··■■■■■··■■■■■·\n" in shown


def test_show_as_json_holds_the_same(berlin: list[str]) -> None:
    (shown,) = lines(run("show", *berlin, "--year", "2026", "--json"))
    assert shown["weekly_seconds"]["4"] == [[32_400, 57_600]]
    assert shown["business_day_seconds"] == 28_800
    assert shown["holidays"]["2026-03-08"] == "Women's Day"
    assert shown["exceptions"]["2026-12-24"] == []


# Which calendar


def test_a_calendar_of_the_example_pact_is_found_by_name() -> None:
    pact = ["--pact", "examples/acme/pact.yaml"]
    assert "Berlin" in said("add", FRIDAY, "2 business hours", *pact, "--calendar", "berlin")
    with pytest.raises(NotFound, match="did you mean 'berlin'"):
        run("add", FRIDAY, "2 business hours", *pact, "--calendar", "berln")
    with pytest.raises(Refused, match="name one with --calendar: berlin"):
        run("add", FRIDAY, "2 business hours", *pact)


def test_exactly_one_source_of_a_calendar_is_needed(berlin: list[str]) -> None:
    with pytest.raises(Refused, match="a --file holds one alone"):
        run("open", FRIDAY, *berlin, "--calendar", "berlin")
    with pytest.raises(Refused, match="say which calendar"):
        run("open", FRIDAY)
    with pytest.raises(Refused, match="say which calendar"):
        run("open", FRIDAY, *berlin, "--pact", "examples/acme/pact.yaml")


def test_questions_that_cannot_be_read_are_named(berlin: list[str], tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.jsonl: No such file"):
        run("add", *berlin, "--batch", str(tmp_path / "none.jsonl"))
    binary = tmp_path / "questions.xlsx"
    binary.write_bytes(b"PK\xff")
    with pytest.raises(Refused, match="is no text in UTF-8"):
        run("add", *berlin, "--batch", str(binary))


def test_a_missing_file_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"nowhere\.yaml"):
        run("open", FRIDAY, "--file", "nowhere.yaml")


def test_a_mistake_in_a_calendar_file_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text('timezone: Europe/Berlin\nhours: {mon: "9-17"}\n')
    with pytest.raises(PactErrors, match="in line 2: expected an interval") as refused:
        run("open", FRIDAY, "--file", str(file))
    assert refused.value.problems[0].column == 14


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", FRIDAY, "1 day"], "24 hours or 1 business day"),
        (["add", "yesterday", "1 business day"], "is not a time such as"),
        (["add", FRIDAY], "say the duration"),
        (["between", FRIDAY], "say the to"),
        (["add", FRIDAY, "24 hours", "--in", "Europe/Lndon"], "did you mean 'Europe/London'"),
        (["add", "2300-01-01 10:00", "1 business hour"], "1970 to 2199"),
        (["add", "0001-01-01 00:00", "1 business hour"], "1970 to 2199"),
        (["add", "9999-12-31T23:59-14:00", "1 business hour"], "1970 to 2199"),
        (["add", FRIDAY, "24 hours", "--in", "Nowhere/X"], "is no time zone$"),
        (["add", "2026-03-29 02:30", "1 hour"], r"does not exist in Europe/Berlin.*\+01:00 or .*\+02:00$"),
        (["add", FRIDAY, "1 hour", "--pause", f"{FRIDAY}/2026-03-29 02:00"], "does not exist"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_reason(
    berlin: list[str], arguments: list[str], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        run(*arguments, *berlin)
