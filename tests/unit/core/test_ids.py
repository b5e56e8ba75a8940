"""Ids sort by the time they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from leadpact.ids import first_id_at, new_id


def test_ids_are_uuid7_and_strictly_increasing() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert {made.version for made in ids} == {7}
    assert {made.variant for made in ids} == {"specified in RFC 4122"}
    assert ids == sorted(set(ids))


def test_an_id_lies_between_the_bounds_of_its_time() -> None:
    before = first_id_at(datetime.now(UTC) - timedelta(seconds=1))
    made = new_id()
    assert before < made < first_id_at(datetime.now(UTC) + timedelta(seconds=1))
