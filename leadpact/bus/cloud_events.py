"""Put a message into a Kafka record and take it out again, as CloudEvents 1.0 says.

Binary mode: each attribute is a header ``ce_<name>``, the data is the record's value exactly as it was announced, the
key is the record's key. Structured mode (one JSON document that holds everything) is read, never written. A record that is neither
becomes a delivery without a message, with the reason: nothing that somebody puts on a topic can stop a consumer.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from leadpact.bus.carrier import Delivery
from leadpact.events.base import Message
from leadpact.ids import EventId
from leadpact.runtime.storable import is_storable

Headers = Sequence[tuple[str, bytes]]

_PREFIX = "ce_"
_STRUCTURED = "application/cloudevents"


class _Unreadable(Exception):
    """The record is no CloudEvent that we can use; says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to Kafka."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def to_record(message: Message) -> Record:
    """``message`` in binary mode."""
    attributes = {
        "specversion": "1.0",
        "id": str(message.id),
        "type": message.type,
        "source": message.source,
        "time": message.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    if message.causation_id is not None:
        attributes["causationid"] = str(message.causation_id)
    headers = [(_PREFIX + name, value.encode()) for name, value in attributes.items()]
    headers.append(("content-type", b"application/json"))
    return Record(message.key.encode(), message.data.encode(), headers)


def from_record(
    topic: str, position: str, key: bytes | None, value: bytes | None, headers: Headers
) -> Delivery:
    """The delivery of a record that stands at ``position`` of ``topic``, whatever it contains."""
    shown = {_shown(name.encode()): _shown(content) for name, content in headers}
    try:
        message = _message(topic, key, value, headers)
    except _Unreadable as reason:
        return Delivery(topic, position, None, raw=value or b"", headers=shown, unreadable=str(reason))
    return Delivery(topic, position, message, headers=shown)


def _message(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Message:
    if value is None:
        raise _Unreadable("the record has no value")
    text = _text("the value", value)
    named = {name.lower(): content for name, content in headers}
    if _text("content-type", named.get("content-type", b"")).startswith(_STRUCTURED):
        attributes, data = _structured(text)
    else:
        attributes, data = _binary(named), text
    if attributes.get("specversion") != "1.0":
        raise _Unreadable("it is not marked as CloudEvents 1.0")
    cause = attributes.get("causationid")
    return Message(
        id=EventId(_uuid("id", _required(attributes, "id"))),
        type=_required(attributes, "type"),
        source=_required(attributes, "source"),
        topic=topic,
        # The record's key decided the partition, so it also decides whose order this is.
        key=_text("the key", key) if key is not None else _required(attributes, "partitionkey"),
        occurred_at=_time(_required(attributes, "time")),
        data=data,
        causation_id=EventId(_uuid("causationid", cause)) if cause else None,
    )


def _binary(headers: Mapping[str, bytes]) -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX): _text(name, content)
        for name, content in headers.items()
        if name.startswith(_PREFIX)
    }


def _structured(text: str) -> tuple[dict[str, str], str]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("the value is no JSON document") from error
    if not isinstance(document, dict) or "data" not in document:
        raise _Unreadable("the JSON document has no data")
    # Escaped, since a JSON string may hold what no UTF-8 text can: half of a surrogate pair.
    data = json.dumps(document.pop("data"))
    return {name: _storable(name, value) for name, value in document.items() if isinstance(value, str)}, data


def _text(what: str, content: bytes | None) -> str:
    try:
        return _storable(what, (content or b"").decode())
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{what} is not UTF-8") from error


def _storable(what: str, text: str) -> str:
    if not is_storable(text):
        raise _Unreadable(f"{what} holds a character that cannot be stored")
    return text


def _required(attributes: Mapping[str, str], name: str) -> str:
    value = attributes.get(name)
    if not value:
        raise _Unreadable(f"the attribute {name} is missing")
    return value


def _uuid(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise _Unreadable(f"the attribute {name} is no UUID") from error


def _time(value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("no offset")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Unreadable("the attribute time is no RFC 3339 time") from error


def _shown(content: bytes | None) -> str:
    """A header's value as text that every part of the system can store."""
    return (content or b"").decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
