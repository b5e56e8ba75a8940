"""Hold what sales and marketing agreed, as values that every service reads and none can change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from leadpact.pact.alerts import Alerts
from leadpact.pact.base import Count, Name, PactSection, RepRef, Sentence
from leadpact.pact.calendar_section import CalendarSection
from leadpact.pact.qualification import Qualification
from leadpact.pact.rejection import RejectionReasons
from leadpact.pact.routing import Routing
from leadpact.pact.scoring import Scoring
from leadpact.pact.sla import Promises
from leadpact.pact.sources import Sources


class Signatures(PactSection):
    """Who signs for each side. An unsigned pact may run, but says everywhere that it is unsigned."""

    sales: RepRef
    marketing: RepRef


class Pact(PactSection):
    """One version of the agreement. The order of rules, bands and members is part of it."""

    pact: Sentence
    """What the two sides call it."""
    version: Count | None = None
    """The number the two sides give it. What is applied is numbered by itself, whatever stands here."""
    signatures: Signatures | None = None
    calendars: Annotated[Mapping[Name, CalendarSection], Field(min_length=1)]
    sources: Sources = Field(default_factory=dict)
    scoring: Scoring = Field(default_factory=Scoring)
    qualification: Qualification = Field(default_factory=Qualification)
    routing: Routing
    sla: Promises = Field(default_factory=dict)
    """Every promise that applies to a lead runs a clock of its own."""
    alerts: Alerts = Field(default_factory=Alerts)
    rejection_reasons: RejectionReasons = Field(default_factory=dict)

    @property
    def pause_states(self) -> frozenset[str]:
        """The states in which some promise stands still."""
        return frozenset(state for promise in self.sla.values() for state in promise.pause_while)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over what was agreed, in hex: comments, spacing and left-out defaults do not change it."""
        agreed = json.dumps(
            self.model_dump(mode="json", by_alias=True), ensure_ascii=False, separators=(",", ":")
        )
        return sha256(agreed.encode()).hexdigest()
