"""One example of every event, with fixed values."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from leadpact.domain.lead import LeadDraft
from leadpact.events import (
    ActivityRecorded,
    Away,
    Contribution,
    Event,
    LeadAccepted,
    LeadAssigned,
    LeadAttempted,
    LeadCaptured,
    LeadClosed,
    LeadContacted,
    LeadEscalated,
    LeadFacts,
    LeadHeld,
    LeadMatched,
    LeadMeetingBooked,
    LeadPaused,
    LeadQualified,
    LeadReassigned,
    LeadRejected,
    LeadResumed,
    LeadScored,
    MessageDeadLettered,
    RepAbsencesChanged,
    RepReturned,
    RepTakenOffline,
    SlaBreached,
    SlaCancelled,
    SlaMet,
    SlaMoved,
    SlaOwnerLeft,
    SlaPaused,
    SlaStarted,
    SlaWarned,
    UploadCompleted,
)
from tests.support.fake_clock import TUESDAY_MORNING as AT

LEAD, PERSON, RECEIPT, ACCOUNT, ASSIGNMENT, CLOCK, UPLOAD, OTHER = (
    UUID(int=number) for number in range(1, 9)
)

FACTS = LeadFacts(
    lead_id=LEAD,
    person_id=PERSON,
    source="website-demo",
    source_kind="form",
    intent="demo_request",
    received_at=AT,
    email="kathe@groesse.example",
    phone="+493012345678",
    full_name="Käthe Müller-Lüdenscheidt",
    company="Größe & Söhne GmbH & Co. KG",
    country="DE",
    job_title="Geschäftsführerin",
    account_id=ACCOUNT,
    account_name="Größe & Söhne",
    account_tier="a",
    score=82,
    fit=60,
    engagement=22,
    band="hot",
    stage="mql",
)
EXPLANATION = {"rules": [{"rule": "DACH", "holds": True}], "candidates": [{"rep": "ana", "chosen": True}]}
_AWAY = Away(starts_at=AT + timedelta(days=1), ends_at=AT + timedelta(days=2))
_OF_CLOCK = {
    "occurred_at": AT,
    "clock_id": CLOCK,
    "lead_id": LEAD,
    "assignment_id": ASSIGNMENT,
    "policy": "demo-first-touch",
    "rep_id": "ana",
    "due_at": AT + timedelta(hours=2),
}
_WORKED = {
    "occurred_at": AT,
    "lead_id": LEAD,
    "assignment_id": ASSIGNMENT,
    "rep_id": "ana",
    "recorded_at": AT,
}
_ASSIGNED = {
    "occurred_at": AT,
    "lead_id": LEAD,
    "assignment_id": ASSIGNMENT,
    "rep_id": "ana",
    "rep_name": "Ana Ruiz",
    "rep_timezone": "Europe/Berlin",
    "pool": "dach-ae",
    "pool_calendar": "dach",
    "rule": "DACH",
    "hop": 1,
    "lead": FACTS,
    "explanation": EXPLANATION,
    "pact_version": 12,
}

_ALL: tuple[Event, ...] = (
    LeadCaptured(
        occurred_at=AT,
        receipt_id=RECEIPT,
        source="website-demo",
        source_kind="form",
        intent="demo_request",
        received_at=AT,
        lead=LeadDraft(email="kathe@groesse.example", company="Größe & Söhne GmbH & Co. KG", country="DE"),
    ),
    ActivityRecorded(
        occurred_at=AT, activity_id=OTHER, kind="pricing_page", received_at=AT, email="kathe@groesse.example"
    ),
    UploadCompleted(
        occurred_at=AT,
        upload_id=UPLOAD,
        source="hannover-messe",
        filename="scans.csv",
        rows=60,
        accepted=51,
        duplicates=4,
        rejected=5,
        late_by_business_seconds=7_200,
    ),
    LeadMatched(
        occurred_at=AT,
        lead_id=LEAD,
        person_id=PERSON,
        receipt_id=RECEIPT,
        source="website-demo",
        matched_by="email",
        account_id=ACCOUNT,
        account_name="Größe & Söhne",
        reopened=True,
    ),
    LeadScored(
        occurred_at=AT,
        lead_id=LEAD,
        score=82,
        fit=60,
        engagement=22,
        band="hot",
        contributions=(Contribution(name="seniority", points=25, because="seniority is c_level"),),
        pact_version=12,
    ),
    LeadQualified(occurred_at=AT, lead_id=LEAD, because="intent is demo_request", pact_version=12),
    LeadAssigned.model_validate(_ASSIGNED),
    LeadReassigned.model_validate(
        {
            **_ASSIGNED,
            "rep_id": "ben",
            "rep_name": "Ben Okafor",
            "hop": 2,
            "previous_assignment_id": OTHER,
            "previous_rep_id": "ana",
            "reason": "demo-first-touch missed",
        }
    ),
    LeadHeld(
        occurred_at=AT,
        lead_id=LEAD,
        reason="nobody in dach-ae is available",
        pool="dach-ae",
        lead=FACTS,
        explanation=EXPLANATION,
        pact_version=12,
    ),
    LeadEscalated(
        occurred_at=AT,
        lead_id=LEAD,
        assignment_id=ASSIGNMENT,
        rep_id="ana",
        escalated_to="sales-manager",
        hops=3,
        reason="reassigned 3 times",
        lead=FACTS,
    ),
    LeadAccepted.model_validate(_WORKED),
    LeadContacted.model_validate({**_WORKED, "channel": "call"}),
    LeadRejected.model_validate({**_WORKED, "reason": "not_now", "outcome": "recycle", "note": "in spring"}),
    LeadAttempted.model_validate({**_WORKED, "channel": "email", "automatic": True}),
    LeadMeetingBooked.model_validate({**_WORKED, "meeting_at": AT + timedelta(days=2)}),
    LeadPaused.model_validate({**_WORKED, "state": "waiting_for_customer", "until": AT + timedelta(days=1)}),
    LeadResumed.model_validate(_WORKED),
    LeadClosed(
        occurred_at=AT,
        lead_id=LEAD,
        received_at=AT,
        assignment_id=ASSIGNMENT,
        rep_id="ana",
        recorded_at=AT,
        reason="won",
    ),
    RepAbsencesChanged(occurred_at=AT, rep_id="ana", away=(_AWAY,), revision=3),
    RepTakenOffline(occurred_at=AT, rep_id="ana", lead_id=LEAD, because="demo-first-touch was breached"),
    RepReturned(occurred_at=AT, rep_id="ana"),
    SlaStarted.model_validate(
        {**_OF_CLOCK, "started_at": AT, "target": "2 business hours", "calendar": "dach", "pact_version": 12}
    ),
    SlaWarned.model_validate({**_OF_CLOCK, "percent": 80}),
    SlaMet.model_validate({**_OF_CLOCK, "met_at": AT, "recorded_at": AT, "business_seconds_used": 240}),
    SlaBreached.model_validate(
        {**_OF_CLOCK, "reassign_at_most": 3, "escalate_to": "sales-manager", "pact_version": 12}
    ),
    SlaCancelled.model_validate({**_OF_CLOCK, "reason": "lead rejected"}),
    SlaPaused.model_validate({**_OF_CLOCK, "because": "waiting_for_customer"}),
    SlaMoved.model_validate(
        {
            **_OF_CLOCK,
            "due_before": AT + timedelta(hours=1),
            "because": "pact version 13",
            "target": "3 business hours",
            "pact_version": 13,
        }
    ),
    SlaOwnerLeft.model_validate(
        {
            **_OF_CLOCK,
            "away_until": AT + timedelta(days=1),
            "escalate_to": "sales-manager",
            "pact_version": 12,
        }
    ),
    MessageDeadLettered(
        occurred_at=AT,
        dead_letter_id=OTHER,
        consumer="router",
        origin_topic="leadpact.inbound",
        origin_position="3:741:12",
        origin_type="leadpact.lead.captured.v1",
        origin_key="kathe@groesse.example",
        reason="leadpact.lead.captured.v1 is not readable: source: Field required",
        origin_receipt_id=RECEIPT,
    ),
)
EXAMPLES: dict[type[Event], Event] = {type(example): example for example in _ALL}
