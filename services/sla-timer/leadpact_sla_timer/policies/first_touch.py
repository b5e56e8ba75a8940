"""First touch: somebody reaches out to the lead in time."""

from __future__ import annotations

from collections.abc import Iterable

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.sla import FirstTouchPromise, Promise
from leadpact_sla_timer.policy import stopping
from leadpact_sla_timer.record import Heard, Known


class FirstTouch:
    """Kept by whatever the promise's `stops` name."""

    kind = FirstTouchPromise.KIND

    def keeps(self, promise: Promise, known: Known, hours: WorkingCalendar) -> Iterable[Heard]:
        return stopping(promise, known)
