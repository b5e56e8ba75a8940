"""Every kind of promise keeps to the contract of its family, and knows what keeps it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.domain.working_calendar import ALWAYS_OPEN, WorkingCalendar
from leadpact.pact.sla import AttemptsPromise, Promise
from leadpact_sla_timer.policies import BY_KIND, POLICIES
from leadpact_sla_timer.policies.attempts import counted
from leadpact_sla_timer.policy import Policy
from leadpact_sla_timer.record import Heard, Known
from tests.support.clocks import HOUR, MINUTE, TWO_HOURS, promising
from tests.support.fake_clock import TUESDAY_MORNING as START

PROMISES = {
    "first_touch": "first_touch_within: 2 business hours",
    "attempts": "attempts: 3 within 2 business days over 2 channels",
    "decide": "decide_within: 1 business day",
}
UTC_HOURS = TWO_HOURS.calendars["utc"].build()


def promise_of(text: str) -> Promise:
    return promising(text).sla["first-touch"]


def heard(what: str, after_start: timedelta) -> Heard:
    return Heard(what, START + after_start, START + after_start + MINUTE)


def kept_by(text: str, known: Known, hours: WorkingCalendar = UTC_HOURS) -> Heard | None:
    promise = promise_of(text)
    facts = BY_KIND[promise.KIND].keeps(promise, known, hours)
    return min(facts, key=lambda fact: fact.at, default=None)


def test_every_kind_of_promise_of_the_pact_has_a_policy_and_no_other() -> None:
    assert {policy.kind for policy in POLICIES} == set(PROMISES)
    assert len(BY_KIND) == len(POLICIES)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.kind)
def test_a_promise_is_kept_by_what_its_stops_name_and_by_nothing_while_nothing_is_known(
    policy: Policy,
) -> None:
    promise = promise_of(PROMISES[policy.kind] + ", stops: [meeting_booked]")
    assert list(policy.keeps(promise, Known({}), UTC_HOURS)) == []
    booked, called = heard("meeting booked", HOUR), heard("contacted", MINUTE)
    known = Known({"meeting_booked": booked, "contacted": called})
    assert list(policy.keeps(promise, known, UTC_HOURS)) == [booked]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.kind)
def test_each_kind_has_stops_of_its_own_if_the_pact_names_none(policy: Policy) -> None:
    usual = {
        "first_touch": {"contacted"},
        "attempts": {"contacted", "meeting_booked"},
        "decide": {"accepted", "rejected", "contacted"},
    }
    assert set(promise_of(PROMISES[policy.kind]).stops) == usual[policy.kind]


@pytest.mark.parametrize(
    ("tries", "kept_after"),
    [
        ([], None),
        ([("call", HOUR), ("email", 2 * HOUR)], None),
        ([("call", HOUR), ("email", 2 * HOUR), ("call", 3 * HOUR)], 3 * HOUR),
        # Enough of them, but all on one channel: the first on another completes it.
        ([("call", HOUR), ("call", 2 * HOUR), ("call", 3 * HOUR), ("call", 4 * HOUR)], None),
        ([("call", HOUR), ("call", 2 * HOUR), ("call", 3 * HOUR), ("email", 5 * HOUR)], 5 * HOUR),
        ([("call", HOUR), ("email", HOUR), ("chat", HOUR)], HOUR),
    ],
)
def test_attempts_are_enough_when_number_and_channels_are(
    tries: list[tuple[str, timedelta]], kept_after: timedelta | None
) -> None:
    known = Known({}, tuple(heard(channel, at) for channel, at in tries))
    kept = kept_by(PROMISES["attempts"], known)
    assert (kept.at - START if kept else None) == kept_after


def test_reaching_the_person_makes_further_attempts_needless() -> None:
    called = heard("contacted", HOUR)
    assert kept_by(PROMISES["attempts"], Known({"contacted": called}, (heard("call", HOUR),))) == called


@pytest.mark.parametrize(
    ("apart", "counts"),
    [
        (None, [0, 30, 60, 119, 120, 600]),
        ("1 hour", [0, 60, 120, 600]),
        ("2 hours", [0, 120, 600]),
        # From Tuesday 09:00 to 17:00 there are eight business hours; at 19:00 none has been added.
        ("8 business hours", [0, 600]),
        ("481 business minutes", [0]),
    ],
)
def test_an_attempt_too_soon_after_the_last_that_counted_does_not_count(
    apart: str | None, counts: list[int]
) -> None:
    tries = [heard("call", minutes * MINUTE) for minutes in (0, 30, 60, 119, 120, 600)]
    text = "attempts: 5 within 2 business days" + (f", apart: {apart}" if apart else "")
    promise = promise_of(text)
    assert isinstance(promise, AttemptsPromise)
    found = counted(tries, promise.apart, UTC_HOURS)
    assert [(one.at - START) // MINUTE for one in found] == counts


def test_enough_attempts_are_known_of_when_the_last_of_them_is() -> None:
    late = Heard("call", START, START + 5 * HOUR)  # the first, told last
    known = Known({}, (late, heard("email", HOUR), heard("call", 2 * HOUR)))
    kept = kept_by(PROMISES["attempts"], known, ALWAYS_OPEN)
    assert kept is not None
    assert (kept.at, kept.recorded_at) == (START + 2 * HOUR, START + 5 * HOUR)


_TRIES = st.lists(st.tuples(st.sampled_from(["call", "email"]), st.integers(0, 12)), max_size=8)


@given(_TRIES, st.tuples(st.sampled_from(["call", "email"]), st.integers(0, 12)))
def test_an_attempt_that_is_heard_of_late_never_makes_enough_too_little(
    tries: list[tuple[str, int]], late: tuple[str, int]
) -> None:
    text = "attempts: 3 within 2 business days over 2 channels, apart: 2 hours"

    def kept(all_tries: list[tuple[str, int]]) -> Heard | None:
        known = [heard(channel, hours * HOUR) for channel, hours in all_tries]
        return kept_by(text, Known({}, tuple(sorted(known, key=lambda one: one.at))), ALWAYS_OPEN)

    before, after = kept(tries), kept([*tries, late])
    assert before is None or (after is not None and after.at <= before.at)
