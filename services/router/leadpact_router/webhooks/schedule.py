"""Decide what follows a webhook call: nothing more, another attempt, giving up, or switching the endpoint off.

Pure: the moment and the random number are handed in. The steps are those that Standard Webhooks 1.0.0 gives as
its example: ten attempts over 75 h 35 min, so that a receiver may be down from Friday evening to Monday morning.

* Only 2xx is success. Every other answer, and none, is tried again: a 400 today may be a bug that is mended tomorrow.
* 410 Gone switches the endpoint off at once: the receiver says that nobody will ever listen here again.
* Each wait is spread, so that the deliveries that failed together do not all return together: by ±20 %, or, when the
  receiver says that it is overloaded, over a whole further step and never sooner than the step.
* ``Retry-After`` is honoured between one step and two: a receiver may slow us down, not hurry us or stall us.
* An endpoint that has answered nothing but failures for five days is switched off; people are told another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from leadpact_router.webhooks.call_result import CallResult

STANDARD_STEPS: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The wait before each attempt, the first included; as many entries as there are attempts."""

OVERLOADED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how far apart, and for how long an endpoint may do nothing but fail."""

    steps: tuple[timedelta, ...] = STANDARD_STEPS
    jitter: float = 0.2
    disable_after: timedelta = timedelta(days=5)


STANDARD_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Call again, not before ``at``."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This delivery is dead until somebody replays it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disable:
    """The endpoint is to be switched off, this delivery is dead, and somebody must be told."""

    reason: str


NextStep = Delivered | Retry | GiveUp | Disable


def next_attempt(
    attempt: int,
    result: CallResult,
    now: datetime,
    rng_value: float,
    *,
    policy: RetryPolicy = STANDARD_POLICY,
    failing_since: datetime | None = None,
) -> NextStep:
    """What follows the call ``attempt`` (1 for the first) that came to ``result``.

    ``rng_value`` is uniform in [0, 1). ``failing_since`` is when the endpoint's unbroken run of failures began, None if
    this is the first failure.
    """
    if result.is_success:
        return Delivered()
    if result.status == HTTPStatus.GONE:
        return Disable("the receiver answered 410 Gone")
    if failing_since is not None and now - failing_since >= policy.disable_after:
        return Disable(f"every call has failed since {failing_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    if attempt >= len(policy.steps):
        return GiveUp(f"{attempt} attempts have failed; the last: {_outcome(result)}")
    return Retry(now + _wait(policy.steps[attempt], result, rng_value, policy.jitter))


def _wait(step: timedelta, result: CallResult, rng_value: float, jitter: float) -> timedelta:
    if result.retry_after is not None:
        return min(max(result.retry_after, step), 2 * step)
    if result.status in OVERLOADED:
        return step * (1 + rng_value)
    return step * (1 + jitter * (2 * rng_value - 1))


def _outcome(result: CallResult) -> str:
    return f"status {result.status}" if result.status is not None else result.detail
