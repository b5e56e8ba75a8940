"""The body: the documented shape, the same bytes for the same event, and below 20 kB whatever the event holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.events.base import Message
from leadpact.ids import EventId
from leadpact_router.webhooks.payload import LARGEST_BODY_BYTES, webhook_body, webhook_type

AT = datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)


def message(
    data: dict[str, Any] | str, *, type_: str = "leadpact.lead.assigned.v1", at: datetime = AT
) -> Message:
    return Message(
        id=EventId(UUID(int=7)),
        type=type_,
        source="/leadpact/router",
        topic="leadpact.leads",
        key="lead-1",
        occurred_at=at,
        data=data if isinstance(data, str) else json.dumps(data),
    )


def test_the_body_is_type_timestamp_and_data() -> None:
    body = webhook_body(message({"lead_id": "lead-1", "rep_name": "Käthe", "score": 72.5}))
    assert (
        body
        == (
            '{"data":{"lead_id":"lead-1","rep_name":"Käthe","score":72.5},'
            '"timestamp":"2026-03-02T09:00:00.250000Z","type":"lead.assigned"}'
        ).encode()
    )


@pytest.mark.parametrize(
    ("event_type", "told_as"),
    [
        ("leadpact.lead.assigned.v1", "lead.assigned"),
        ("leadpact.sla.breached.v1", "sla.breached"),
        ("leadpact.lead.assigned.v2", "lead.assigned.v2"),
        ("leadpact.lead.assigned.v11", "lead.assigned.v11"),
    ],
)
def test_the_first_version_of_a_type_has_the_plain_name(event_type: str, told_as: str) -> None:
    assert webhook_type(event_type) == told_as


def test_equal_events_give_equal_bytes_in_whatever_order_and_zone_they_come() -> None:
    here = message('{"a": 1, "b": {"y": [1, 2], "x": null}}')
    there = message('{"b":{"x":null,"y":[1,2]},  "a":1}', at=AT.astimezone(timezone(timedelta(hours=-5))))
    assert webhook_body(here) == webhook_body(there)


def test_an_event_that_is_too_big_is_sent_without_its_biggest_part() -> None:
    data = {
        "lead_id": "lead-1",
        "rep_id": "ana",
        "lead": {"company": "Größe & Söhne"},
        "explanation": {
            "candidates": [{"rep": f"rep-{number}", "because": "away"} for number in range(1000)]
        },
    }
    body = webhook_body(message(data))
    assert len(body) < LARGEST_BODY_BYTES
    assert json.loads(body)["data"] == {
        "lead_id": "lead-1",
        "rep_id": "ana",
        "lead": {"company": "Größe & Söhne"},
        "omitted": ["explanation"],
    }


def test_no_more_is_left_out_than_must_be() -> None:
    sizes = {"big": 15_000, "bigger": 18_000, "small": 500}
    body = webhook_body(message({name: "x" * size for name, size in sizes.items()}))
    data = json.loads(body)["data"]
    assert set(data) == {"big", "small", "omitted"}
    assert data["omitted"] == ["bigger"]


def test_several_parts_are_left_out_when_one_is_not_enough() -> None:
    body = webhook_body(message(dict.fromkeys("abc", "x" * 15_000) | {"lead_id": "lead-1"}))
    assert json.loads(body)["data"]["omitted"] == ["a", "b"]
    assert json.loads(body)["data"]["lead_id"] == "lead-1"


def test_a_body_of_exactly_the_limit_is_too_big() -> None:
    frame = len(webhook_body(message({"note": ""})))
    fits = webhook_body(message({"note": "x" * (LARGEST_BODY_BYTES - frame - 1)}))
    assert len(fits) == LARGEST_BODY_BYTES - 1
    assert b"omitted" not in fits
    assert b'"omitted":["note"]' in webhook_body(message({"note": "x" * (LARGEST_BODY_BYTES - frame)}))


@given(
    st.dictionaries(
        st.text("abcdefgh_", min_size=1, max_size=8),
        st.one_of(st.integers(), st.text("xyzü", max_size=50).map(lambda text: text * 700)),
        max_size=20,
    )
)
def test_every_event_fits_and_keeps_what_it_does_not_name_as_omitted(data: dict[str, Any]) -> None:
    data.pop("omitted", None)
    body = webhook_body(message(data))
    assert len(body) < LARGEST_BODY_BYTES
    sent = json.loads(body)["data"]
    omitted = set(sent.pop("omitted", ()))
    assert sent == {name: value for name, value in data.items() if name not in omitted}
