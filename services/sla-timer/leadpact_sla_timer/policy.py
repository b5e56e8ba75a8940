"""Say what a kind of promise is: what keeps it.

A kind is one module in `policies/` and one line in `policies/__init__.py`; its section of the pact is one class in
`leadpact/pact/sla.py`. Everything else (opening, warnings, pauses, breach, late news, the record) is the same for every kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from leadpact.domain.working_calendar import WorkingCalendar
from leadpact.events import LeadFacts
from leadpact.pact.sla import Promise
from leadpact_sla_timer.record import Heard, Known


class Policy(Protocol):
    """One kind of promise. Pure."""

    @property
    def kind(self) -> str:
        """The `KIND` of the promises that it judges."""
        ...

    def keeps(self, promise: Promise, known: Known, hours: WorkingCalendar) -> Iterable[Heard]:
        """The facts any of which keeps ``promise``; the first to happen decides. ``hours`` are the clock's."""
        ...


def stopping(promise: Promise, known: Known) -> list[Heard]:
    """The facts that the promise's `stops` name: they keep a promise of any kind."""
    return [known.done[what] for what in promise.stops if what in known.done]


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
