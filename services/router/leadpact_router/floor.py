"""Know who can be given a lead right now: reps, their hours, what they have on the desk, and whose turn it
is.

A floor is made for one batch at one instant. Decisions look at it, and each assignment is entered in it
before the next decision, so that a batch of many leads comes out as if they had been given away one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from leadpact.pact.routing import Pool
from leadpact_router.availability import (
    HAD_IT_BEFORE,
    INACTIVE,
    NO_LIMITS,
    NOT_ON_THE_ROSTER,
    Limits,
    Load,
    PassedOver,
    Rep,
    away,
    offline,
    over_limit,
)
from leadpact_router.availability import opens_at as next_at_work
from leadpact_router.calendars import RepCalendars
from leadpact_router.rep_refs import RepRefs
from leadpact_router.strategies import TURNS
from leadpact_router.strategy import Candidate

Place = tuple[str, str]
"""A pool and a rep."""

_NOTHING_YET = Load()


class Floor:
    """The reps as they stand at ``now``."""

    def __init__(
        self,
        now: datetime,
        calendars: RepCalendars,
        reps: Iterable[Rep],
        loads: Mapping[str, Load],
        served: Mapping[Place, float],
        assigned: Mapping[Place, int],
    ) -> None:
        self.now = now
        self._calendars = calendars
        self._reps: dict[str, Rep] = {}
        self._missing: dict[str, PassedOver | None] = {}
        self._own_limits: dict[str, Limits] = {}
        self._opens_at: dict[tuple[str, str], datetime] = {}
        self.loads = dict(loads)
        self.served = dict(served)
        self.assigned = dict(assigned)
        self.changed_loads: set[str] = set()
        self.changed_turns: set[Place] = set()
        reps = list(reps)
        self._refs = RepRefs((rep.id, rep.email) for rep in reps)
        for rep in reps:
            self._reps[rep.id] = rep
            self._missing[rep.id] = offline(rep) or away(rep, now)
            own = Limits(rep.open_limit, rep.daily_limit)
            if own != NO_LIMITS:
                self._own_limits[rep.id] = own

    def rep(self, ref: str) -> Rep | None:
        """Whoever the pact means by ``ref``."""
        rep_id = self._refs.id_of(ref)
        return self._reps[rep_id] if rep_id else None

    def why_not(self, rep: Rep | None, limits: Limits, excluded: Collection[str]) -> PassedOver | None:
        """The one reason why the rep cannot be given a lead; None if they can."""
        if rep is None:
            return NOT_ON_THE_ROSTER
        if not rep.active:
            return INACTIVE
        if rep.id in excluded:
            return HAD_IT_BEFORE
        own = self._own_limits.get(rep.id)
        if own is not None:
            limits = limits.narrowed(own)
        return self._missing[rep.id] or over_limit(self.loads.get(rep.id, _NOTHING_YET), limits)

    def why_not_there(self, rep: Rep | None) -> PassedOver | None:
        """The reason why the rep does nothing at present, even for leads that are theirs; None if they work."""
        if rep is None:
            return NOT_ON_THE_ROSTER
        return self._missing[rep.id] if rep.active else INACTIVE

    def opens_at(self, rep: Rep, pool_calendar: str) -> datetime:
        """When the rep is next at work by the hours they keep in this pool; ``now`` if they are."""
        key = (rep.id, pool_calendar)
        if key not in self._opens_at:
            self._opens_at[key] = next_at_work(rep, self._calendars.of(rep, pool_calendar), self.now)
        return self._opens_at[key]

    def candidate(self, pool: str, rep_id: str, weight: float) -> Candidate:
        """The rep with their place in the pool's turns."""
        return Candidate(rep_id, weight, self.served[pool, rep_id])

    def give(self, rep_id: str) -> None:
        """Enter one more lead on the rep's desk."""
        load = self.loads.get(rep_id, _NOTHING_YET)
        self.loads[rep_id] = Load(load.open + 1, load.today + 1)
        self.changed_loads.add(rep_id)

    def take_away(self, rep_id: str) -> None:
        """Enter that an untouched lead left the rep's desk. It was given today all the same."""
        load = self.loads.get(rep_id, _NOTHING_YET)
        self.loads[rep_id] = Load(load.open - 1, load.today)
        self.changed_loads.add(rep_id)

    def turn_taken(self, pool: str, rep_id: str, served: Mapping[str, float]) -> None:
        """Enter the places after a choice in ``pool``."""
        for one, place in served.items():
            if self.served[pool, one] != place:
                self.served[pool, one] = place
                self.changed_turns.add((pool, one))
        self.assigned[pool, rep_id] = self.assigned.get((pool, rep_id), 0) + 1
        self.changed_turns.add((pool, rep_id))


def seat_newcomers(
    pools: Mapping[str, Pool], ids: Mapping[str, str], served: Mapping[Place, float]
) -> dict[Place, float]:
    """Places for members who have none yet, at their pool's level.

    ``ids`` tells the rep's id for each name in the pact.
    """
    seats: dict[Place, float] = {}
    for name, pool in pools.items():
        members = {ids[member.rep]: member.weight for member in pool.members if member.rep in ids}
        seated = [
            Candidate(rep_id, weight, served[name, rep_id])
            for rep_id, weight in members.items()
            if (name, rep_id) in served
        ]
        start = TURNS.starting_place(seated)
        seats |= {(name, rep_id): start for rep_id in members if (name, rep_id) not in served}
    return seats
