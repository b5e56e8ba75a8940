"""What a batch is decided by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leadpact.pact.book import AppliedPact
from leadpact_router.calendars import RepCalendars


@dataclass(frozen=True, slots=True)
class Terms:
    """The pact in force, the calendars that its reps keep, and the instant at which everything is decided."""

    applied: AppliedPact
    calendars: RepCalendars
    now: datetime
