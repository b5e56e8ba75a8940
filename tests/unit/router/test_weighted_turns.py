"""Turns are fair by a stated bound, whoever comes, goes, is skipped, re-weighted or given a turn back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadpact_router.strategies.weighted_turns import WeightedTurns
from leadpact_router.strategy import Candidate, Chosen, NoneEligible

TURNS = WeightedTurns()
ROUNDING = 1e-6

weights = st.sampled_from([0.25, 0.5, 1, 1, 1, 2, 3, 7.5])


class Pool:
    """A pool as the router keeps it: a place per member, changed only by what the strategy answers."""

    def __init__(self, **members: float) -> None:
        self.weights: dict[str, float] = {}
        self.places: dict[str, float] = {}
        for rep_id, weight in members.items():
            self.join(rep_id, weight)

    def join(self, rep_id: str, weight: float) -> None:
        place = TURNS.starting_place(self.candidates(self.weights))
        self.weights[rep_id], self.places[rep_id] = weight, place

    def candidates(self, available: object) -> list[Candidate]:
        assert hasattr(available, "__contains__")
        return [
            Candidate(rep_id, weight, self.places[rep_id])
            for rep_id, weight in self.weights.items()
            if rep_id in available
        ]

    def assign(self, *, without: tuple[str, ...] = ()) -> str:
        return self.assign_among([rep_id for rep_id in self.weights if rep_id not in without])

    def assign_among(self, available: list[str]) -> str:
        chosen = TURNS.choose(self.candidates(available))
        assert isinstance(chosen, Chosen)
        self.places.update(chosen.served)
        return chosen.rep_id

    def give_back(self, rep_id: str) -> None:
        self.places[rep_id] = TURNS.given_back(Candidate(rep_id, self.weights[rep_id], self.places[rep_id]))

    def turns_from_share(self, available: list[str]) -> dict[str, float]:
        """Computed here on its own terms: how many turns each is from the weighted mean."""
        total = sum(self.weights[rep_id] for rep_id in available)
        mean = sum(self.weights[rep_id] * self.places[rep_id] for rep_id in available) / total
        return {rep_id: self.weights[rep_id] * (mean - self.places[rep_id]) for rep_id in available}


def test_nobody_to_choose_from_is_an_answer() -> None:
    assert TURNS.choose([]) == NoneEligible()


def test_equal_members_take_turns_in_the_order_of_the_pact() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    assert [pool.assign() for _ in range(6)] == ["ana", "ben", "cem", "ana", "ben", "cem"]


def test_sixty_leads_at_weights_two_one_one_are_split_thirty_fifteen_fifteen() -> None:
    pool = Pool(ana=2, ben=1, cem=1)
    assert Counter(pool.assign() for _ in range(60)) == {"ana": 30, "ben": 15, "cem": 15}


def test_a_heavy_member_is_served_evenly_and_not_in_one_run() -> None:
    pool = Pool(ana=1, ben=3)
    order = [pool.assign() for _ in range(16)]
    assert Counter(order) == {"ana": 4, "ben": 12}
    assert all(order[i : i + 4].count("ana") == 1 for i in range(0, 16, 4))


@pytest.mark.parametrize("parts", [(10, 20, 30, 40), (1, 1, 98), (33, 33, 34), (5, 15, 25, 55)])
def test_a_hundred_leads_at_weights_that_sum_to_a_hundred_are_split_exactly(parts: tuple[int, ...]) -> None:
    pool = Pool(**{f"rep{i}": weight for i, weight in enumerate(parts)})
    counts = Counter(pool.assign() for _ in range(100))
    assert [counts[f"rep{i}"] for i in range(len(parts))] == list(parts)


def test_a_thousand_leads_among_seven_equals_differ_by_one_at_most() -> None:
    pool = Pool(**{f"rep{i}": 1 for i in range(7)})
    assert sorted(Counter(pool.assign() for _ in range(1000)).values()) == [142] + [143] * 6


@settings(max_examples=300, deadline=None)
@given(st.lists(weights, min_size=1, max_size=12), st.integers(1, 80))
def test_after_every_lead_everybody_is_within_one_turn_of_their_share(
    shares: list[float], leads: int
) -> None:
    pool = Pool(**{f"rep{i}": weight for i, weight in enumerate(shares)})
    counts: Counter[str] = Counter()
    for given_away in range(1, leads + 1):
        counts[pool.assign()] += 1
        for rep_id, weight in pool.weights.items():
            assert abs(counts[rep_id] - given_away * weight / sum(shares)) <= 1 + ROUNDING


operations = st.one_of(
    st.tuples(st.just("assign"), st.sets(st.integers(0, 9), max_size=6)),
    st.tuples(st.just("absence"), st.sets(st.integers(0, 9), max_size=6)),
    st.tuples(st.just("join"), weights),
    st.tuples(st.just("reweigh"), st.tuples(st.integers(0, 9), weights)),
    st.tuples(st.just("give back"), st.integers(0, 9)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(weights, min_size=2, max_size=6), st.lists(operations, max_size=60))
def test_nobody_who_could_take_a_lead_is_ever_more_than_one_turn_from_their_share(
    shares: list[float], done: list[tuple[str, object]]
) -> None:
    """Under skips of single leads, absences, joins, edited weights and turns given back, in any order."""
    pool = Pool(**{f"rep{i}": weight for i, weight in enumerate(shares)})
    away: set[str] = set()
    for operation, argument in done:
        match operation, argument:
            case "absence", set() as who:
                away = {f"rep{i}" for i in who}
            case "join", (int() | float()) as weight:
                pool.join(f"rep{len(pool.weights)}", weight)
            case "reweigh", (int() as who, (int() | float()) as weight):
                pool.weights[f"rep{who % len(pool.weights)}"] = weight
            case "give back", int() as who:
                pool.give_back(f"rep{who % len(pool.weights)}")
            case "assign", set() as skipped:
                available = [
                    rep for i, rep in enumerate(pool.weights) if rep not in away and i not in skipped
                ]
                if not available:
                    continue
                pool.assign_among(available)
                assert all(abs(turns) <= 1 + ROUNDING for turns in pool.turns_from_share(available).values())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=10), st.integers(1, 60))
def test_from_any_past_a_stretch_with_the_same_equals_gives_each_their_share_within_two_turns(
    past: list[float], leads: int
) -> None:
    """One turn that may have been owed when the stretch began, and one that may be owed at its end."""
    pool = Pool(**{f"rep{i}": 1 for i in range(len(past))})
    pool.places = dict(zip(pool.places, past, strict=True))
    counts = Counter(pool.assign() for _ in range(leads))
    assert all(abs(counts[rep_id] - leads / len(past)) <= 2 + ROUNDING for rep_id in pool.weights)


def test_who_was_away_for_a_month_is_not_flooded_on_return() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    for _ in range(300):
        pool.assign(without=("cem",))
    on_return = [pool.assign() for _ in range(6)]
    assert on_return.count("cem") <= 3
    assert all(on_return[i : i + 3].count("cem") <= 2 for i in range(4))


def test_one_return_does_not_move_the_others_among_themselves() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    for _ in range(301):
        pool.assign(without=("cem",))
    assert pool.places["ana"] - pool.places["ben"] == pytest.approx(1)
    after = [rep for rep in (pool.assign() for _ in range(5)) if rep != "cem"]
    assert after[0] == "ben"
    assert all(one != other for one, other in pairwise(after))


def test_a_new_member_starts_at_the_level_and_takes_no_more_than_their_share() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    for _ in range(30):
        pool.assign()
    pool.join("dora", 1)
    assert pool.places["dora"] == pytest.approx(10)
    assert Counter(pool.assign() for _ in range(8)) == {"ana": 2, "ben": 2, "cem": 2, "dora": 2}


def test_an_edited_weight_changes_the_future_and_not_the_past() -> None:
    pool = Pool(ana=1, ben=1)
    for _ in range(20):
        pool.assign()
    pool.weights["ana"] = 3
    assert Counter(pool.assign() for _ in range(20)) == {"ana": 15, "ben": 5}


def test_a_turn_given_back_brings_one_more_lead() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    for _ in range(3):
        pool.assign()
    pool.give_back("ana")
    assert Counter(pool.assign() for _ in range(4)) == {"ana": 2, "ben": 1, "cem": 1}


def test_returning_every_lead_earns_no_more_than_the_next_turn() -> None:
    pool = Pool(ana=1, ben=1, cem=1)
    for _ in range(10):
        pool.give_back("ana")
    order = [pool.assign() for _ in range(7)]
    assert order.count("ana") <= 3


def test_the_order_shown_begins_with_the_chosen_and_says_what_each_is_owed() -> None:
    chosen = TURNS.choose([Candidate("ana", 1, 2), Candidate("ben", 1, 1), Candidate("cem", 1, 1.5)])
    assert isinstance(chosen, Chosen)
    assert [standing.rep_id for standing in chosen.order] == ["ben", "cem", "ana"]
    assert [standing.owed for standing in chosen.order] == pytest.approx([0.5, 0.0, -0.5])
    assert chosen.rep_id == "ben"


def test_the_bound_holds_after_a_choice_as_before_it() -> None:
    """Two are owed a whole turn and one of them gets it: the other is not owed more than one because of that."""
    pool = Pool(ana=1, ben=1, cem=1, dora=1)
    pool.places = {"ana": 0.0, "ben": 0.0, "cem": 2.0, "dora": 2.0}
    everybody = list(pool.places)
    assert pool.turns_from_share(everybody)["ben"] == 1
    assert pool.assign() == "ana"
    assert pool.turns_from_share(everybody)["ben"] == pytest.approx(1)
