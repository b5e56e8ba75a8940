"""Take turns so that nobody who could take the lead is ever more than one turn from their share.

**The model.** Every member has a place: the leads they were given, each counted as ``1 / weight``. Members of
equal standing have equal places whatever their weights. The *level* of a pool is the weighted mean of its
members' places; a member below it is owed ``weight * (level - place)`` turns, a member above it is as many
turns ahead.

**The choice** is that of an ideal in which each lead is cut into shares by weight, rounded to whole leads: of
the candidates who are not ahead of the level, the one whose next turn ends first, that is with the lowest
``place + 1 / weight``; of several, the first in the pact. Starting level, this keeps everybody within one
turn of their share after every lead (*earliest eligible virtual deadline first*, Stoica and Abdel-Wahab 1995;
the question is that of Tijdeman's chairman assignment problem).

**Those who come and go.** A lead is compared among those who can take it and nobody else, so a skip costs no
place. Whoever was away finds the level far above them; what they are owed beyond one turn lapses, so that a
leave is not paid back in a flood. Likewise whoever is more than a turn ahead, because the others were away,
is taken back to one turn. So the bound holds before and after every choice by construction; and as long as
the members who can take leads began level and stay the same, nothing lapses.

The level that settles this is robust: it lies where the members' pulls on it balance, and nobody pulls with
more than one turn (Huber's estimate of location). One member who comes back after a month can therefore not
drag the level down for the others. As long as all are within a turn it is the weighted mean itself.

A weight that is edited moves nobody's place, it only changes the size of the steps from then on. A turn given
back is a step back, of which likewise at most one turn is owed: returning every lead earns nobody more than
the next turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

from leadpact_router.strategy import Candidate, Chosen, NoneEligible, Standing

# Places are sums of fractions such as 1/3: two that differ by less than this are equal.
_DECIMALS = 9
_NEARLY_NOTHING = 10.0**-_DECIMALS


class WeightedTurns:
    """See the module. It keeps nothing itself."""

    def choose(self, candidates: Sequence[Candidate]) -> Chosen | NoneEligible:
        """The candidate whose turn it is; of equals, the first given."""
        if not candidates:
            return NoneEligible()
        weights = [candidate.weight for candidate in candidates]
        level, places = _settled(weights, [candidate.served for candidate in candidates])
        order = sorted(range(len(candidates)), key=lambda i: _turn(i, level, weights[i], places[i]))
        standings = tuple(Standing(candidates[i].rep_id, weights[i] * (level - places[i])) for i in order)
        chosen = order[0]
        places[chosen] += 1 / weights[chosen]
        _, places = _settled(weights, places)
        served = {candidate.rep_id: place for candidate, place in zip(candidates, places, strict=True)}
        return Chosen(candidates[chosen].rep_id, standings, served)

    def starting_place(self, members: Sequence[Candidate]) -> float:
        """The pool's level; zero in a pool without members."""
        if not members:
            return 0.0
        level, _ = _settled([member.weight for member in members], [member.served for member in members])
        return level

    def given_back(self, member: Candidate) -> float:
        """One step back. What is then owed beyond one turn lapses at the next choice."""
        return member.served - 1 / member.weight


def _turn(index: int, level: float, weight: float, place: float) -> tuple[bool, float, int]:
    is_ahead = place > level + _NEARLY_NOTHING
    return is_ahead, round(place + 1 / weight, _DECIMALS), index


def _settled(weights: Sequence[float], places: Sequence[float]) -> tuple[float, list[float]]:
    """The level, and the places with whatever lies more than one turn from it taken to one turn."""
    mean = _mean(weights, places)
    if _all_within_a_turn(weights, places, mean):
        return mean, list(places)
    level = _balance(weights, places)
    return level, [
        min(max(place, level - 1 / weight), level + 1 / weight)
        for weight, place in zip(weights, places, strict=True)
    ]


def _mean(weights: Sequence[float], places: Sequence[float]) -> float:
    pulled: float = sum(map(mul, weights, places))
    return pulled / sum(weights)


def _all_within_a_turn(weights: Sequence[float], places: Sequence[float], level: float) -> bool:
    turns = [weight * (place - level) for weight, place in zip(weights, places, strict=True)]
    return max(turns) <= 1 + _NEARLY_NOTHING and min(turns) >= -1 - _NEARLY_NOTHING


def _balance(weights: Sequence[float], places: Sequence[float]) -> float:
    """Where the pulls balance. They fall as the level rises, in straight lines between the points where a
    pull reaches one turn.

    Where they balance along a whole stretch, its upper end: those who were away are brought up, nobody is
    brought down.
    """

    def pull(level: float) -> float:
        return sum(
            min(max(weight * (place - level), -1.0), 1.0)
            for weight, place in zip(weights, places, strict=True)
        )

    corners = sorted(
        place + step / weight for weight, place in zip(weights, places, strict=True) for step in (-1, 1)
    )
    pulls = [pull(corner) for corner in corners]
    # At the lowest corner all pull upwards and at the highest downwards, so there is a last that does not
    # pull down, and one after it.
    last = max(index for index, pulled in enumerate(pulls) if pulled >= -_NEARLY_NOTHING)
    upwards = max(pulls[last], 0.0)
    return corners[last] + (corners[last + 1] - corners[last]) * upwards / (upwards - pulls[last + 1])
