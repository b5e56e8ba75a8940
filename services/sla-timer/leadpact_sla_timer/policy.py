"""Say what a kind of promise is: which clocks it opens for an assignment, when they are due, and what stops them.

A kind is one module in `policies/` and one line in `policies/__init__.py`. Everything after the opening (warning, breach, late
news, the record) is the same for every kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leadpact.events import LeadAssigned, LeadFacts
from leadpact.pact.model import Pact
from leadpact_sla_timer.hours import Hours
from leadpact_sla_timer.sla_clock import Warn


@dataclass(frozen=True, slots=True)
class Opening:
    """A clock to open: what the pact promises for one assignment."""

    promise: str
    """Its name in the pact."""
    target: str
    """The pact's words: ``2 business hours``."""
    target_seconds: int
    hours: Hours
    """Whose hours count."""
    started_at: datetime
    due_at: datetime
    warnings: tuple[Warn, ...]
    """In order, each before ``due_at``."""
    stops: tuple[str, ...]
    """What keeps the promise: ``contacted``, ``accepted`` or both, whichever happens first."""
    reassign_at_most: int | None
    """On a breach: how often the lead goes to the next owner. None: never."""
    escalate_to: str | None
    """Who decides when nobody is left."""


class Policy(Protocol):
    """One kind of promise."""

    def openings(self, assigned: LeadAssigned, pact: Pact) -> Sequence[Opening]:
        """The clocks that this kind opens for an assignment: one for each promise that applies. Pure."""
        ...


def facts_of(lead: LeadFacts) -> Mapping[str, object]:
    """The lead as a promise's condition may ask about it: `leadpact.pact.condition.FACTS_OF_AN_ASSIGNMENT`."""
    return {
        "intent": lead.intent,
        "source": lead.source,
        "kind": lead.source_kind,
        "email": lead.email,
        "email_domain": lead.email.rpartition("@")[2] if lead.email else None,
        "phone": lead.phone,
        "country": lead.country,
        "company": lead.company,
        "job_title": lead.job_title,
        "account.name": lead.account_name,
        "account.tier": lead.account_tier,
        "score": lead.score,
        "fit": lead.fit,
        "engagement": lead.engagement,
        "band": lead.band,
        "stage": lead.stage,
    }
