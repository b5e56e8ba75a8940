"""Score a lead so that every point has a name: the score is the sum of its contributions, to the hundredth.

Fit is what the lead is (each rule of the pact that holds), engagement what they did (each kind of activity,
faded by age). When engagement exceeds the pact's cap, the cap is a contribution of its own, so that the sum
stays the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leadpact.events import Contribution
from leadpact.pact.condition import Seen
from leadpact.pact.scoring import Engagement, Scoring
from leadpact_router.signal import Signal, strength_at


@dataclass(frozen=True, slots=True)
class Score:
    """A lead's score at one instant; ``total`` = ``fit`` + ``engagement`` = the sum of ``contributions``."""

    total: float
    fit: float
    engagement: float
    band: str
    contributions: tuple[Contribution, ...]

    def facts(self) -> dict[str, object]:
        """What conditions ask of it."""
        return {"score": self.total, "fit": self.fit, "engagement": self.engagement, "band": self.band}


def score(
    facts: Mapping[str, object], signals: Mapping[str, Signal], scoring: Scoring, now: datetime
) -> Score:
    """What the pact's scoring gives for these facts and signals at ``now``."""
    fit = _fit(facts, scoring)
    engagement = _engagement(signals, scoring.engagement, now)
    fit_points, engagement_points = _sum(fit), _sum(engagement)
    total = round(fit_points + engagement_points, 2)
    return Score(total, fit_points, engagement_points, scoring.bands.of(total), (*fit, *engagement))


def said(seen: Seen) -> str:
    """One value a condition looked at, as a clause: ``country is DE``."""
    match seen.found:
        case None:
            found = "not known"
        case bool():
            found = "true" if seen.found else "false"
        case tuple():
            found = ", ".join(str(one) for one in seen.found)
        case _:
            found = str(seen.found)
    return f"{seen.field} is {found}"


def _fit(facts: Mapping[str, object], scoring: Scoring) -> list[Contribution]:
    return [
        Contribution(name=rule.label, points=rule.points, because=_because(rule.when.evaluate(facts).seen))
        for rule in scoring.fit
        if rule.when.holds(facts)
    ]


def _because(seen: tuple[Seen, ...]) -> str:
    return ", ".join(said(one) for one in seen if one.holds)


def _engagement(signals: Mapping[str, Signal], engagement: Engagement, now: datetime) -> list[Contribution]:
    contributions = []
    for kind, worth in engagement.points.items():
        signal = signals.get(kind)
        if signal is None or worth.points == 0:
            continue
        strength = strength_at(signal, now, engagement.half_life)
        if worth.once:
            # A kind that a newer pact counts once may have been gathered more often under an older one.
            strength = min(strength, 1.0)
        times = "once" if worth.once or signal.times == 1 else f"{signal.times} times"
        because = f"{times}, last on {signal.as_of.date()}"
        contributions.append(
            Contribution(name=kind, points=round(worth.points * strength, 2), because=because)
        )
    over = _sum(contributions) - engagement.cap if engagement.cap is not None else 0.0
    if over > 0:
        because = f"engagement counts at most {engagement.cap}"
        contributions.append(Contribution(name="cap", points=-round(over, 2), because=because))
    return contributions


def _sum(contributions: list[Contribution]) -> float:
    return round(sum(contribution.points for contribution in contributions), 2)
