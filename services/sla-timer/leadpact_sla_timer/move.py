"""Move the clocks of reps whose absences changed: those that stand still while their owner is away, and those that hand the lead on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Text, any_, bindparam, select

from leadpact.bus.consume import Received
from leadpact.events import RepAbsencesChanged
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import Transaction
from leadpact_sla_timer import announce
from leadpact_sla_timer.absences import Announced, learn
from leadpact_sla_timer.clock_rows import update_clocks
from leadpact_sla_timer.schedule import with_absences
from leadpact_sla_timer.sla_clock import SlaClock
from leadpact_sla_timer.tables import IS_OPEN, sla_clock

_CLOCKS = (
    select(sla_clock)
    .where(
        sla_clock.c.rep_id == any_(bindparam("reps", type_=ARRAY(Text))),
        IS_OPEN,
    )
    .order_by(sla_clock.c.id)
    .with_for_update()
)


async def mind_absences(tx: Transaction, received: Sequence[Received], book: PactBook, now: datetime) -> None:
    """Apply a batch of `RepAbsencesChanged`."""
    events: list[RepAbsencesChanged] = [one.event for one in received]  # type: ignore[misc]  # the consumer hands over events of this class
    causes = {one.event.rep_id: one.message.id for one in received}  # type: ignore[attr-defined]  # as above
    news = [Announced(event.rep_id, event.away, event.revision, event.occurred_at) for event in events]
    away = await learn(tx, news)
    moved = []
    for row in await tx.execute(_CLOCKS, {"reps": sorted(away)}):
        clock = SlaClock.from_row(row)
        pact = (await book.at(tx, clock.pact_version)).pact
        assert clock.rep_id is not None
        after = with_absences(clock, away[clock.rep_id], pact, max(now, clock.started_at))
        if after != clock:
            moved.append(after)
            if event := announce.change(clock, after, now, pact):
                tx.emit(event, caused_by=causes[clock.rep_id])
    await update_clocks(tx, moved)
