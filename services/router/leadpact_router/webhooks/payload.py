"""Turn an event into the body that is signed and sent: the same bytes every time, and never too big to be welcome.

Standard Webhooks: ``{"type": "lead.assigned", "timestamp": "2026-03-02T09:00:00Z", "data": {...}}``, under 20 kB. The
type is the event's without our prefix and ``.v1``; a later version keeps its number, so nobody takes it for the first.

An event that is too big (a lead with a thousand form fields, an explanation with a thousand candidates) is sent without
its biggest parts. ``data.omitted`` names them, and the API has them: a lead that is told of in short beats one that the
receiver's gateway turns away.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from leadpact.events.base import Message

LARGEST_BODY_BYTES = 20_000

Json = dict[str, Any]


def webhook_type(event_type: str) -> str:
    """``leadpact.lead.assigned.v1`` as receivers know it: ``lead.assigned``."""
    return event_type.removeprefix("leadpact.").removesuffix(".v1")


def webhook_body(message: Message) -> bytes:
    """The body for one event, UTF-8 JSON with sorted keys: equal events give equal bytes, below 20 kB."""
    data: Json = json.loads(message.data)
    body = _encode(message, data)
    if len(body) < LARGEST_BODY_BYTES:
        return body
    for name in _biggest_first(data):
        data = _without(data, name)
        body = _encode(message, data)
        if len(body) < LARGEST_BODY_BYTES:
            break
    return body


def _biggest_first(data: Json) -> list[str]:
    return sorted(data, key=lambda name: (-len(_json_bytes(data[name])), name))


def _without(data: Json, name: str) -> Json:
    """``data`` without one field, which ``omitted`` then names."""
    rest = {key: value for key, value in data.items() if key != name}
    return rest | {"omitted": sorted({*data.get("omitted", ()), name})}


def _encode(message: Message, data: Json) -> bytes:
    return _json_bytes(
        {"type": webhook_type(message.type), "timestamp": _rfc3339(message.occurred_at), "data": data}
    )


def _json_bytes(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
