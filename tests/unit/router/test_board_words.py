"""Times, waits and scores read the way people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadpact_router.board.words import SIGNS, ago, in_full, instant, left, points, said, shown, signed, span
from leadpact_router.lead import Stage
from leadpact_router.webhooks.read import DeliveryState

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (3_660, "1 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
        (30 * 86_400, "30 d"),
    ],
)
def test_a_length_is_said_in_at_most_two_units(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_what_is_left_turns_into_what_is_over_at_the_due_time() -> None:
    assert left(NOW + timedelta(minutes=2), NOW) == "2 min left"
    assert left(NOW, NOW) == "0 s left"
    assert left(NOW - timedelta(hours=26), NOW) == "1 d 2 h over"


def test_what_a_faster_clock_put_into_the_future_was_just_now() -> None:
    assert ago(NOW + timedelta(seconds=3), NOW) == "0 s ago"


def test_a_time_of_another_day_carries_its_date() -> None:
    assert shown(NOW.replace(hour=0), NOW) == "00:00 UTC"
    assert shown(NOW - timedelta(days=1), NOW) == "2 Mar 09:00 UTC"


def test_a_time_in_full_is_in_the_zone_of_whoever_must_act() -> None:
    assert in_full(NOW, "Asia/Kolkata") == "Tue 3 Mar 2026, 14:30:00 Asia/Kolkata"
    assert in_full(NOW, None) == "Tue 3 Mar 2026, 09:00:00 UTC"
    assert instant(NOW) == "2026-03-03T09:00:00Z"


def test_points_have_no_needless_digits_and_parts_of_a_score_a_sign() -> None:
    assert [points(value) for value in (25.0, 12.34, -20.0, 0.0)] == ["25", "12.3", "−20", "0"]
    assert [signed(value) for value in (25.0, -20.5, 0.0)] == ["+25", "−20.5", "+0"]


@pytest.mark.parametrize(
    "state",
    [
        *(stage.value for stage in Stage),
        *(state.value for state in DeliveryState),
        *("running", "warned", "met", "breached", "cancelled"),
        *("on", "failing", "off"),
    ],
)
def test_every_state_has_a_sign_and_a_word(state: str) -> None:
    assert SIGNS[state]
    assert said(state)
