"""What comes in from outside: leads as captured, activities, files. Said by ingest and the router's door."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from leadpact.domain.lead import LeadDraft
from leadpact.events.base import Event, Topic


class LeadCaptured(Event):
    """A lead was accepted at the door: its raw post is stored and it will be routed. Keyed by identity."""

    TYPE: ClassVar[str] = "leadpact.lead.captured.v1"
    TOPIC: ClassVar[Topic] = Topic.INBOUND

    receipt_id: UUID
    source: str
    source_kind: str
    intent: str
    received_at: AwareDatetime
    lead: LeadDraft
    upload_id: UUID | None = None
    row: int | None = None

    @property
    def key(self) -> str:
        return self.lead.identity_key or str(self.receipt_id)


class ActivityRecorded(Event):
    """A known or unknown person did something that the pact may give points for."""

    TYPE: ClassVar[str] = "leadpact.activity.recorded.v1"
    TOPIC: ClassVar[Topic] = Topic.INBOUND

    activity_id: UUID
    kind: str
    received_at: AwareDatetime
    email: str | None = None
    phone: str | None = None
    lead_id: UUID | None = None
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.email or self.phone or str(self.lead_id or self.activity_id)


class UploadCompleted(Event):
    """Every row of a file has been accepted, found to be a duplicate, or rejected. Keyed by upload."""

    TYPE: ClassVar[str] = "leadpact.upload.completed.v1"
    TOPIC: ClassVar[Topic] = Topic.INBOUND

    upload_id: UUID
    source: str
    filename: str
    rows: int
    accepted: int
    duplicates: int
    rejected: int
    late_by_business_seconds: int | None = None

    @property
    def key(self) -> str:
        return str(self.upload_id)
