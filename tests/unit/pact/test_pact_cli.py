from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadpact.cli.pact import app
from leadpact.pact.read import parse_pact
from leadpact.pact.schema import pact_json_schema
from tests.support.pacts import SMALL_PACT, pact_with


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pact.yaml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_pact_without_mistakes_is_said_to_have_none(file: Path) -> None:
    file.write_text(SMALL_PACT, encoding="utf-8")
    result = run("check", file)
    assert result.exit_code == 0
    assert "no mistakes" in result.stdout
    assert "pools 2 with 3 reps" in result.stdout


def test_mistakes_are_shown_in_their_lines_and_end_with_exit_code_3(file: Path) -> None:
    file.write_text(
        pact_with("fallback: triage", "fallback: triag").replace("pact: small", "pact: 1"), encoding="utf-8"
    )
    result = run("check", file)
    assert result.exit_code == 3
    assert f"{file}:1:7 pact: expected a text, found 1" in result.stdout
    assert '^^^^^ did you mean "triage"?' in result.stdout
    assert result.stdout.endswith("2 mistakes\n")


def test_a_file_that_is_not_there_ends_with_exit_code_4(file: Path) -> None:
    result = run("check", file)
    assert result.exit_code == 4
    assert "No such file" in result.stderr


def test_bytes_that_are_no_text_end_with_exit_code_3(file: Path) -> None:
    file.write_bytes(b"pact: \xff\n")
    result = run("check", file)
    assert result.exit_code == 3
    assert ":1:7 expected text in UTF-8, found the byte 0xff" in result.stdout


def test_tools_get_the_answer_as_one_json_object(file: Path) -> None:
    file.write_text(SMALL_PACT, encoding="utf-8")
    approved = json.loads(run("check", "--json", file).stdout)
    assert approved["ok"] is True
    assert approved["fingerprint"] == parse_pact(SMALL_PACT).fingerprint
    file.write_text(pact_with("fallback: triage", "fallback: triag"), encoding="utf-8")
    result = run("check", "--json", file)
    (problem,) = json.loads(result.stdout)["problems"]
    assert result.exit_code == 3
    assert (problem["line"], problem["column"], problem["suggestion"]) == (23, 13, "triage")
    assert problem["message"] == 'expected a pool of this pact (dach-ae or triage), found "triag"'


def test_the_schema_is_printed_for_editors() -> None:
    result = run("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == pact_json_schema()
