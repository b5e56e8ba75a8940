"""docs/asyncapi.json says what stands on the topics: it is made from the event classes and agrees with real records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, FormatChecker

from leadpact.bus.cloud_events import to_record
from leadpact.events import EVENTS, Event, Message
from leadpact.ids import EventId, new_id
from scripts.generate_asyncapi import DOCUMENT, asyncapi_text
from tests.support.event_examples import EXAMPLES

PUBLISHED: dict[str, Any] = json.loads(DOCUMENT.read_text())


def test_the_published_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == asyncapi_text(), "run `python scripts/generate_asyncapi.py`"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_every_event_stands_on_the_channel_of_its_topic(event: type[Event]) -> None:
    channels = [
        channel["address"]
        for channel in PUBLISHED["channels"].values()
        if event.__name__ in channel["messages"]
    ]

    assert channels == [event.TOPIC]
    assert PUBLISHED["components"]["messages"][event.__name__]["name"] == event.TYPE


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_a_record_on_kafka_is_as_the_document_says(event: type[Event]) -> None:
    example = EXAMPLES[event]
    cause = EventId(new_id())
    message = Message(
        EventId(new_id()),
        event.TYPE,
        "/leadpact/router",
        event.TOPIC,
        example.key,
        example.occurred_at,
        example.to_json(),
        cause,
    )
    record = to_record(message)
    described = PUBLISHED["components"]["messages"][event.__name__]

    _validator(described["payload"]).validate(json.loads(record.value))
    headers = PUBLISHED["components"]["messageTraits"]["cloudEvent"]["headers"]
    _validator(headers).validate({name: value.decode() for name, value in record.headers})
    assert {name for name, _ in record.headers} == set(headers["properties"])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)
def test_the_example_in_the_document_fits_its_schema(event: type[Event]) -> None:
    described = PUBLISHED["components"]["messages"][event.__name__]

    (example,) = described["examples"]
    _validator(described["payload"]).validate(example["payload"])


def _validator(schema: dict[str, Any]) -> Draft7Validator:
    """A validator for ``schema``, with the document's components beside it for its references."""
    root = {"allOf": [schema], "components": PUBLISHED["components"]}
    return Draft7Validator(root, format_checker=FormatChecker())
