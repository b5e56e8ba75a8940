"""Hold what the router knows of one lead while a batch works on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from leadpact.events import Contribution, LeadFacts
from leadpact.pact.scoring import Engagement
from leadpact_router.signal import Signal, heard
from leadpact_router.timezone_of_lead import timezone_of


class Stage(StrEnum):
    """How far a lead has come."""

    NEW = "new"
    MQL = "mql"
    ASSIGNED = "assigned"
    HELD = "held"
    ACCEPTED = "accepted"
    CONTACTED = "contacted"
    RECYCLED = "recycled"
    NURTURED = "nurtured"
    DISQUALIFIED = "disqualified"
    CLOSED = "closed"


CLOSED_STAGES = frozenset({Stage.RECYCLED, Stage.NURTURED, Stage.DISQUALIFIED, Stage.CLOSED})
"""Sales gave the lead back or is done with it: nobody works it until the person asks again."""

OUTCOMES = {"recycle": Stage.RECYCLED, "nurture": Stage.NURTURED, "disqualify": Stage.DISQUALIFIED}
"""The stage that a rejection's outcome leads to."""


@dataclass(frozen=True, slots=True)
class Account:
    """A company we know, by its registrable domain."""

    id: UUID
    name: str
    domain: str
    tier: str | None = None
    owner: str | None = None
    employees: int | None = None
    industry: str | None = None


@dataclass(slots=True)
class Lead:
    """One person's lead, as it stands after the events applied so far.

    Written back at the end of the batch.
    """

    id: UUID
    person_id: UUID
    source: str
    source_kind: str
    intent: str
    received_at: datetime
    touched_at: datetime
    stage: Stage = Stage.NEW
    draft: dict[str, Any] = field(default_factory=dict)
    account: Account | None = None
    score: float = 0.0
    fit: float = 0.0
    engagement: float = 0.0
    band: str | None = None
    contributions: tuple[Contribution, ...] = ()
    qualified_at: datetime | None = None
    qualified_because: str | None = None
    unqualified_because: str | None = None
    owner: str | None = None
    assignment_id: UUID | None = None
    owner_count: int = 0
    """How many owners it has had, over all rounds."""
    hop: int = 0
    hops_by_breach: int = 0
    """How many owners of this round lost it by a missed promise."""
    held_since: datetime | None = None
    held_reason: str | None = None
    held_pool: str | None = None
    held_cause_id: UUID | None = None
    escalated_to: str | None = None
    escalated_at: datetime | None = None
    closed_at: datetime | None = None
    signals: dict[str, Signal] = field(default_factory=dict)
    heard_anew: set[str] = field(default_factory=set)
    """The kinds of activity whose signals have to be written back."""

    def hear(self, kind: str, at: datetime, engagement: Engagement) -> None:
        """Count an activity, if the pact knows its kind."""
        worth = engagement.points.get(kind)
        if worth is not None:
            self.signals[kind] = heard(self.signals.get(kind), at, engagement.half_life, once=worth.once)
            self.heard_anew.add(kind)

    @property
    def is_with_sales(self) -> bool:
        """Whether sales has it, or is about to be given it."""
        return self.stage is not Stage.NEW and self.stage not in CLOSED_STAGES

    @property
    def maturity(self) -> str:
        """The stage in the pact's words, as conditions and promises ask for it: `mql` once qualified, until
        then `new`.
        """
        return "new" if self.qualified_at is None else "mql"

    def condition_facts(self) -> dict[str, object]:
        """The facts that the pact's conditions ask about (`leadpact.pact.condition.FACTS`).

        What the lead did not say of its company is taken from the account.
        """
        said, account = self.draft, self.account
        email = said.get("email")
        return {
            "intent": self.intent,
            "source": self.source,
            "kind": self.source_kind,
            "email": email,
            "email_domain": email.rpartition("@")[2] if email else None,
            "free_mail": "free_mail" in said.get("flags", ()) if email else None,
            "phone": said.get("phone"),
            "country": said.get("country"),
            "state": said.get("state"),
            "company": said.get("company"),
            "employees": said.get("employees") or (account and account.employees),
            "industry": said.get("industry") or (account and account.industry),
            "job_title": said.get("job_title"),
            "seniority": said.get("seniority"),
            "products": said.get("products", ()),
            "consent": said.get("consent"),
            "account.owner": account and account.owner,
            "account.tier": account and account.tier,
            "account.name": account and account.name,
            "score": self.score,
            "fit": self.fit,
            "engagement": self.engagement,
            "band": self.band,
            "did": tuple(self.signals),
            "stage": self.maturity,
        }

    def event_facts(self) -> LeadFacts:
        """The facts that travel with the lead's events."""
        said, account = self.draft, self.account
        return LeadFacts(
            lead_id=self.id,
            person_id=self.person_id,
            source=self.source,
            source_kind=self.source_kind,
            intent=self.intent,
            received_at=self.received_at,
            email=said.get("email"),
            phone=said.get("phone"),
            full_name=full_name(said),
            company=said.get("company"),
            country=said.get("country"),
            job_title=said.get("job_title"),
            account_id=account.id if account else None,
            account_name=account.name if account else None,
            account_tier=account.tier if account else None,
            score=self.score,
            fit=self.fit,
            engagement=self.engagement,
            band=self.band,
            stage=self.maturity,
            qualified_at=self.qualified_at,
            timezone=timezone_of(said),
        )


def full_name(draft: dict[str, Any]) -> str | None:
    """The name as written, else its parts."""
    parts = (draft.get("first_name"), draft.get("last_name"))
    return draft.get("full_name") or " ".join(part for part in parts if part) or None
