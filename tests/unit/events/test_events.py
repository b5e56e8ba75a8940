"""The shape of every event is on record: a change of shape is a diff of a golden file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from leadpact.errors import Poison
from leadpact.events import EVENTS, Event, LeadCaptured, Message, SlaBreached, decode
from leadpact.ids import EventId, new_id
from tests.support.event_examples import EXAMPLES
from tests.support.fake_clock import TUESDAY_MORNING

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TYPE)
def test_an_event_looks_like_its_golden_file_and_reads_back_equal(kind: type[Event]) -> None:
    example = EXAMPLES[kind]
    golden = GOLDEN / f"{kind.TYPE}.json"
    text = json.dumps(json.loads(example.to_json()), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("LEADPACT_TEST_RENEW_GOLDEN"):
        golden.write_text(text)

    assert golden.read_text() == text
    assert kind.model_validate_json(golden.read_text()) == example


def test_every_event_has_a_name_of_its_own_in_the_past_tense_with_a_version() -> None:
    names = [event.TYPE for event in EVENTS]
    assert len(set(names)) == len(names)
    assert {name.split(".")[0] for name in names} == {"leadpact"}
    assert {name.split(".")[-1] for name in names} == {"v1"}
    assert all(len(name.split(".")) == 4 for name in names)


def test_every_golden_file_belongs_to_an_event() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == {event.TYPE for event in EVENTS}


def test_an_event_cannot_be_changed() -> None:
    event = EXAMPLES[SlaBreached]
    with pytest.raises(ValidationError, match="frozen"):
        event.occurred_at = TUESDAY_MORNING  # type: ignore[misc]  # what the test is about


def test_fields_of_a_later_version_are_ignored() -> None:
    event = EXAMPLES[SlaBreached]
    later: dict[str, Any] = {**json.loads(event.to_json()), "mood": "grim"}
    assert SlaBreached.model_validate(later) == event


def message(data: str, type_: str = LeadCaptured.TYPE) -> Message:
    return Message(
        EventId(new_id()), type_, "/leadpact/ingest", "leadpact.inbound", "key", TUESDAY_MORNING, data
    )


def test_an_event_that_nobody_here_knows_is_no_fault() -> None:
    assert decode(message("{}", "leadpact.lead.praised.v1"), {LeadCaptured.TYPE: LeadCaptured}) is None


def test_an_unreadable_event_is_poison_and_its_content_is_not_repeated() -> None:
    with pytest.raises(Poison, match="source") as caught:
        decode(message('{"receipt_id": "secret@acme.example"}'), {LeadCaptured.TYPE: LeadCaptured})
    assert "secret@acme.example" not in str(caught.value)
