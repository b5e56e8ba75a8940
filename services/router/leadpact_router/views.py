"""Read leads for people: a list, one with everything that happened to it, and why it went where it is.

What is returned are values that the API shows as they are and that the board renders. Nothing here locks or writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from leadpact.errors import NotFound
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.lead import Stage

_MOST_OF_EACH = 200
"""So many touches, activities and assignments of one lead are shown, the newest; people have a handful."""


class View(BaseModel):
    """Read from a row."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class LeadRow(View):
    """A lead in a list."""

    id: UUID
    stage: Stage
    source: str
    source_kind: str
    intent: str
    received_at: datetime = Field(description="Since when this person waits for us.")
    touched_at: datetime
    full_name: str | None
    email: str | None
    phone: str | None
    company: str | None
    country: str | None
    account_name: str | None
    account_tier: str | None
    score: float
    fit: float
    engagement: float
    band: str | None
    qualified_at: datetime | None = Field(description="Since when it is ready for sales.")
    qualified_because: str | None
    unqualified_because: str | None
    owner: str | None = Field(description="The id of the rep who has it.")
    owner_name: str | None
    assignment_id: UUID | None = Field(description="Accept, contact and reject speak of this.")
    hop: int = Field(description="How many owners it has had in this round.")
    why: str | None = Field(description="Why it is where it is, in one sentence.")
    held_since: datetime | None
    held_pool: str | None
    escalated_to: str | None
    escalated_at: datetime | None
    due_at: datetime | None = Field(description="The next moment by which somebody promised to act.")
    paused_state: str | None = Field(
        description="The pact's pause state that it is in: nobody is expected to act."
    )
    paused_since: datetime | None
    paused_until: datetime | None


class Touch(View):
    """One time that the person came to us."""

    receipt_id: UUID
    source: str
    source_kind: str
    intent: str
    matched_by: str = Field(description="`new`, `email` or `phone`: how we knew who it is.")
    occurred_at: datetime
    received_at: datetime
    upload_id: UUID | None
    row: int | None


class Activity(View):
    """Something that the person did."""

    id: UUID
    kind: str
    occurred_at: datetime
    received_at: datetime
    details: dict[str, Any]


class Assignment(View):
    """One owner's turn with the lead, and why it was theirs."""

    id: UUID
    rep_id: str
    rep_name: str
    pool: str | None
    rule: str
    hop: int
    assigned_at: datetime
    pact_version: int
    explanation: dict[str, Any] = Field(
        description="`decision` in a sentence, the `rules` tried with the values seen, and of the `pools` asked "
        "each candidate with the reason why they were chosen, wait or were passed over."
    )
    accepted_at: datetime | None
    contacted_at: datetime | None
    contact_channel: str | None
    ended_at: datetime | None
    ended_as: str | None = Field(
        description="`rejected`, `reassigned` (it went to somebody else, or waits), `closed`, or `renewed`: the person asked for more, "
        "and the same rep has it under another assignment."
    )
    rejection: dict[str, Any] | None
    paused_state: str | None
    paused_since: datetime | None
    paused_until: datetime | None


class Hold(View):
    """One time that the lead began to wait for an owner, or for one of another pool, and why."""

    held_at: datetime
    pool: str | None
    reason: str = Field(description="Why, in a sentence, as it was at `held_at`.")
    explanation: dict[str, Any] = Field(
        description="What was weighed at `held_at`, in the form of an assignment's. A pool whose line it joined "
        "without anybody being asked has no `candidates`, and tells in `line_since` since when somebody waits there."
    )
    pact_version: int
    latest_explanation: dict[str, Any] | None = Field(
        description="The same as it was found at `latest_at`, by `latest_pact_version`, and since; none: as it began."
    )
    latest_pact_version: int | None
    latest_at: datetime | None

    @property
    def by_now(self) -> dict[str, Any]:
        """Why it waits as of the latest look; of a wait that is over, as of the last."""
        return self.explanation if self.latest_explanation is None else self.latest_explanation


class WorkReport(View):
    """Something else that sales or the CRM reported."""

    kind: str = Field(description="`attempted`, `meeting_booked`, `paused`, `resumed` or `closed`.")
    assignment_id: UUID | None
    rep_id: str | None
    rep_name: str | None
    channel: str | None
    occurred_at: datetime
    recorded_at: datetime = Field(description="When we heard of it.")
    details: dict[str, Any] = Field(
        description="`automatic` of an attempt, `meeting_at`, `state` and `until` of a pause, `reason` of the closing."
    )


class Warned(View):
    """One warning that time is running out."""

    warned_at: datetime
    percent: int | None = Field(description="How much of the time was used; none if that is not on record.")
    left: str | None = Field(description="How much was left, if the pact says it so.")


class ClockSeen(View):
    """A promise, as the sla-timer announced it."""

    clock_id: UUID
    whose: str = Field(
        description="`owner`: it runs on one assignment. `team` and `customer`: it runs on whoever has the lead."
    )
    assignment_id: UUID | None
    policy: str
    rep_id: str | None
    rep_name: str | None
    state: str
    paused_because: str | None = Field(description="The state of the lead in which no time passes.")
    target: str
    started_at: datetime | None
    due_at: datetime
    warned_at: datetime | None = Field(description="When the first warning came.")
    warned_percent: int | None = Field(description="How much of the time was used at the latest warning.")
    warnings: list[Warned] = Field(description="Each of them, the oldest first.")
    ended_at: datetime | None
    was_breached: bool


class LeadStory(View):
    """A lead with everything that is known of it."""

    lead: LeadRow
    answers: dict[str, Any] = Field(description="What the person said, united over their touches.")
    contributions: list[dict[str, Any]] = Field(description="The parts of the score; it is their sum.")
    held_reason: str | None
    held_explanation: dict[str, Any] | None = Field(
        description="Of a lead that waits: what was weighed, in the form of an assignment's, as of the latest look."
    )
    escalated_at: datetime | None
    closed_at: datetime | None
    touches: list[Touch]
    activities: list[Activity]
    assignments: list[Assignment]
    holds: list[Hold]
    reports: list[WorkReport]
    clocks: list[ClockSeen]


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads: every condition that is given must hold. ``owners`` are ids, of which one has the lead; ``q`` is looked for in
    name, company, address and number.
    """

    stage: Stage | None = None
    owners: tuple[str, ...] | None = None
    source: str | None = None
    band: str | None = None
    q: str | None = None


# A pause whose end has passed is over, whether or not anybody said so. An ownership that has ended is not paused.
_PAUSE = """
LEFT JOIN LATERAL (
    SELECT s.paused_state, s.paused_since, s.paused_until
    WHERE s.ended_at IS NULL AND (s.paused_until IS NULL OR s.paused_until > :now)
) p ON true
"""
LEAD_COLUMNS = f"""
SELECT l.id, l.stage, l.source, l.source_kind, l.intent, l.received_at, l.touched_at, l.full_name, l.email, l.phone, l.company,
       l.country, a.name AS account_name, a.tier AS account_tier, l.score, l.fit, l.engagement, l.band,
       l.qualified_at, l.qualified_because, l.unqualified_because, l.owner, r.name AS owner_name, l.assignment_id, l.hop,
       coalesce('closed: ' || d.reason, l.held_reason, s.explanation ->> 'decision',
                'not ready for sales: ' || l.unqualified_because) AS why,
       l.held_since, l.held_pool, l.escalated_to, l.escalated_at, c.due_at, p.paused_state, p.paused_since, p.paused_until
FROM lead l
LEFT JOIN account a ON a.id = l.account_id
LEFT JOIN rep r ON r.id = l.owner
LEFT JOIN assignment s ON s.id = l.assignment_id
LEFT JOIN LATERAL (
    SELECT min(due_at) AS due_at FROM clock_view
    WHERE lead_id = l.id AND state IN ('running', 'warned')
) c ON true
LEFT JOIN LATERAL (
    SELECT details ->> 'reason' AS reason FROM work_report
    WHERE l.stage = 'closed' AND lead_id = l.id AND kind = 'closed' ORDER BY recorded_at DESC LIMIT 1
) d ON true
{_PAUSE}
"""
"""A lead in a list, as it is at ``:now``."""

_REST_OF_LEAD = text(
    """
    SELECT draft AS answers, contributions, held_reason, escalated_at, closed_at
    FROM lead WHERE id = :id
    """
)
_TOUCHES = text(
    """
    SELECT receipt_id, source, source_kind, intent, matched_by, occurred_at, received_at, upload_id, "row"
    FROM touch WHERE lead_id = :id ORDER BY received_at DESC, receipt_id LIMIT :most
    """
)
_ACTIVITIES = text(
    """
    SELECT id, kind, occurred_at, received_at, details FROM activity
    WHERE lead_id = :id ORDER BY occurred_at DESC, id LIMIT :most
    """
)
_ASSIGNMENT_COLUMNS = f"""
SELECT s.id, s.rep_id, r.name AS rep_name, s.pool, s.rule, s.hop, s.assigned_at, s.pact_version, s.explanation,
       s.accepted_at, s.contacted_at, s.contact_channel, s.ended_at, s.ended_as, s.rejection,
       p.paused_state, p.paused_since, p.paused_until
FROM assignment s JOIN rep r ON r.id = s.rep_id
{_PAUSE}
"""
_ASSIGNMENTS = text(f"{_ASSIGNMENT_COLUMNS} WHERE s.lead_id = :id ORDER BY s.number DESC LIMIT :most")
_HOLDS = text(
    """
    SELECT held_at, pool, explanation ->> 'decision' AS reason, explanation, pact_version,
           latest_explanation, latest_pact_version, latest_at
    FROM hold WHERE lead_id = :id ORDER BY id DESC LIMIT :most
    """
)
_REPORTS = text(
    """
    SELECT w.kind, w.assignment_id, r.id AS rep_id, r.name AS rep_name, w.channel, w.occurred_at, w.recorded_at, w.details
    FROM work_report w LEFT JOIN assignment s ON s.id = w.assignment_id LEFT JOIN rep r ON r.id = s.rep_id
    WHERE w.lead_id = :id ORDER BY w.occurred_at DESC, w.id DESC LIMIT :most
    """
)
_CLOCKS = text(
    """
    SELECT c.clock_id, c.whose, c.assignment_id, c.policy, c.rep_id, r.name AS rep_name, c.state,
           CASE WHEN c.state = 'paused' THEN c.paused_because END AS paused_because, c.target, c.started_at, c.due_at,
           c.warned_at, c.warned_percent, w.warnings, c.ended_at, c.was_breached
    FROM clock_view c LEFT JOIN rep r ON r.id = c.rep_id
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(x ORDER BY x.warned_at, x.event_id), '[]') AS warnings
        FROM clock_warning x WHERE x.clock_id = c.clock_id
    ) w
    WHERE c.lead_id = :id ORDER BY c.due_at DESC, c.clock_id LIMIT :most
    """
)

V = TypeVar("V", bound=View)


async def page_of_leads(
    tx: Transaction, wanted: LeadFilter, *, now: datetime, limit: int, after: UUID | None = None
) -> tuple[list[LeadRow], UUID | None]:
    """The newest ``limit`` leads before ``after``, by when we first met them, and the id that continues; None at the end."""
    conditions: dict[str, tuple[str, Any]] = {
        "stage": ("l.stage = :stage", wanted.stage),
        "owners": _owned_by(wanted.owners),
        "source": ("l.source = :source", wanted.source),
        "band": ("l.band = :band", wanted.band),
        "q": (
            "(l.full_name ILIKE :q OR l.company ILIKE :q OR l.email ILIKE :q OR l.phone ILIKE :q)",
            wanted.q and _containing(wanted.q),
        ),
        "after": ("l.id < :after", after),
    }
    asked = {name: (sql, value) for name, (sql, value) in conditions.items() if value is not None}
    which = " AND ".join(sql for sql, _ in asked.values()) or "true"
    parameters = {name: value for name, (_, value) in asked.items()}
    query = text(f"{LEAD_COLUMNS} WHERE {which} ORDER BY l.id DESC LIMIT :limit")
    rows = await tx.execute(query, {**parameters, "now": now, "limit": limit + 1})
    found = [LeadRow.model_validate(row) for row in rows]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def read_story(tx: Transaction, lead_id: UUID, now: datetime) -> LeadStory:
    """Everything known of one lead, each list the newest first. Raises ``NotFound``."""
    row = (await tx.execute(text(f"{LEAD_COLUMNS} WHERE l.id = :id"), {"id": lead_id, "now": now})).first()
    if row is None:
        raise NotFound(f"There is no lead {lead_id}")
    rest = (await tx.execute(_REST_OF_LEAD, {"id": lead_id})).one()

    async def newest(view: type[V], query: Any, **parameters: Any) -> list[V]:
        parameters = {"id": lead_id, "most": _MOST_OF_EACH, **parameters}
        rows: Sequence[Any] = (await tx.execute(query, parameters)).all()
        return [view.model_validate(one) for one in rows]

    lead, holds = LeadRow.model_validate(row), await newest(Hold, _HOLDS)
    return LeadStory(
        lead=lead,
        **rest._mapping,
        held_explanation=holds[0].by_now if lead.held_since is not None and holds else None,
        touches=await newest(Touch, _TOUCHES),
        activities=await newest(Activity, _ACTIVITIES),
        assignments=await newest(Assignment, _ASSIGNMENTS, now=now),
        holds=holds,
        reports=await newest(WorkReport, _REPORTS),
        clocks=await newest(ClockSeen, _CLOCKS),
    )


async def read_assignment(tx: Transaction, assignment_id: UUID, now: datetime) -> Assignment:
    """One assignment. Raises ``NotFound``."""
    query = text(f"{_ASSIGNMENT_COLUMNS} WHERE s.id = :id")
    row = (await tx.execute(query, {"id": assignment_id, "now": now})).first()
    if row is None:
        raise NotFound(f"There is no assignment {assignment_id}")
    return Assignment.model_validate(row)


def _owned_by(owners: tuple[str, ...] | None) -> tuple[str, Any]:
    """One owner's leads come out of an index in their order; those of several have to be sorted."""
    if owners is not None and len(owners) == 1:
        return "l.owner = :owners", owners[0]
    return "l.owner = ANY(CAST(:owners AS text[]))", owners and list(owners)


def _containing(words: str) -> str:
    """An ILIKE pattern in which nothing that was typed has a special meaning."""
    escaped = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
