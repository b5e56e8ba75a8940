"""Map the product's tables to classes, as an application written around an ORM does."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from leadpact.events import Message
from leadpact.ids import EventId


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012 - read by SQLAlchemy, changed by nobody


class QueuedLead(Base):
    """What was accepted and not routed yet, where PostgreSQL carries: a row is deleted when its lead is routed."""

    __tablename__ = "baseline_queue"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    data: Mapped[str]


class ProcessedEvent(Base):
    __tablename__ = "inbox"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)


class OutgoingEvent(Base):
    __tablename__ = "outbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    topic: Mapped[str]
    shard: Mapped[int]
    type: Mapped[str]
    source: Mapped[str]
    key: Mapped[str]
    occurred_at: Mapped[datetime]
    causation_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)

    def message(self) -> Message:
        """The event in its envelope, as webhooks are made of it."""
        return Message(
            EventId(self.event_id),
            self.type,
            self.source,
            self.topic,
            self.key,
            self.occurred_at,
            json.dumps(self.data),
            EventId(self.causation_id) if self.causation_id else None,
        )


class Receipt(Base):
    __tablename__ = "receipt"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    status: Mapped[str]
    received_at: Mapped[datetime]


class RawPost(Base):
    __tablename__ = "raw_post"

    receipt_id: Mapped[UUID] = mapped_column(ForeignKey("receipt.id"), primary_key=True)
    content_type: Mapped[str]
    body: Mapped[bytes]
    receipt: Mapped[Receipt] = relationship()


class Person(Base):
    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]


class PersonIdentity(Base):
    __tablename__ = "identity"

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    person: Mapped[Person] = relationship()


class AccountRow(Base):
    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    domain: Mapped[str]
    tier: Mapped[str | None]
    owner: Mapped[str | None]
    employees: Mapped[int | None]
    industry: Mapped[str | None]


class LeadRow(Base):
    __tablename__ = "lead"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    stage: Mapped[str]
    source: Mapped[str]
    source_kind: Mapped[str]
    intent: Mapped[str]
    received_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    full_name: Mapped[str | None]
    company: Mapped[str | None]
    country: Mapped[str | None]
    draft: Mapped[dict[str, Any]]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    score: Mapped[float]
    fit: Mapped[float]
    engagement: Mapped[float]
    band: Mapped[str | None]
    contributions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    qualified_at: Mapped[datetime | None]
    qualified_because: Mapped[str | None]
    unqualified_because: Mapped[str | None]
    owner: Mapped[str | None]
    assignment_id: Mapped[UUID | None]
    hop: Mapped[int]
    person: Mapped[Person] = relationship()


class TouchRow(Base):
    __tablename__ = "touch"

    receipt_id: Mapped[UUID] = mapped_column(primary_key=True)
    lead_id: Mapped[UUID] = mapped_column(ForeignKey("lead.id"))
    source: Mapped[str]
    source_kind: Mapped[str]
    intent: Mapped[str]
    matched_by: Mapped[str]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    draft: Mapped[dict[str, Any]]
    lead: Mapped[LeadRow] = relationship()


class SignalRow(Base):
    __tablename__ = "signal"

    lead_id: Mapped[UUID] = mapped_column(ForeignKey("lead.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    strength: Mapped[float]
    as_of: Mapped[datetime]
    times: Mapped[int]
    lead: Mapped[LeadRow] = relationship()


class AbsenceRow(Base):
    __tablename__ = "absence"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rep_id: Mapped[str] = mapped_column(ForeignKey("rep.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class RepRow(Base):
    __tablename__ = "rep"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    timezone: Mapped[str]
    calendar: Mapped[str | None]
    active: Mapped[bool]
    open_limit: Mapped[int | None]
    daily_limit: Mapped[int | None]
    absences: Mapped[list[AbsenceRow]] = relationship(lazy="selectin")


class LoadRow(Base):
    __tablename__ = "rep_load"

    rep_id: Mapped[str] = mapped_column(primary_key=True)
    open: Mapped[int]
    day: Mapped[date]
    today: Mapped[int]


class TurnRow(Base):
    __tablename__ = "turn"

    pool: Mapped[str] = mapped_column(primary_key=True)
    rep_id: Mapped[str] = mapped_column(primary_key=True)
    served: Mapped[float]
    assigned: Mapped[int]


class AssignmentRow(Base):
    __tablename__ = "assignment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lead_id: Mapped[UUID] = mapped_column(ForeignKey("lead.id"))
    rep_id: Mapped[str] = mapped_column(ForeignKey("rep.id"))
    pool: Mapped[str | None]
    rule: Mapped[str]
    number: Mapped[int]
    hop: Mapped[int]
    cause_id: Mapped[UUID]
    assigned_at: Mapped[datetime]
    explanation: Mapped[dict[str, Any]]
    pact_version: Mapped[int]
    lead: Mapped[LeadRow] = relationship()
