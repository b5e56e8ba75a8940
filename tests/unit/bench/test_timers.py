"""What the benchmark of the timer measures is what the product does with a clock of the example's pact."""

from __future__ import annotations

from datetime import timedelta

from bench.timers import running_clock
from leadpact.demo.example import Example
from leadpact.events import SlaBreached
from leadpact.pact.read import parse_pact
from leadpact_sla_timer.fire import fire
from tests.support.fake_clock import TUESDAY_MORNING


def test_the_clocks_that_it_lets_fire_are_breached_and_announced() -> None:
    pact = parse_pact(Example.find().pact.decode())
    fired = fire(running_clock(TUESDAY_MORNING), TUESDAY_MORNING + timedelta(seconds=1), pact)
    assert isinstance(fired.event, SlaBreached)
