"""Every kind of promise keeps to the contract of its family; first touch opens the clocks that the pact asks for."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from leadpact.pact.read import parse_pact
from leadpact_sla_timer.policies import POLICIES
from leadpact_sla_timer.policies.first_touch import FirstTouch
from leadpact_sla_timer.policy import Policy
from tests.support.assignments import PACT, TWO_PROMISES, assigned, facts
from tests.support.fake_clock import TUESDAY_MORNING

HOUR = timedelta(hours=1)
BASE = PACT[: PACT.index("sla:")]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("text", [PACT, TWO_PROMISES])
def test_openings_are_in_order_due_after_their_start_and_the_same_each_time(
    policy: Policy, text: str
) -> None:
    pact, lead = parse_pact(text), assigned()
    openings = policy.openings(lead, pact)
    assert openings == policy.openings(lead, pact)
    assert len({opening.promise for opening in openings}) == len(openings)
    for opening in openings:
        moments = [opening.started_at, *(at for _, at in opening.warnings), opening.due_at]
        assert all(earlier < later for earlier, later in pairwise(moments))
        used = opening.hours.working.between(opening.started_at, opening.due_at)
        assert used.total_seconds() == opening.target_seconds
        assert opening.promise in pact.sla
        assert opening.stops


def test_there_is_a_kind_of_promise() -> None:
    assert POLICIES


def _promises(**promises: str) -> str:
    return BASE + "sla:\n" + "".join(f"  {name}: {{{promise}}}\n" for name, promise in promises.items())


def test_every_promise_that_applies_opens_a_clock_of_its_own() -> None:
    pact = parse_pact(
        _promises(
            everybody="first_touch_within: 1 business day",
            demo="applies: {intent: demo_request}, first_touch_within: 1 business hour",
            german="applies: {country: DE}, first_touch_within: 3 hours",
            american="applies: {country: US}, first_touch_within: 4 hours",
        )
    )
    openings = {one.promise: one for one in FirstTouch().openings(assigned(lead=facts(score=20)), pact)}
    assert list(openings) == ["everybody", "demo", "german"]
    assert openings["demo"].due_at == TUESDAY_MORNING + HOUR
    assert openings["german"].due_at == TUESDAY_MORNING + 3 * HOUR
    assert openings["everybody"].target_seconds == 8 * 3600


def test_wall_time_runs_through_the_night_whatever_the_calendar() -> None:
    pact = parse_pact(_promises(always="first_touch_within: 24 hours, warn_at: [50%]"))
    (opening,) = FirstTouch().openings(assigned(), pact)
    assert opening.due_at == TUESDAY_MORNING + 24 * HOUR
    assert opening.warnings[0].at == TUESDAY_MORNING + 12 * HOUR


def test_a_warning_comes_after_its_share_of_business_time_not_of_wall_time() -> None:
    pact = parse_pact(_promises(day="first_touch_within: 1 business day, warn_at: [50%], calendar: utc"))
    (opening,) = FirstTouch().openings(assigned(TUESDAY_MORNING + 6 * HOUR), pact)  # Tuesday 15:00
    assert opening.warnings[0].at == TUESDAY_MORNING + 26 * HOUR  # Wednesday 11:00: two hours and two hours


def test_a_promise_that_only_announces_its_breach_asks_for_no_reassignment() -> None:
    pact = parse_pact(_promises(quiet="first_touch_within: 1 business hour"))
    (opening,) = FirstTouch().openings(assigned(), pact)
    assert (opening.reassign_at_most, opening.escalate_to) == (None, None)
