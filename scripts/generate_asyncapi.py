"""Write docs/asyncapi.json: what Leadpact announces, for whoever reads its topics. Made from the event classes and their golden files.

Run it after an event has changed: ``python scripts/generate_asyncapi.py``. The document is AsyncAPI 3.1.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

import leadpact
from leadpact.events import EVENTS, Event, Topic

REPOSITORY = Path(__file__).parents[1]
DOCUMENT = REPOSITORY / "docs" / "asyncapi.json"
GOLDEN = REPOSITORY / "tests" / "unit" / "events" / "golden"

_TOPICS = {
    Topic.INBOUND: "What came in from outside, keyed by the person: e-mail address, else phone number, else receipt.",
    Topic.LEADS: "What became of each lead, keyed by lead.",
    Topic.SLA: "What became of each clock, keyed by lead.",
    Topic.DEAD_LETTER: "What could not be applied and was set aside, keyed as it was.",
}
_ABOUT = (
    "Every event is a CloudEvent 1.0 in binary mode: attributes in headers, the data as the value. The record's key is the event's key; "
    "events with equal keys stand in one partition in the order in which they were committed. An event can appear more than once, always "
    "with the same `ce_id`. Fields are added and never change their meaning; a break is a new type. Ignore what you do not know."
)


def asyncapi_document() -> dict[str, Any]:
    """The document as data."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Leadpact events",
            "version": leadpact.__version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic): _channel(topic) for topic in Topic},
        "operations": {f"announce-{_name(topic)}": _operation(topic) for topic in Topic},
        "components": {
            "messages": {event.__name__: _message(event) for event in EVENTS},
            "messageTraits": {"cloudEvent": {"headers": _HEADERS}},
            "schemas": _schemas(),
        },
    }


def asyncapi_text() -> str:
    """The document as it is published: indented, one line break at the end."""
    return json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"


def _name(topic: Topic) -> str:
    return topic.removeprefix("leadpact.")


def _on(topic: Topic) -> list[type[Event]]:
    return [event for event in EVENTS if event.TOPIC is topic]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.value,
        "description": _TOPICS[topic],
        "messages": {
            event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in _on(topic)
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{_name(topic)}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{event.__name__}"} for event in _on(topic)],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    description = inspect.getdoc(event) or ""
    return {
        "name": event.TYPE,
        "title": description.partition(".")[0],
        "description": description,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string"}}},
        "examples": [{"payload": json.loads((GOLDEN / f"{event.TYPE}.json").read_text())}],
    }


def _schemas() -> dict[str, Any]:
    # As they are read, not written: a field that has a default is left out when it has that value.
    wanted = [(event, "validation") for event in EVENTS]
    _, schema = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # the mode is one
    schemas: dict[str, Any] = schema["$defs"]
    return schemas


_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv7. Act once for each."},
        "ce_type": {"type": "string", "description": "The name of the message."},
        "ce_source": {"type": "string", "description": "Who says it, such as /leadpact/router."},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened: the field occurred_at.",
        },
        "ce_causationid": {
            "type": "string",
            "format": "uuid",
            "description": "The event that it follows from.",
        },
        "content-type": {"type": "string", "const": "application/json"},
    },
}


if __name__ == "__main__":
    DOCUMENT.write_text(asyncapi_text())
