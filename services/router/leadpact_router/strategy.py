"""Say what an assignment strategy is: of several reps who could all take a lead, it names the one who does.

Who could take it is decided before (`availability.py`); a strategy never meets anybody who could not. It is
pure: the same candidates give the same answer, and what it wants remembered is part of the answer. The list
is `strategies/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Candidate(NamedTuple):
    """A member of a pool who can be given the lead.

    ``weight`` is their share in the pact, relative to the others'. ``served`` is their place in the pool's
    turns as it was stored.
    """

    rep_id: str
    weight: float
    served: float


class Standing(NamedTuple):
    """Where a candidate stood when the choice was made.

    ``owed`` is in turns; below zero they are ahead of their share.
    """

    rep_id: str
    owed: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who gets the lead, all candidates in the order of their turns, and everybody's place afterwards."""

    rep_id: str
    order: tuple[Standing, ...]
    served: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NoneEligible:
    """There is nobody to choose from."""


class Strategy(Protocol):
    """Chooses one of the candidates, who are given in the order of the pact."""

    def choose(self, candidates: Sequence[Candidate]) -> Chosen | NoneEligible:
        """The candidate whose turn it is."""
        ...

    def starting_place(self, members: Sequence[Candidate]) -> float:
        """The place of somebody new beside ``members``: neither owed anything nor ahead."""
        ...

    def given_back(self, member: Candidate) -> float:
        """The member's place when one turn does not count after all."""
        ...
