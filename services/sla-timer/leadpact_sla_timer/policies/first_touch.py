"""First touch: whoever is given a lead reaches out to it within the promised time of being given it."""

from __future__ import annotations

from collections.abc import Sequence

from leadpact.events import LeadAssigned
from leadpact.pact.model import Pact
from leadpact.pact.sla import OnBreach, Promise
from leadpact_sla_timer.hours import hours_for
from leadpact_sla_timer.policy import Opening, facts_of
from leadpact_sla_timer.sla_clock import Warn


class FirstTouch:
    """The promises of the pact's section `sla`. Every one that applies opens a clock of its own, met or missed on its own."""

    def openings(self, assigned: LeadAssigned, pact: Pact) -> Sequence[Opening]:
        facts = facts_of(assigned.lead)
        return [
            _opening(name, promise, assigned, pact)
            for name, promise in pact.sla.items()
            if promise.applies is None or promise.applies.holds(facts)
        ]


def _opening(name: str, promise: Promise, assigned: LeadAssigned, pact: Pact) -> Opening:
    hours = hours_for(promise.calendar, assigned, pact.calendars)
    target, start = promise.first_touch_within, assigned.occurred_at
    counting, length = target.runs_on(hours.working), target.length(hours.working)
    acts = promise.on_breach if isinstance(promise.on_breach, OnBreach) else None
    return Opening(
        promise=name,
        target=str(target),
        target_seconds=int(length.total_seconds()),
        hours=hours,
        started_at=start,
        due_at=counting.add(start, length),
        warnings=tuple(
            Warn(percent, counting.add(start, length * percent / 100)) for percent in promise.warn_at
        ),
        stops=promise.stops,
        reassign_at_most=acts.reassign.at_most if acts else None,
        escalate_to=acts.then.escalate if acts else None,
    )
