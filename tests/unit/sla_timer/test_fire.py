"""What happens to a clock whose moment has come: a table of moments."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadpact.events import SlaBreached, SlaWarned
from leadpact_sla_timer.fire import fire
from leadpact_sla_timer.sla_clock import ClockState
from tests.support.clocks import DUE, HOUR, MINUTE, TWO_HOURS, clock
from tests.support.fake_clock import TUESDAY_MORNING as START


@pytest.mark.parametrize(
    ("after_start", "percent", "next_after"),
    [
        (60 * MINUTE, 50, 96 * MINUTE),
        (95 * MINUTE, 50, 96 * MINUTE),
        (96 * MINUTE, 80, 120 * MINUTE),
        (119 * MINUTE, 80, 120 * MINUTE),
    ],
)
def test_a_warning_says_the_last_share_that_is_used_and_sets_the_next_moment(
    after_start: timedelta, percent: int, next_after: timedelta
) -> None:
    fired = fire(clock(), START + after_start, TWO_HOURS)
    assert isinstance(fired.event, SlaWarned)
    assert (fired.event.percent, fired.clock.warned_percent) == (percent, percent)
    assert (fired.clock.state, fired.clock.next_at) == (ClockState.RUNNING, START + next_after)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), 5 * HOUR])
def test_a_clock_that_is_due_breaches_with_the_time_at_which_it_was(late: timedelta) -> None:
    fired = fire(clock(), DUE + late, TWO_HOURS)
    assert isinstance(fired.event, SlaBreached)
    assert (fired.event.occurred_at, fired.event.due_at, fired.planned_at) == (DUE, DUE, DUE)
    assert (fired.clock.state, fired.clock.next_at) == (ClockState.BREACHED, None)
    assert fired.clock.breached_at == DUE + late
