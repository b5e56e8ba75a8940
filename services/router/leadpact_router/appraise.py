"""Score a lead anew and say whether it is ready for sales; what changed is returned as the events that
announce it.
"""

from __future__ import annotations

from datetime import datetime

from leadpact.events import LeadQualified, LeadScored
from leadpact.pact.book import AppliedPact
from leadpact_router.lead import CLOSED_STAGES, Lead, Stage
from leadpact_router.qualify import KeptBack, qualify
from leadpact_router.score import Score, score


def appraise(lead: Lead, applied: AppliedPact, now: datetime) -> list[LeadScored | LeadQualified]:
    """Bring the lead's score and stage up to date.

    A lead is qualified once: what sales has been promised is not taken back when interest fades. A closed
    lead is scored and nothing more until the person asks again.
    """
    facts = lead.condition_facts()
    result = score(facts, lead.signals, applied.pact.scoring, now)
    events: list[LeadScored | LeadQualified] = []
    if _is_news(lead, result):
        events.append(_scored(lead, result, applied.version, now))
    lead.score, lead.fit, lead.engagement = result.total, result.fit, result.engagement
    lead.band, lead.contributions = result.band, result.contributions
    if lead.qualified_at is not None or lead.stage in CLOSED_STAGES:
        return events
    verdict = qualify(facts | result.facts(), lead.draft, applied.pact.qualification)
    if isinstance(verdict, KeptBack):
        lead.unqualified_because = verdict.because
        return events
    lead.stage, lead.qualified_at = Stage.MQL, now
    lead.qualified_because, lead.unqualified_because = verdict.because, None
    events.append(qualified(lead, verdict.because, applied.version, now))
    return events


def qualified(lead: Lead, because: str, pact_version: int, now: datetime) -> LeadQualified:
    """The announcement that the lead is ready for sales, or asks for it once more."""
    return LeadQualified(occurred_at=now, lead_id=lead.id, because=because, pact_version=pact_version)


def _is_news(lead: Lead, result: Score) -> bool:
    """Whether anybody would see a difference; the first score always is one."""
    before = (lead.score, lead.fit, lead.engagement, lead.band)
    return before != (result.total, result.fit, result.engagement, result.band)


def _scored(lead: Lead, result: Score, pact_version: int, now: datetime) -> LeadScored:
    return LeadScored(
        occurred_at=now,
        lead_id=lead.id,
        score=result.total,
        fit=result.fit,
        engagement=result.engagement,
        band=result.band,
        contributions=result.contributions,
        pact_version=pact_version,
    )
