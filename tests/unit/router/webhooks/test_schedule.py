"""What follows a call: the table of outcomes, and the bounds that hold for every random number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact_router.webhooks.call_result import CallFault, CallResult, parse_retry_after
from leadpact_router.webhooks.schedule import (
    STANDARD_STEPS,
    Delivered,
    Disable,
    GiveUp,
    Retry,
    RetryPolicy,
    next_attempt,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MIDDLE = 0.5  # the random number that moves a wait neither way


def answered(status: int, *, retry_after: timedelta | None = None) -> CallResult:
    return CallResult(status=status, fault=None, detail="", elapsed_ms=12, retry_after=retry_after)


def unanswered(fault: CallFault = CallFault.TIMEOUT) -> CallResult:
    return CallResult(status=None, fault=fault, detail="no answer within 15 s", elapsed_ms=15_000)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert next_attempt(1, answered(status), NOW, MIDDLE) == Delivered()


@pytest.mark.parametrize("status", [101, 300, 301, 302, 304, 307, 400, 401, 404, 422, 500, 599, 999])
def test_anything_else_is_tried_again(status: int) -> None:
    assert next_attempt(1, answered(status), NOW, MIDDLE) == Retry(NOW + timedelta(seconds=5))


@pytest.mark.parametrize("fault", list(CallFault))
def test_no_answer_is_tried_again_whatever_the_reason(fault: CallFault) -> None:
    assert next_attempt(2, unanswered(fault), NOW, MIDDLE) == Retry(NOW + timedelta(minutes=5))


def test_gone_switches_the_endpoint_off_at_the_first_attempt() -> None:
    assert next_attempt(1, answered(410), NOW, MIDDLE) == Disable("the receiver answered 410 Gone")


def test_ten_attempts_are_made_over_75_hours_and_then_it_is_given_up() -> None:
    at = NOW
    for attempt in range(1, 10):
        step = next_attempt(attempt, answered(500), at, MIDDLE)
        assert isinstance(step, Retry)
        at = step.at
    assert at - NOW == timedelta(hours=75, minutes=35, seconds=5)
    assert next_attempt(10, answered(500), at, MIDDLE) == GiveUp(
        "10 attempts have failed; the last: status 500"
    )


def test_giving_up_after_silence_says_so() -> None:
    assert next_attempt(10, unanswered(), NOW, MIDDLE) == GiveUp(
        "10 attempts have failed; the last: no answer within 15 s"
    )


def test_an_attempt_that_succeeds_last_is_still_delivered() -> None:
    assert next_attempt(10, answered(204), NOW, MIDDLE) == Delivered()


@given(attempt=st.integers(1, 9), rng_value=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_moved_by_at_most_a_fifth(attempt: int, rng_value: float) -> None:
    step = STANDARD_STEPS[attempt]
    wait = _wait(next_attempt(attempt, answered(500), NOW, rng_value))
    assert step * 0.8 <= wait <= step * 1.2


def test_the_spread_is_used_in_full() -> None:
    waits = [_wait(next_attempt(2, answered(500), NOW, value)) for value in (0.0, 0.25, 0.5, 0.75)]
    assert waits == [timedelta(minutes=minutes) for minutes in (4, 4.5, 5, 5.5)]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_receiver_gets_one_to_two_steps_of_rest(status: int) -> None:
    waits = [_wait(next_attempt(3, answered(status), NOW, value)) for value in (0.0, 0.5, 1.0)]
    assert waits == [timedelta(minutes=minutes) for minutes in (30, 45, 60)]


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(0), timedelta(minutes=5)),
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=365), timedelta(minutes=10)),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 500, 301])
@pytest.mark.parametrize("rng_value", [0.0, 0.9])
def test_retry_after_is_honoured_between_one_step_and_two(
    asked: timedelta, waited: timedelta, status: int, rng_value: float
) -> None:
    assert next_attempt(2, answered(status, retry_after=asked), NOW, rng_value) == Retry(NOW + waited)


def test_five_days_of_nothing_but_failures_switch_the_endpoint_off() -> None:
    failing_since = NOW - timedelta(days=5)
    just_before = next_attempt(
        3, answered(500), NOW - timedelta(seconds=1), MIDDLE, failing_since=failing_since
    )
    assert isinstance(just_before, Retry)
    assert next_attempt(3, answered(500), NOW, MIDDLE, failing_since=failing_since) == Disable(
        "every call has failed since 2026-02-25 09:00 UTC"
    )


def test_a_success_ends_a_long_run_of_failures() -> None:
    failing_since = NOW - timedelta(days=9)
    assert next_attempt(3, answered(200), NOW, MIDDLE, failing_since=failing_since) == Delivered()


def test_the_schedule_is_data() -> None:
    policy = RetryPolicy(steps=(timedelta(0), timedelta(seconds=1)), jitter=0)
    assert next_attempt(1, answered(500), NOW, 0.0, policy=policy) == Retry(NOW + timedelta(seconds=1))
    assert isinstance(next_attempt(2, answered(500), NOW, 0.0, policy=policy), GiveUp)


def test_no_step_is_shorter_than_the_one_before() -> None:
    assert len(STANDARD_STEPS) == 10
    assert all(earlier < later for earlier, later in pairwise(STANDARD_STEPS))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("1000000000", timedelta(days=365)),
        ("9" * 5000, timedelta(days=365)),
        ("Mon, 02 Mar 2026 09:01:00 GMT", timedelta(minutes=1)),
        ("Monday, 02-Mar-26 09:01:00 GMT", timedelta(minutes=1)),
        ("Mon Mar  2 09:01:00 2026", timedelta(minutes=1)),
        ("Mon, 02 Mar 2026 08:00:00 GMT", timedelta(0)),
        ("Mon, 02 Mar 9999 08:00:00 GMT", timedelta(days=365)),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 99 Mar 2026 08:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, wait: timedelta | None) -> None:
    assert parse_retry_after(header, NOW) == wait


@given(st.text())
def test_no_retry_after_header_can_break_the_reading(header: str) -> None:
    wait = parse_retry_after(header, NOW)
    assert wait is None or timedelta(0) <= wait <= timedelta(days=365)


def _wait(step: object) -> timedelta:
    assert isinstance(step, Retry)
    return step.at - NOW
