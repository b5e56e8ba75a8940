from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leadpact.pact.schema import pact_json_schema, pact_json_schema_text
from leadpact.pact.yaml_tree import read_yaml
from tests.support.pacts import SMALL_PACT, pact_with

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(pact_json_schema())


def objections(text: str) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(read_yaml(text, "pact.yaml").data)]


def test_the_schema_is_a_schema_of_2020_12() -> None:
    assert pact_json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(pact_json_schema())


def test_the_published_schema_is_the_one_of_this_version() -> None:
    published = (ROOT / "docs" / "pact.schema.json").read_text(encoding="utf-8")
    assert published == pact_json_schema_text(), "run `leadpact pact schema > docs/pact.schema.json`"
    assert json.loads(published) == pact_json_schema()


def test_a_pact_that_is_read_satisfies_the_schema() -> None:
    assert objections(SMALL_PACT) == []


@pytest.mark.parametrize(
    ("written", "instead", "path"),
    [
        ("pact: small", "pakt: small", "$"),
        ("fallback: triage", "fallback: [triage]", "$.routing.fallback"),
        ("{country: [DE, AT]}", "{contry: [DE, AT]}", "$.sources.vendor"),
        (
            "{country: [DE, AT, CH]}",
            "{all: [{not: {employees: many}}]}",
            "$.routing.rules[1].when.all[0].not.employees",
        ),
        ("outcome: disqualify", "outcome: drop", "$.rejection_reasons.bad_data.outcome"),
        ("  bad_data:", "  Bad Data:", "$.rejection_reasons"),
        ("[50%, 80%]", "[50]", "$.sla['first-touch']"),
        ("{widen: triage}", "{widen: triage, overflow: ana}", "$.routing.pools['dach-ae'].when_nobody"),
        ("weight: 0.5", "weight: 0", "$.routing.pools['dach-ae'].members[1]"),
        ("when: {country: [DE, AT, CH]}", "when: ", "$.routing.rules[1].when"),
    ],
)
def test_the_schema_objects_to_what_has_the_wrong_shape(written: str, instead: str, path: str) -> None:
    assert path in objections(pact_with(written, instead))


def test_every_section_is_described_for_whoever_writes_it() -> None:
    sections: dict[str, Any] = pact_json_schema()["$defs"]
    assert [name for name, section in sections.items() if not section.get("description")] == []
    assert sections["Pool"]["properties"]["open_limit"]["description"]
