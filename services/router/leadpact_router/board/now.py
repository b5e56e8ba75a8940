"""Read what the board shows: who waits, which promises run, what came in, what went wrong, what others were told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from leadpact.pact.book import NoPactYet, PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assign import ASKED_AGAIN
from leadpact_router.views import LEAD_COLUMNS, LeadRow
from leadpact_router.webhooks.read import (
    DeliveryFilter,
    DeliveryRow,
    EndpointRow,
    page_of_deliveries,
    read_endpoints,
)

_SHOWN = 12
_SOON = timedelta(hours=1)
_LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class PactLine:
    """What the head of the page says of the pact in force."""

    version: int
    name: str
    signed_by: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures at the top."""

    held: int
    held_since: datetime | None
    due_soon: int
    overdue: int
    breached_lately: int
    open_leads: int
    reps: int


@dataclass(frozen=True, slots=True)
class BoardNow:
    """Everything on the board at one instant."""

    now: datetime
    pact: PactLine | None
    counts: Counts
    waiting: Sequence[LeadRow]
    offline: Sequence[Any]
    clocks: Sequence[Any]
    for_sales: Sequence[LeadRow]
    not_ready: Sequence[LeadRow]
    breaches: Sequence[Any]
    endpoints: Sequence[EndpointRow]
    deliveries: Sequence[DeliveryRow]


_COUNTS = text(
    """
    SELECT
        (SELECT count(*) FROM lead WHERE held_since IS NOT NULL) AS held,
        (SELECT min(held_since) FROM lead WHERE held_since IS NOT NULL) AS held_since,
        (SELECT count(*) FROM clock_view WHERE state IN ('running', 'warned') AND due_at > :now AND due_at <= :soon) AS due_soon,
        (SELECT count(*) FROM clock_view WHERE state IN ('running', 'warned') AND due_at <= :now) AS overdue,
        (SELECT count(*) FROM clock_view WHERE was_breached AND due_at > :lately) AS breached_lately,
        (SELECT coalesce(sum(open), 0) FROM rep_load) AS open_leads,
        (SELECT count(*) FROM rep WHERE active) AS reps
    """
)

# Who waits for a human: nobody can be given the lead, or the reassignments are used up. The longest waiting first. They are picked
# before anything is joined to them: in a bad week thousands are held.
_WAITING = text(
    f"""
    {LEAD_COLUMNS}
    JOIN (
        (SELECT id, held_since AS since FROM lead WHERE held_since IS NOT NULL ORDER BY held_since, id LIMIT :shown)
        UNION ALL
        (SELECT id, escalated_at FROM lead
         WHERE escalated_at IS NOT NULL AND held_since IS NULL AND closed_at IS NULL AND stage IN ('assigned', 'accepted')
         ORDER BY escalated_at, id LIMIT :shown)
        ORDER BY since, id LIMIT :shown
    ) waiting ON waiting.id = l.id
    ORDER BY waiting.since, l.id
    """
)
# By the time left; behind them those for which none passes. Either kind comes out of its own index.
_CLOCKS = text(
    """
    SELECT c.lead_id, c.policy, c.whose, c.state, c.paused_because, c.target, c.due_at, c.started_at, r.name AS rep_name, r.timezone,
           l.full_name, l.email, l.phone, l.company, l.country, l.band
    FROM (
        (SELECT * FROM clock_view WHERE state IN ('running', 'warned') ORDER BY due_at, clock_id LIMIT :shown)
        UNION ALL
        (SELECT * FROM clock_view WHERE state = 'paused' ORDER BY due_at, clock_id LIMIT :shown)
    ) c JOIN lead l ON l.id = c.lead_id LEFT JOIN rep r ON r.id = c.rep_id
    ORDER BY c.state = 'paused', c.due_at, c.clock_id LIMIT :shown
    """
)
_OFFLINE = text(
    """
    SELECT id, name, timezone, offline_since, offline_because FROM rep
    WHERE offline_since IS NOT NULL AND active ORDER BY offline_since, id
    """
)
_FOR_SALES = text(
    f"{LEAD_COLUMNS} WHERE l.qualified_at IS NOT NULL ORDER BY l.qualified_at DESC, l.id DESC LIMIT :shown"
)
_NOT_READY = text(
    f"""
    {LEAD_COLUMNS}
    WHERE l.qualified_at IS NULL AND l.closed_at IS NULL ORDER BY l.touched_at DESC, l.id DESC LIMIT :shown
    """
)
# Each breach with what followed it: the next owner, else where the lead is now. By a clock that is nobody's in particular the lead
# goes to nobody else.
_BREACHES = text(
    """
    SELECT c.lead_id, c.policy, c.whose, c.state, c.due_at, c.ended_at, r.name AS rep_name, r.timezone,
           l.full_name, l.email, l.phone, l.company, l.stage, l.escalated_to, l.held_reason, next.name AS next_name
    FROM clock_view c JOIN lead l ON l.id = c.lead_id LEFT JOIN rep r ON r.id = c.rep_id
    LEFT JOIN LATERAL (
        SELECT n.name FROM assignment s JOIN rep n ON n.id = s.rep_id
        WHERE s.lead_id = c.lead_id AND s.assigned_at >= c.due_at AND s.id <> c.assignment_id AND s.rule <> :asked_again
        ORDER BY s.number LIMIT 1
    ) next ON true
    WHERE c.was_breached ORDER BY c.due_at DESC, c.clock_id LIMIT :shown
    """
)

_PACT_TEXT = text("SELECT text FROM pact_version ORDER BY version DESC LIMIT 1")


async def read_board(tx: Transaction, book: PactBook, now: datetime) -> BoardNow:
    """The board at ``now``."""
    counts = (await tx.execute(_COUNTS, {"now": now, "soon": now + _SOON, "lately": now - _LATELY})).one()
    waiting = await tx.execute(_WAITING, {"now": now, "shown": _SHOWN})
    for_sales = await tx.execute(_FOR_SALES, {"now": now, "shown": _SHOWN})
    not_ready = await tx.execute(_NOT_READY, {"now": now, "shown": _SHOWN // 2})
    deliveries, _ = await page_of_deliveries(tx, DeliveryFilter(), limit=_SHOWN)
    return BoardNow(
        now=now,
        pact=await read_pact_line(tx, book),
        counts=Counts(**counts._mapping),
        waiting=[LeadRow.model_validate(row) for row in waiting],
        offline=(await tx.execute(_OFFLINE)).all(),
        clocks=(await tx.execute(_CLOCKS, {"shown": _SHOWN})).all(),
        for_sales=[LeadRow.model_validate(row) for row in for_sales],
        not_ready=[LeadRow.model_validate(row) for row in not_ready],
        breaches=(await tx.execute(_BREACHES, {"shown": _SHOWN, "asked_again": ASKED_AGAIN})).all(),
        endpoints=await read_endpoints(tx),
        deliveries=deliveries,
    )


async def read_pact_line(tx: Transaction, book: PactBook) -> PactLine | None:
    """The pact in force; None if there is none."""
    try:
        applied = await book.current(tx)
    except NoPactYet:
        return None
    named = applied.pact.signatures
    signed_by = (named.marketing, named.sales) if named else ()
    return PactLine(applied.version, applied.pact.pact, signed_by, tuple(applied.pact.sources))


async def read_pact_text(tx: Transaction) -> str | None:
    """The file of the pact in force; None if there is none."""
    source: str | None = (await tx.execute(_PACT_TEXT)).scalar()
    return source
