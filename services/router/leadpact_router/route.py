"""Ask the pact's rules, in their order, where a lead belongs, and keep every rule tried with the values it
saw.

A rule that names a pool decides. A rule that names the account's owner decides only if the owner can be given
the lead, which is known no earlier than when the reps are looked at; so the answer is a short list of targets
to try in order, ending in a pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadpact.pact.condition import Seen
from leadpact.pact.routing import ACCOUNT_OWNER, Routing

FALLBACK = "fallback"
"""Names the pact's fallback pool where an explanation names a rule."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a rule sends the lead: a pool's name, or ``account.owner``."""

    rule: str
    to: str


@dataclass(frozen=True, slots=True)
class Route:
    """Targets to try in order, and one JSON-ready entry per rule tried. The last target is a pool."""

    targets: tuple[Target, ...]
    tried: tuple[dict[str, Any], ...]

    @property
    def pool(self) -> str:
        """The pool that takes the lead if nothing before it does."""
        return self.targets[-1].to


def route(facts: Mapping[str, object], routing: Routing) -> Route:
    """The rules' answer for ``facts``."""
    targets, tried = [], []
    for rule in routing.rules:
        verdict = rule.when.evaluate(facts) if rule.when is not None else None
        holds = verdict is None or verdict.holds
        tried.append(
            {
                "rule": rule.name,
                "to": rule.to,
                "holds": holds,
                "seen": [_shown(seen) for seen in verdict.seen] if verdict else [],
                **({"because": rule.because} if rule.because else {}),
            }
        )
        if not holds:
            continue
        targets.append(Target(rule.name, rule.to))
        if rule.to != ACCOUNT_OWNER:
            return Route(tuple(targets), tuple(tried))
    tried.append({"rule": FALLBACK, "to": routing.fallback, "holds": True, "seen": []})
    return Route((*targets, Target(FALLBACK, routing.fallback)), tuple(tried))


def _shown(seen: Seen) -> dict[str, Any]:
    return {"field": seen.field, "expected": seen.expected, "found": seen.found, "holds": seen.holds}
