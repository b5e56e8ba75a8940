"""What every assignment strategy promises, whatever its idea of a turn."""

from __future__ import annotations

from collections import Counter

import pytest

from leadpact_router.strategies import STRATEGIES
from leadpact_router.strategy import Candidate, Chosen, NoneEligible, Strategy

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=list(STRATEGIES))

MEMBERS = (Candidate("ana", 1, 3), Candidate("ben", 2, 2.5), Candidate("cem", 0.5, 2))


@every_strategy
def test_nobody_to_choose_from_is_an_answer(strategy: Strategy) -> None:
    assert strategy.choose([]) == NoneEligible()


@every_strategy
def test_a_choice_orders_everybody_and_knows_everybodys_place_afterwards(strategy: Strategy) -> None:
    chosen = strategy.choose(MEMBERS)
    assert isinstance(chosen, Chosen)
    assert chosen.order[0].rep_id == chosen.rep_id
    assert sorted(one.rep_id for one in chosen.order) == sorted(chosen.served) == ["ana", "ben", "cem"]


@every_strategy
def test_the_same_candidates_give_the_same_answer(strategy: Strategy) -> None:
    assert strategy.choose(MEMBERS) == strategy.choose(MEMBERS)


@every_strategy
def test_everybody_gets_a_turn(strategy: Strategy) -> None:
    start = strategy.starting_place(())
    places = {member.rep_id: start for member in MEMBERS}
    turns: Counter[str] = Counter()
    for _ in range(70):
        chosen = strategy.choose([Candidate(one.rep_id, one.weight, places[one.rep_id]) for one in MEMBERS])
        assert isinstance(chosen, Chosen)
        turns[chosen.rep_id] += 1
        places.update(chosen.served)
    assert turns == {"ana": 20, "ben": 40, "cem": 10}


@every_strategy
def test_a_turn_given_back_is_one_step_back(strategy: Strategy) -> None:
    alone = Candidate("ana", 1, 3)
    chosen = strategy.choose([alone])
    assert isinstance(chosen, Chosen)
    back = strategy.given_back(Candidate("ana", 1, chosen.served["ana"]))
    assert back == pytest.approx(alone.served)
