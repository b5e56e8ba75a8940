"""Badge scans of a fair: a file that is promised for some working time after the event closes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from leadpact.domain.lead import LeadDraft
from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.pact.phrases import Cap
from leadpact.pact.sources import EventScanSource
from leadpact_ingest.problem import FieldProblem


@dataclass(frozen=True, slots=True)
class EventScan:
    """One ``kind: event_scan`` source. ``calendar`` is the one that its promise counts in."""

    name: str
    agreed: EventScanSource
    calendar: WorkingCalendar | None

    kind: ClassVar = "event_scan"
    cap: ClassVar[Cap | None] = None

    @property
    def intent(self) -> str:
        return self.agreed.intent

    @property
    def default_country(self) -> str | None:
        return self.agreed.default_country

    @property
    def timezone(self) -> str:
        """Scanners show the time of the fair's place."""
        return str(self.agreed.ends.tzinfo)

    @property
    def due_at(self) -> datetime | None:
        if self.agreed.upload_within is None or self.calendar is None:
            return None
        return self.agreed.upload_within.due(self.agreed.ends, self.calendar)

    def late_by(self, received_at: datetime) -> timedelta | None:
        if self.agreed.upload_within is None or self.calendar is None:
            return None
        counting = self.agreed.upload_within.runs_on(self.calendar)
        used = counting.between(self.agreed.ends, received_at)
        return max(timedelta(0), used - self.agreed.upload_within.length(self.calendar))

    def objection(self, draft: LeadDraft) -> FieldProblem | None:
        """None: whoever let their badge be scanned is a lead."""
        return None
