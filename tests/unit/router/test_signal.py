"""One number per kind of activity equals the sum over the whole history."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact_router.signal import Signal, heard, strength_at
from tests.support.fake_clock import TUESDAY_MORNING

HALF_LIFE = timedelta(days=14)
moments: st.SearchStrategy[datetime] = st.integers(0, 200 * 86_400).map(
    lambda seconds: TUESDAY_MORNING + timedelta(seconds=seconds)
)


@given(st.lists(moments, min_size=1, max_size=40), st.integers(0, 300))
def test_the_kept_number_equals_the_full_recomputation_in_any_order_of_arrival(
    history: list[datetime], days_later: int
) -> None:
    signal = None
    for at in history:
        signal = heard(signal, at, HALF_LIFE, once=False)
    assert isinstance(signal, Signal)
    now = max(history) + timedelta(days=days_later)
    recomputed = sum(0.5 ** ((now - at) / HALF_LIFE) for at in history)
    assert strength_at(signal, now, HALF_LIFE) == pytest.approx(recomputed, rel=1e-9)
    assert signal.times == len(history)


@given(st.lists(moments, min_size=1, max_size=20))
def test_what_counts_once_counts_from_its_earliest_time_in_any_order_of_arrival(
    history: list[datetime],
) -> None:
    signal = None
    for at in history:
        signal = heard(signal, at, HALF_LIFE, once=True)
    assert signal == Signal(1.0, min(history), len(history))


def test_half_is_left_after_a_half_life_and_a_quarter_after_two() -> None:
    signal = heard(None, TUESDAY_MORNING, HALF_LIFE, once=False)
    assert strength_at(signal, TUESDAY_MORNING + HALF_LIFE, HALF_LIFE) == 0.5
    assert strength_at(signal, TUESDAY_MORNING + 2 * HALF_LIFE, HALF_LIFE) == 0.25


def test_an_instant_before_the_last_activity_sees_it_undiminished() -> None:
    signal = heard(None, TUESDAY_MORNING, HALF_LIFE, once=False)
    assert strength_at(signal, TUESDAY_MORNING - HALF_LIFE, HALF_LIFE) == 1.0
