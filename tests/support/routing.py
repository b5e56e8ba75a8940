"""The router on a real database: captured leads go in through the log and the carrier, decisions come out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from leadpact.bus.carriers.postgres import PostgresCarrier, PostgresReader
from leadpact.domain.lead import LeadDraft
from leadpact.events import ActivityRecorded, Event, LeadCaptured, SlaBreached
from leadpact.events.sla import ClockEvent
from leadpact.ids import EventId, new_id
from leadpact.pact.book import AppliedPact, PactBook
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.calendars import CalendarShelf
from leadpact_router.capture import capture
from leadpact_router.handlers import CONSUMER, TOPICS, Deciding, router_consumer
from leadpact_router.news import News
from leadpact_router.reassign import reassign
from leadpact_router.release_held import ReleaseHeld
from leadpact_router.roster import RepEntry, put_reps
from leadpact_router.terms import Terms
from tests.support.announced import announced
from tests.support.fake_clock import TUESDAY_MORNING, FakeClock

E = TypeVar("E", bound=Event)

PACT = """
pact: A pact about who gets what
calendars:
  utc: {timezone: UTC, hours: {mon-fri: "08:00-17:00"}}
  round: {timezone: UTC, hours: always}
sources:
  website-demo: {kind: form, intent: demo_request}
  whitepaper: {kind: form, intent: content_download}
  vendor: {kind: syndication}
scoring:
  fit:
    - {name: decides, when: {seniority: [c_level, vp]}, points: 25}
    - {name: private address, when: {email: free_mail}, points: -20}
  engagement:
    half_life: 14 days
    cap: 50
    points: {pricing_page: 8, webinar: {points: 15, once: true}, content_download: 5}
qualification:
  mql: {any: [{intent: demo_request}, {score: ">= 30"}], needs: [email]}
routing:
  pools:
    dach: {members: [ana, ben, cem], calendar: utc}
    rest: {members: [dora], calendar: utc, daily_limit: 2}
  rules:
    - {name: account owner first, when: {account.owner: present}, to: account.owner}
    - {name: DACH, when: {country: [DE, AT, CH]}, to: dach}
  fallback: rest
sla:
  first-touch:
    applies: {intent: demo_request}
    first_touch_within: 2 business hours
    on_breach: {reassign: {at_most: 2}, then: {escalate: boss@acme.example}}
rejection_reasons:
  bad_data: {outcome: disqualify, note: required}
  not_now: {outcome: recycle}
  no_budget: {outcome: nurture}
"""

PAUSING_PACT = PACT.replace(
    "    first_touch_within: 2 business hours\n",
    "    first_touch_within: 2 business hours\n    pause_while: [waiting_for_customer, on_holiday]\n",
)

REPS = tuple(
    RepEntry(name, name.title(), f"{name}@acme.example", "UTC") for name in ("ana", "ben", "cem", "dora")
)

# What is on a desk, what was given today, and the turns taken: as counted, and counted anew. (The reps work in UTC.)
_MISCOUNTS = """
    SELECT l.rep_id, l.open, l.today, t.assigned, a.open AS open_anew, a.today AS today_anew, a.turns AS turns_anew
    FROM rep_load l
    LEFT JOIN LATERAL (SELECT coalesce(sum(assigned), 0) AS assigned FROM turn WHERE rep_id = l.rep_id) t ON true
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE ended_at IS NULL AND contacted_at IS NULL) AS open,
               count(*) FILTER (WHERE CAST(assigned_at AT TIME ZONE 'UTC' AS date) = l.day) AS today,
               count(*) FILTER (WHERE pool IS NOT NULL) AS turns
        FROM assignment WHERE rep_id = l.rep_id
    ) a ON true
    WHERE l.day <= :day AND (l.open, l.today, t.assigned) IS DISTINCT FROM (a.open, a.today, a.turns)
"""


def captured(email: str | None = None, **changes: Any) -> LeadCaptured:
    """A demo request from Germany; ``draft`` changes what the person said."""
    draft: dict[str, Any] = {"email": email, "country": "DE", "company": "Globex", **changes.pop("draft", {})}
    at = changes.pop("at", TUESDAY_MORNING)
    said: dict[str, Any] = {
        "occurred_at": at,
        "receipt_id": new_id(),
        "source": "website-demo",
        "source_kind": "form",
        "intent": "demo_request",
        "received_at": at,
        "lead": LeadDraft(**draft),
        **changes,
    }
    return LeadCaptured(**said)


def downloaded(email: str, **changes: Any) -> LeadCaptured:
    """Somebody fetched a white paper: no reason to call them yet."""
    return captured(email, **{"source": "whitepaper", "intent": "content_download", **changes})


def did(kind: str, email: str, at: datetime = TUESDAY_MORNING, **changes: Any) -> ActivityRecorded:
    """Somebody did something."""
    said: dict[str, Any] = {"occurred_at": at, "activity_id": new_id(), "kind": kind, "received_at": at}
    return ActivityRecorded(**{**said, "email": email, **changes})


@dataclass
class Router:
    """The service without its loops: a test says when it reads and when it releases."""

    engine: AsyncEngine
    uow: UnitOfWork
    wake: Wake
    clock: FakeClock
    book: PactBook = field(default_factory=PactBook)
    shelf: CalendarShelf = field(default_factory=CalendarShelf)

    def reader(self, batch_size: int = 5000) -> PostgresReader:
        """One instance of the router's consumer group; its batches are large enough that a test is one."""
        return PostgresCarrier(self.uow, self.wake, batch_size=batch_size).reader(CONSUMER, TOPICS)

    async def announce(self, *events: Event) -> None:
        """Others announce ``events`` in one transaction."""
        async with self.uow.transaction() as tx:
            for event in events:
                tx.emit(event)

    async def hear(self, *events: Event) -> None:
        """Others announce ``events`` and the router applies them."""
        await self.announce(*events)
        await self.read()

    async def read(self) -> None:
        """Apply whatever is waiting in the log."""
        reader, consumer = self.reader(), router_consumer(self.book, self.shelf, self.clock)
        await reader.start()
        while await consumer.run_once(reader):
            pass

    async def take_in(self, tx: Transaction, *events: LeadCaptured) -> None:
        """Apply captured leads as one batch, in this order.

        (Carriers keep the order of each person's events, no more.)
        """
        applied = await self.book.current(tx)
        batch = [News(EventId(event.receipt_id), event) for event in events]
        await capture(tx, batch, Terms(applied, self.shelf.of(applied), self.clock.now()))

    async def apply_breaches(self, tx: Transaction, *events: SlaBreached) -> None:
        """Act on breaches as one batch."""
        await self.apply_batch(reassign, tx, *events)

    async def apply_batch(self, use_case: Deciding, tx: Transaction, *events: ClockEvent) -> None:
        """Let ``use_case`` act on these as one batch, without the consumer, who would try them one by one in the end."""
        applied = await self.book.current(tx)
        terms = Terms(applied, self.shelf.of(applied), self.clock.now())
        await use_case(tx, [News(EventId(event.clock_id), event) for event in events], terms)

    async def release(self) -> None:
        """Look after the held leads."""
        held = ReleaseHeld(self.uow, self.book, self.shelf, self.clock, self.wake)
        while await held.run_once():
            pass

    async def apply_pact(self, source: str) -> AppliedPact:
        """Put a pact in force."""
        async with self.uow.transaction() as tx:
            applied, _ = await self.book.apply(tx, source, applied_by="test")
        return applied

    async def put_reps(self, *reps: RepEntry) -> None:
        async with self.uow.transaction() as tx:
            await put_reps(tx, reps, self.clock.now())

    async def said(self, kind: type[E]) -> list[E]:
        """The events of exactly one kind that were announced, in log order."""
        return await announced(self.engine, kind)

    async def rows(self, query: str, **parameters: Any) -> Sequence[Any]:
        """What is stored."""
        async with self.engine.connect() as connection:
            return (await connection.execute(text(query), parameters)).all()

    async def value(self, query: str, **parameters: Any) -> Any:
        """The one value that ``query`` asks for."""
        ((found,),) = await self.rows(query, **parameters)
        return found

    async def owner_of(self, email: str) -> str | None:
        owner: str | None = await self.value("SELECT owner FROM lead WHERE email = :email", email=email)
        return owner

    async def clock_of(self, email: str, assignment_id: UUID | None = None) -> dict[str, Any]:
        """What events of a clock on the lead's present owner have in common; ``assignment_id`` names an earlier one."""
        ((lead_id, current),) = await self.rows(
            "SELECT id, assignment_id FROM lead WHERE email = :email", email=email
        )
        found = assignment_id or current
        reps = await self.rows("SELECT rep_id FROM assignment WHERE id = :id", id=found)
        due_at = self.clock.now() - timedelta(minutes=1)
        return {
            "occurred_at": due_at,
            "clock_id": new_id(),
            "lead_id": lead_id,
            "assignment_id": found,
            "policy": "first-touch",
            "rep_id": reps[0].rep_id if reps else None,
            "due_at": due_at,
        }

    async def breach(
        self,
        email: str,
        *,
        at_most: int | None = 2,
        assignment_id: UUID | None = None,
        **changes: Any,
    ) -> SlaBreached:
        """The breach of the clock that runs on the lead's present owner, as the sla-timer would announce it."""
        said = {
            **await self.clock_of(email, assignment_id),
            "reassign_at_most": at_most,
            "escalate_to": "boss@acme.example" if at_most is not None else None,
            "pact_version": 1,
        }
        return SlaBreached(**{**said, **changes})

    async def shared_breach(self, email: str, whose: str = "team", **changes: Any) -> SlaBreached:
        """The breach of the team's or the customer's clock of a lead: it belongs to nobody in particular."""
        escalating = {"escalate_to": "boss@acme.example", "policy": f"{whose}-clock", **changes}
        owners = await self.breach(email, at_most=None, whose=whose, **escalating)
        return owners.model_copy(update={"assignment_id": None, "rep_id": None})

    async def miscounts(self) -> list[Any]:
        """The reps whose counters differ from a recount of the assignments."""
        return list(await self.rows(_MISCOUNTS, day=self.clock.now().date()))


async def somebody_waits_for_a_lock(router: Router) -> None:
    """Return when one of this database's sessions waits for a lock of another."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(10), router.engine.connect() as connection:
        while (await connection.execute(waiting)).scalar() == 0:
            await connection.rollback()
