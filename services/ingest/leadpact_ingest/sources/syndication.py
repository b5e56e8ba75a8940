"""Leads bought from a vendor: a file whose rows are taken, and paid, only if the contract accepts them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from leadpact.domain.lead import LeadDraft
from leadpact.pact.condition import Verdict
from leadpact.pact.phrases import Cap
from leadpact.pact.sources import SyndicationSource
from leadpact_ingest.problem import FieldProblem


@dataclass(frozen=True, slots=True)
class Syndication:
    """One ``kind: syndication`` source."""

    name: str
    agreed: SyndicationSource

    kind: ClassVar = "syndication"
    timezone: ClassVar = "UTC"
    due_at: ClassVar[datetime | None] = None

    @property
    def intent(self) -> str:
        return self.agreed.intent

    @property
    def default_country(self) -> str | None:
        return self.agreed.default_country

    @property
    def cap(self) -> Cap | None:
        return self.agreed.cap

    def late_by(self, received_at: datetime) -> timedelta | None:
        """None: vendors promise content, not a day."""
        return None

    def objection(self, draft: LeadDraft) -> FieldProblem | None:
        if self.agreed.accept is None:
            return None
        verdict = self.agreed.accept.evaluate(self.facts(draft))
        return None if verdict.holds else _outside_the_contract(verdict, str(self.agreed.accept))

    def facts(self, draft: LeadDraft) -> dict[str, object]:
        """What the pact's conditions may ask of a lead before anybody has matched it (``FACTS_AT_CAPTURE``)."""
        return {
            "intent": self.intent,
            "source": self.name,
            "kind": self.kind,
            "email": draft.email,
            "email_domain": draft.email.rpartition("@")[2] if draft.email else None,
            "free_mail": "free_mail" in draft.flags,
            "phone": draft.phone,
            "country": draft.country,
            "state": draft.state,
            "company": draft.company,
            "employees": draft.employees,
            "industry": draft.industry,
            "job_title": draft.job_title,
            "seniority": draft.seniority,
            "products": draft.products,
            "consent": draft.consent,
        }


def _outside_the_contract(verdict: Verdict, condition: str) -> FieldProblem:
    """Each fact that was not as agreed, with what the contract asks."""
    failing = [seen for seen in verdict.seen if not seen.holds]
    said = "; ".join(f"{seen.field} is {_shown(seen.found)}, agreed is {seen.expected}" for seen in failing)
    return FieldProblem(
        failing[0].field,
        f"The contract does not take this lead: {said}.",
        f"Correct the value if it is wrong. Otherwise leave the row out: the contract takes {condition}.",
    )


def _shown(found: object) -> str:
    if found is None or found == ():
        return "not stated"
    if isinstance(found, bool):
        return str(found).lower()
    return ", ".join(map(str, found)) if isinstance(found, tuple) else str(found)
