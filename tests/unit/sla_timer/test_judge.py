"""What becomes of a clock: tables of facts, and the promise that their order does not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact.events import SlaBreached, SlaCancelled, SlaMet
from leadpact.pact.model import Pact
from leadpact_sla_timer import announce
from leadpact_sla_timer.judge import judge
from leadpact_sla_timer.record import Assignment, Heard, Paused, known_to_owner, reported
from leadpact_sla_timer.sla_clock import ClockState, SlaClock
from tests.support.clocks import (
    CYCLE,
    DUE,
    EARLIER,
    HOUR,
    LEAD,
    MINUTE,
    OWN,
    REQUEST,
    TWO_HOURS,
    clock,
    promising,
)
from tests.support.fake_clock import TUESDAY_MORNING as START

NOW = DUE + 5 * HOUR


def _own(**facts: Heard | None) -> Assignment:
    """This owner's assignment, with what is known: by the words of `stops`, or ``ended``."""
    own = Assignment(OWN, LEAD, REQUEST, CYCLE, assigned_at=START)
    for what, fact in facts.items():
        own = _and(own, what, fact) if fact else own
    return own


def _and(own: Assignment, what: str, fact: Heard) -> Assignment:
    if what == "ended":
        return own.ends(fact.what, fact.at, fact.recorded_at)
    return own.did(what, fact)  # type: ignore[arg-type]  # the tests name the words of `stops`


def _judged(running: SlaClock, own: Assignment, *others: Assignment, pact: Pact = TWO_HOURS) -> SlaClock:
    return judge(running, known_to_owner(own, others, running.started_at), NOW, pact)


def _stopped_by(*stops: str) -> Pact:
    return promising(f"first_touch_within: 2 business hours, calendar: pool, stops: [{', '.join(stops)}]")


def _at(what: str, after_start: timedelta | None) -> Heard | None:
    return None if after_start is None else Heard(what, START + after_start, NOW)


@pytest.mark.parametrize(
    ("contacted", "accepted", "ended", "state"),
    [
        (None, None, None, "running"),
        (HOUR, None, None, "met"),
        (2 * HOUR, None, None, "met"),
        (2 * HOUR + timedelta(microseconds=1), None, None, "breached"),
        (-HOUR, None, None, "met"),
        (None, HOUR, None, "running"),
        (None, None, HOUR, "cancelled"),
        (None, None, 2 * HOUR, "cancelled"),
        (None, None, 3 * HOUR, "breached"),
        (HOUR, None, HOUR, "met"),
        (HOUR, None, MINUTE, "cancelled"),
        (MINUTE, None, HOUR, "met"),
        (3 * HOUR, None, HOUR, "cancelled"),
        (3 * HOUR, None, 4 * HOUR, "breached"),
        (-HOUR, None, -HOUR, "met"),
    ],
)
def test_what_happened_first_decides_if_it_happened_in_time(
    contacted: timedelta | None, accepted: timedelta | None, ended: timedelta | None, state: str
) -> None:
    own = _own(
        contacted=_at("contacted", contacted),
        accepted=_at("accepted", accepted),
        ended=_at("rejected", ended),
    )
    assert _judged(clock(), own).state == state


@pytest.mark.parametrize(
    ("stops", "by"),
    [(("accepted",), "accepted"), (("contacted", "accepted"), "accepted"), (("contacted",), "contacted")],
)
def test_only_what_the_promise_names_stops_its_clock(stops: tuple[str, ...], by: str) -> None:
    own = _own(
        contacted=Heard("contacted", START + HOUR, NOW), accepted=Heard("accepted", START + MINUTE, NOW)
    )
    assert _judged(clock(), own, pact=_stopped_by(*stops)).met_by == by


@pytest.mark.parametrize(
    ("cycle", "contacted_at", "state"),
    [
        (CYCLE, START - MINUTE, "met"),
        (CYCLE, START + MINUTE, "running"),
        (EARLIER, START - MINUTE, "running"),
    ],
)
def test_an_earlier_owners_contact_counts_if_it_came_before_this_one_began(
    cycle: UUID, contacted_at: datetime, state: str
) -> None:
    earlier = Assignment(EARLIER, LEAD, REQUEST, cycle, assigned_at=START - HOUR)
    earlier = earlier.did("contacted", Heard("contacted", contacted_at, NOW))
    assert _judged(clock(), _own(), earlier).state == state


def test_an_earlier_owners_acceptance_is_theirs_alone() -> None:
    earlier = Assignment(EARLIER, LEAD, REQUEST, CYCLE, assigned_at=START - HOUR)
    earlier = earlier.did("accepted", Heard("accepted", START - MINUTE, NOW))
    assert _judged(clock(), _own(), earlier, pact=_stopped_by("accepted")).state is ClockState.RUNNING


def test_both_durations_are_measured_from_the_start_to_what_ended_it() -> None:
    contacted = Heard("contacted", START + timedelta(days=1), NOW)
    judged = _judged(clock(), _own(contacted=contacted))
    assert (judged.elapsed_seconds, judged.business_seconds) == (24 * 3600, 8 * 3600)


def test_a_breach_found_here_is_announced_now_and_one_announced_before_is_not_announced_again() -> None:
    late = _own(contacted=Heard("contacted", DUE + HOUR, NOW))
    found = _judged(clock(), late)
    assert found.breached_at == NOW
    assert isinstance(announce.change(clock(), found, NOW, TWO_HOURS), SlaBreached)

    announced = clock(state=ClockState.BREACHED, next_at=None, breached_at=DUE)
    touched = _judged(announced, late)
    assert touched.breached_at == DUE
    assert announce.change(announced, touched, NOW, TWO_HOURS) is None


@pytest.mark.parametrize(("what", "event"), [("contacted", SlaMet), ("ended", SlaCancelled)])
def test_late_news_that_voids_a_breach_says_so(what: str, event: type[SlaMet | SlaCancelled]) -> None:
    announced = clock(state=ClockState.BREACHED, next_at=None, breached_at=DUE)
    judged = _judged(announced, _own(**{what: Heard(what, DUE - MINUTE, NOW)}))
    said = announce.change(announced, judged, NOW, TWO_HOURS)
    assert isinstance(said, event)
    assert said.was_breached


def test_nothing_is_heard_of_before_it_happened() -> None:
    assert reported("contacted", DUE, START).at == START


_FACTS = st.lists(
    st.tuples(
        st.sampled_from(["contacted", "accepted", "ended"]),
        st.integers(-60, 300).map(lambda minutes: START + minutes * MINUTE),
    ),
    min_size=1,
    max_size=6,
)
_STOPS = st.sampled_from([("contacted",), ("accepted",), ("contacted", "accepted")])


def _heard_one_by_one(facts: list[tuple[str, datetime]], pact: Pact) -> list[SlaClock]:
    states, own = [clock()], _own()
    for what, at in facts:
        own = _and(own, what, Heard(what, at, NOW))
        states.append(_judged(states[-1], own, pact=pact))
    return states


@given(_FACTS, st.randoms(use_true_random=False), _STOPS)
def test_the_order_in_which_news_comes_does_not_change_what_is_true(
    facts: list[tuple[str, datetime]], random: object, stops: tuple[str, ...]
) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random.Random
    one = _heard_one_by_one(facts, _stopped_by(*stops))[-1]
    other = _heard_one_by_one(shuffled, _stopped_by(*stops))[-1]
    assert replace(one, breached_at=None) == replace(other, breached_at=None)


@given(_FACTS, _STOPS)
def test_a_breach_is_announced_at_most_once_whatever_comes(
    facts: list[tuple[str, datetime]], stops: tuple[str, ...]
) -> None:
    pact = _stopped_by(*stops)
    states = _heard_one_by_one([*facts, *facts], pact)
    said = [announce.change(before, after, NOW, pact) for before, after in pairwise(states)]
    assert sum(isinstance(event, SlaBreached) for event in said) <= 1


def _pausing(own: Assignment, minutes: int, lasts: int | None) -> Assignment:
    """Resumed if it lasts 0 minutes, else paused for so many or, if None, until it is resumed."""
    at = START + minutes * MINUTE
    if lasts == 0:
        return own.resumed(at)
    return own.paused(Paused(at, None if lasts is None else at + lasts * MINUTE, "waiting_for_customer"))


@given(
    st.dictionaries(st.integers(0, 60), st.sampled_from([None, 0, 5, 30]), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_pauses_are_the_same_in_whatever_order_and_however_often_they_are_heard(
    news: dict[int, int | None], random: object
) -> None:
    shuffled = [*news.items(), *news.items()]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random.Random
    one = other = _own()
    for minutes, lasts in sorted(news.items()):
        one = _pausing(one, minutes, lasts)
    for minutes, lasts in shuffled:
        other = _pausing(other, minutes, lasts)
    assert one.pauses == other.pauses
    assert all(before.until and before.until <= after.at for before, after in pairwise(one.pauses))


def test_no_pause_reaches_beyond_the_end_of_the_assignment() -> None:
    own = _pausing(_pausing(_own(ended=_at("rejected", HOUR)), 30, None), 90, None)
    assert own.pauses == (Paused(START + 30 * MINUTE, START + HOUR, "waiting_for_customer"),)
