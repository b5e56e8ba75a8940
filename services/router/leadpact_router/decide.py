"""Decide who gets one lead, or why nobody does, with everything that was weighed.

Pure: the route, the pact's pools and the floor go in, a decision comes out; whoever calls enters it on the
floor. The explanation holds each rule with the values seen, each member of each pool asked with the one
reason they were passed over, and the order of the others. It names reps and the values that conditions show,
never an address or a number of the lead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from leadpact.pact.routing import ACCOUNT_OWNER, Overflow, Pool, Widen
from leadpact_router.availability import (
    HAD_IT_BEFORE,
    INACTIVE,
    NO_LIMITS,
    NOT_ON_THE_ROSTER,
    Limits,
    PassedOver,
    Rep,
    offline,
    shown,
)
from leadpact_router.floor import Floor
from leadpact_router.route import Route, Target
from leadpact_router.strategies import TURNS
from leadpact_router.strategy import Candidate, Chosen, NoneEligible, Standing

_FOR_GOOD = frozenset({HAD_IT_BEFORE.kind, INACTIVE.kind, NOT_ON_THE_ROSTER.kind})

NO_LINES: Mapping[str, datetime] = MappingProxyType({})
"""Nobody waits for any pool."""


@dataclass(frozen=True, slots=True)
class Given:
    """The lead goes to ``rep``.

    ``pool`` is None outside the turns: to the account's owner or an overflow person.
    """

    rep: Rep
    rule: str
    pool: str | None
    served: Mapping[str, float]
    explanation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """Nobody can be given the lead now; it waits in the line of ``pool``.

    ``is_hopeless``: everybody who might be asked has had the lead, is inactive or unknown, so waiting would
    change nothing.
    """

    pool: str
    reason: str
    is_hopeless: bool
    explanation: dict[str, Any]


def decide(
    route: Route,
    pools: Mapping[str, Pool],
    floor: Floor,
    *,
    account_owner: str | None = None,
    excluded: Collection[str] = (),
    waiting: Mapping[str, datetime] = NO_LINES,
) -> Given | Kept:
    """Who gets the lead, trying the route's targets in order.

    ``excluded`` are the ids of reps who may not get it. For the pools of ``waiting`` older leads stand in
    line, since the moment given: this one stands behind them, even if somebody has just become free.
    """
    search = _Search(route, pools, floor, excluded, waiting)
    *owner_rules, pool_rule = route.targets
    for target in owner_rules:
        given = search.ask_account_owner(target, account_owner)
        if given is not None:
            return given
    return search.ask_pools(pool_rule)


class _Search:
    """One lead's way through the targets, and the explanation that grows with it."""

    def __init__(
        self,
        route: Route,
        pools: Mapping[str, Pool],
        floor: Floor,
        excluded: Collection[str],
        waiting: Mapping[str, datetime],
    ) -> None:
        self._pools = pools
        self._floor = floor
        self._excluded = excluded
        self._waiting = waiting
        self._rules = [dict(tried) for tried in route.tried]
        self._asked: dict[str, dict[str, Any]] = {}  # an entry for each pool, by name
        self._passed: list[PassedOver] = []

    def ask_account_owner(self, target: Target, owner: str | None) -> Given | None:
        """The account's owner, whatever the hour and the limits of any pool; None, with the reason noted, if
        they cannot.
        """
        assert target.to == ACCOUNT_OWNER
        rep = self._floor.rep(owner) if owner else None
        reason = self._floor.why_not(rep, NO_LIMITS, self._excluded)
        if rep is not None and reason is None:
            return self._given(rep, target.rule, f"{rep.name} owns the account")
        entry = next(entry for entry in self._rules if entry["rule"] == target.rule)
        entry["passed_by"] = f"{owner}: {reason.because}" if owner and reason else "the account has no owner"
        return None

    def ask_pools(self, target: Target) -> Given | Kept:
        """The pool that the rule names, then those it is widened to, each once."""
        name = target.to
        while True:
            if name in self._waiting:
                return self._behind_others(name, self._waiting[name])
            chosen = self._take_turn(name)
            if isinstance(chosen, Chosen):
                rep = self._floor.rep(chosen.rep_id)
                assert rep is not None
                return self._given(rep, target.rule, f"{rep.name} is next in {name}", name, chosen.served)
            match self._pools[name].when_nobody:
                case Widen(widen=wider) if wider not in self._asked:
                    self._asked[name]["then"] = f"widened to {wider}"
                    name = wider
                case Overflow(overflow=person):
                    return self._overflow(name, person, target.rule) or self._nobody(name)
                case _:
                    return self._nobody(name)

    def _behind_others(self, name: str, since: datetime) -> Kept:
        """Nobody is asked: whoever is free is owed to those before it."""
        self._asked[name] = {
            "pool": name,
            "candidates": [],
            "line_since": since.astimezone(UTC).isoformat(),
            "then": f"joined its line, in which somebody waits since {shown(since, 'UTC')}",
        }
        return self._kept(name, f"older leads wait for {name}", is_hopeless=False)

    def _take_turn(self, name: str) -> Chosen | NoneEligible:
        """Whose turn it is in the pool, with an entry for every member."""
        pool = self._pools[name]
        limits = Limits(pool.open_limit, pool.daily_limit)
        able: list[tuple[Rep, float]] = []
        passed: list[dict[str, Any]] = []
        for member in pool.members:
            rep = self._floor.rep(member.rep)
            reason = self._floor.why_not(rep, limits, self._excluded)
            if reason is not None:
                self._passed.append(reason)
                passed.append(_passed_over(rep.id if rep else member.rep, reason.because))
            elif rep is not None:
                able.append((rep, member.weight))
        candidates, off_hours = self._first_at_work(name, able)
        chosen = TURNS.choose(candidates)
        in_turn = _in_turn(chosen.order) if isinstance(chosen, Chosen) else []
        self._asked[name] = {"pool": name, "candidates": [*in_turn, *off_hours, *passed]}
        return chosen

    def _first_at_work(
        self, name: str, able: list[tuple[Rep, float]]
    ) -> tuple[list[Candidate], list[dict[str, Any]]]:
        """Those at work now, else those who open first; beside them, entries for the others."""
        pool = self._pools[name]
        if pool.availability == "always" or not able:
            return [self._floor.candidate(name, rep.id, weight) for rep, weight in able], []
        opens_at = {rep.id: self._floor.opens_at(rep, pool.calendar) for rep, _ in able}
        first = min(opens_at.values())
        return (
            [
                self._floor.candidate(name, rep.id, weight)
                for rep, weight in able
                if opens_at[rep.id] == first
            ],
            [
                _passed_over(rep.id, f"at work only from {shown(opens_at[rep.id], rep.timezone)}")
                for rep, _ in able
                if opens_at[rep.id] != first
            ],
        )

    def _overflow(self, name: str, person: str, rule: str) -> Given | None:
        """The overflow person, whatever their hours and limits; but nobody who left, has had the lead or is offline."""
        rep = self._floor.rep(person)
        if rep is None or not rep.active or rep.id in self._excluded:
            self._asked[name]["then"] = f"overflow to {person}: not possible"
            return None
        if (reason := offline(rep)) is not None:
            self._passed.append(reason)  # they will return, so the lead has somebody to wait for
            self._asked[name]["then"] = f"overflow to {rep.id}: {reason.because}"
            return None
        self._asked[name]["then"] = f"overflow to {rep.id}"
        return self._given(rep, rule, f"{rep.name} takes what nobody else can")

    def _nobody(self, name: str) -> Kept:
        kinds = Counter(one.kind for one in self._passed)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        reason = f"nobody in {' or '.join(self._asked)} can take it now: {counted}"
        return self._kept(name, reason, is_hopeless=kinds.keys() <= _FOR_GOOD)

    def _kept(self, pool: str, reason: str, *, is_hopeless: bool) -> Kept:
        return Kept(pool, reason, is_hopeless, self._explained(reason))

    def _given(
        self,
        rep: Rep,
        rule: str,
        decision: str,
        pool: str | None = None,
        served: Mapping[str, float] | None = None,
    ) -> Given:
        return Given(rep, rule, pool, served or {}, self._explained(decision))

    def _explained(self, decision: str) -> dict[str, Any]:
        return {"decision": decision, "rules": self._rules, "pools": list(self._asked.values())}


def _in_turn(order: Iterable[Standing]) -> list[dict[str, Any]]:
    (first, *others) = order
    return [
        {"rep": first.rep_id, "outcome": "chosen", "because": f"next in turn, {_owed(first.owed)}"},
        *(
            {"rep": one.rep_id, "outcome": "waits", "because": f"number {place} in turn, {_owed(one.owed)}"}
            for place, one in enumerate(others, start=2)
        ),
    ]


def _owed(turns: float) -> str:
    if abs(turns) < 0.005:
        return "exactly at their share"
    return f"{turns:.2f} of a turn owed" if turns > 0 else f"{-turns:.2f} of a turn ahead"


def _passed_over(rep: str, because: str) -> dict[str, Any]:
    return {"rep": rep, "outcome": "passed over", "because": because}
