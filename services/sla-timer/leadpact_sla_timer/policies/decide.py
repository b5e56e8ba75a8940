"""Decide: the owner takes the lead on, or gives it back, in time."""

from __future__ import annotations

from collections.abc import Iterable

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.sla import DecidePromise, Promise
from leadpact_sla_timer.policy import stopping
from leadpact_sla_timer.record import Heard, Known


class Decide:
    """Kept by whatever the promise's `stops` name: unlike elsewhere, giving the lead back is usually among them."""

    kind = DecidePromise.KIND

    def keeps(self, promise: Promise, known: Known, hours: WorkingCalendar) -> Iterable[Heard]:
        return stopping(promise, known)
