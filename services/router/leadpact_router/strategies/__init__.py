"""The strategies there are. A new one is a file in this package and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from leadpact_router.strategies.weighted_turns import WeightedTurns
from leadpact_router.strategy import Strategy

TURNS: Strategy = WeightedTurns()
"""What every pool of the pact uses."""

STRATEGIES: Mapping[str, Strategy] = {"weighted_turns": TURNS}
