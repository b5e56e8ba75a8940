"""A message that went through a Kafka record is the same message, other CloudEvents software agrees, and nothing unreadable gets past."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from leadpact.bus.carrier import Delivery
from leadpact.bus.cloud_events import Record, from_record, to_record
from leadpact.events import EVENTS, Event, LeadCaptured, Message
from leadpact.ids import EventId, new_id
from tests.support.event_examples import EXAMPLES


def message_of(event: Event) -> Message:
    return Message(
        id=EventId(new_id()),
        type=event.TYPE,
        source="/leadpact/router",
        topic=event.TOPIC.value,
        key=event.key,
        occurred_at=event.occurred_at,
        data=event.to_json(),
        causation_id=EventId(new_id()),
    )


MESSAGE = message_of(EXAMPLES[LeadCaptured])
RECORD = to_record(MESSAGE)
HEADERS = dict(RECORD.headers)


def delivered(record: Record, topic: str = MESSAGE.topic) -> Delivery:
    return from_record(topic, "0:7", record.key, record.value, record.headers)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TYPE)
def test_a_message_comes_out_as_it_went_in(kind: type[Event]) -> None:
    message = message_of(EXAMPLES[kind])
    delivery = delivered(to_record(message), message.topic)
    assert delivery.message == message
    assert (delivery.topic, delivery.position) == (message.topic, "0:7")


def test_a_message_that_nothing_caused_and_a_time_in_another_zone_come_out_alike() -> None:
    berlin = timezone(timedelta(hours=1))
    message = replace(MESSAGE, causation_id=None, occurred_at=datetime(2026, 3, 3, 10, 0, 0, 125_000, berlin))
    assert delivered(to_record(message)).message == message


def test_the_data_travels_exactly_as_it_was_announced() -> None:
    data = '{"b": 1.0,  "a": "Größe"}'
    record = to_record(replace(MESSAGE, data=data))
    assert record.value == data.encode()
    assert record.key == MESSAGE.key.encode()


def test_the_cloud_events_library_reads_the_same() -> None:
    read = from_binary(KafkaMessage(HEADERS, RECORD.key, RECORD.value), JSONFormat())
    assert read.get_id() == str(MESSAGE.id)
    assert read.get_type() == MESSAGE.type
    assert read.get_source() == MESSAGE.source
    assert read.get_time() == MESSAGE.occurred_at
    assert read.get_extension("causationid") == str(MESSAGE.causation_id)
    assert read.get_extension("partitionkey") == MESSAGE.key
    assert read.get_data() == json.loads(MESSAGE.data)


def library_event() -> CloudEvent:
    attributes: dict[str, Any] = {
        "id": str(MESSAGE.id),
        "type": MESSAGE.type,
        "source": MESSAGE.source,
        "time": MESSAGE.occurred_at,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "causationid": str(MESSAGE.causation_id),
        "partitionkey": MESSAGE.key,
    }
    return CloudEvent(attributes, json.loads(MESSAGE.data))


@pytest.mark.parametrize("write", [to_binary, to_structured])
@pytest.mark.parametrize("keyed", [True, False], ids=["with a key", "without"])
def test_what_the_cloud_events_library_writes_is_read(write: Any, keyed: bool) -> None:
    written = write(library_event(), JSONFormat())
    key = written.key.encode() if keyed else None
    message = from_record(MESSAGE.topic, "0:7", key, written.value, list(written.headers.items())).message
    assert message is not None
    assert json.loads(message.data) == json.loads(MESSAGE.data)
    assert replace(message, data=MESSAGE.data) == MESSAGE


def test_the_records_key_decides_over_the_attribute() -> None:
    headers = [*RECORD.headers, ("ce_partitionkey", b"another")]
    message = delivered(replace(RECORD, headers=headers)).message
    assert message is not None
    assert message.key == MESSAGE.key


STRUCTURED = {
    "specversion": "1.0",
    "id": str(MESSAGE.id),
    "type": MESSAGE.type,
    "source": MESSAGE.source,
    "time": "2026-03-03T09:00:00Z",
    "data": {},
}


def without(name: str) -> Record:
    return replace(RECORD, headers=[header for header in RECORD.headers if header[0] != name])


def having(name: str, value: bytes) -> Record:
    return replace(RECORD, headers=[*without(name).headers, (name, value)])


def structured(**changed: object) -> Record:
    value = json.dumps({**STRUCTURED, **changed}).encode()
    return Record(RECORD.key, value, [("content-type", b"application/cloudevents+json; charset=utf-8")])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(RECORD, headers=[]), "not marked as CloudEvents 1.0"),
        (having("ce_specversion", b"0.3"), "not marked as CloudEvents 1.0"),
        (without("ce_id"), "id is missing"),
        (having("ce_id", b"17"), "id is no UUID"),
        (without("ce_type"), "type is missing"),
        (having("ce_type", b""), "type is missing"),
        (without("ce_source"), "source is missing"),
        (without("ce_time"), "time is missing"),
        (having("ce_time", b"yesterday"), "no RFC 3339 time"),
        (having("ce_time", b"2026-03-03T09:00:00"), "no RFC 3339 time"),
        (having("ce_time", b"0001-01-01T00:00:00+14:00"), "no RFC 3339 time"),
        (having("ce_causationid", b"17"), "causationid is no UUID"),
        (having("ce_type", b"\xff"), "ce_type is not UTF-8"),
        (having("ce_type", b"a\0b"), "cannot be stored"),
        (replace(RECORD, key=b"\xff"), "the key is not UTF-8"),
        (replace(RECORD, key=b"a\0b"), "cannot be stored"),
        (replace(RECORD, value=b"\xff\xfe"), "the value is not UTF-8"),
        (replace(RECORD, value=b"{\0}"), "cannot be stored"),
        (replace(structured(), value=b"{"), "no JSON document"),
        (replace(structured(), value=b"[" * 100_000), "no JSON document"),
        (replace(structured(), value=b"[]"), "has no data"),
        (replace(structured(), value=b'{"specversion": "1.0"}'), "has no data"),
        (structured(id=17), "id is missing"),
        (structured(type="a\0b"), "cannot be stored"),
        (structured(type="a\ud800b"), "cannot be stored"),
    ],
)
def test_a_record_that_is_no_event_of_ours_is_handed_over_with_the_reason(
    record: Record, reason: str
) -> None:
    delivery = delivered(record)
    assert delivery.message is None
    assert reason in delivery.unreadable
    assert delivery.raw == record.value


def test_a_record_without_a_value_or_without_any_key_is_handed_over_with_the_reason() -> None:
    tombstone = from_record(MESSAGE.topic, "0:7", RECORD.key, None, RECORD.headers)
    keyless = from_record(MESSAGE.topic, "0:7", None, RECORD.value, RECORD.headers)
    assert (tombstone.message, tombstone.unreadable) == (None, "the record has no value")
    assert (keyless.message, keyless.unreadable) == (None, "the attribute partitionkey is missing")


def test_headers_are_shown_as_text_that_can_be_stored() -> None:
    delivery = from_record("t", "0:7", None, None, [("a\0", b"\xff\0"), ("empty", b"")])
    assert delivery.headers == {"a�": "��", "empty": ""}


def test_a_surrogate_escape_in_the_data_survives_as_an_escape() -> None:
    message = delivered(structured(data={"name": "\ud800"})).message
    assert message is not None
    assert message.data == '{"name": "\\ud800"}'
    assert message.occurred_at == datetime(2026, 3, 3, 9, tzinfo=UTC)
