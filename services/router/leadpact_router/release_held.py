"""Give held leads away as soon as somebody can take them, the longest waiting first.

One run looks at the head of every pool's line, decides each lead by the pact in force now, and leaves those
that still nobody can take where they are. Where lines are long it also looks at some of those behind, each time at the next: one of them may
have an owner to go to who is of no use to the head. A later lead cannot overtake one that could go as well: while a line exists, new leads for
its pool join it (`assign.py`). The loop runs when the roster, an absence or the pact changes, when a desk
gets lighter, and every few seconds, since hours and limits pass by themselves.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from leadpact.clock import Clock, wait_for
from leadpact.errors import Transient
from leadpact.ids import EventId
from leadpact.pact.book import PactBook
from leadpact.storage.unit_of_work import UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.assign import Handover, Ready, give_or_hold, lock_floor_for
from leadpact_router.assignment_rows import owners_of
from leadpact_router.calendars import CalendarShelf
from leadpact_router.decide import Given
from leadpact_router.lead import Lead
from leadpact_router.lead_rows import BEFORE_ALL, inserts_of_leads, lock_held_leads
from leadpact_router.owner import Owner
from leadpact_router.terms import Terms

FLOOR_CHANGED = "router.floor"
"""What to poke after a commit that may let somebody take a lead: reps, absences, accounts, the pact, contacts
and rejections.
"""

PER_LINE = 200
PERIOD = timedelta(seconds=5)

log = structlog.get_logger(__name__)


class ReleaseHeld:
    """Looks after the leads that wait."""

    def __init__(
        self, uow: UnitOfWork, pact_book: PactBook, shelf: CalendarShelf, clock: Clock, wake: Wake
    ) -> None:
        self._uow = uow
        self._pact_book = pact_book
        self._shelf = shelf
        self._clock = clock
        self._wake = wake
        self._seen = BEFORE_ALL

    async def run_once(self) -> bool:
        """Try the head of every line, and the next of those behind, in one transaction.

        True if that gave something away and more may wait.
        """
        async with self._uow.transaction() as tx:
            leads, seen = await lock_held_leads(tx, per_line=PER_LINE, after=self._seen)
            if not leads:
                self._seen = BEFORE_ALL
                return False
            applied = await self._pact_book.current(tx)
            terms = Terms(applied, self._shelf.of(applied), self._clock.now())
            owners = await owners_of(tx, leads)
            ready = [_still_owed(lead, terms, owners[lead.id]) for lead in leads]
            handover = Handover(await lock_floor_for(tx, ready, terms))
            before = [(lead.held_pool, lead.held_reason) for lead in leads]
            given = [isinstance(give_or_hold(tx, one, handover, terms), Given) for one in ready]
            # Most wait on as they did; to write those again, every few seconds, would only make dead rows.
            changed = [
                lead
                for lead, was, goes in zip(leads, before, given, strict=True)
                if goes or (lead.held_pool, lead.held_reason) != was
            ]
            await handover.save(tx, *inserts_of_leads(changed))
        self._seen = seen or BEFORE_ALL
        if changed:
            log.info("router.held_leads_looked_at", looked_at=len(given), given=sum(given))
        return len(given) >= PER_LINE and any(given)

    async def run(self, stop: asyncio.Event) -> None:
        """Release until ``stop``.

        Passing faults are survived; anything else ends the loop and the process.
        """
        sleeper = self._wake.sleeper([FLOOR_CHANGED])
        while not stop.is_set():
            try:
                more = await self.run_once()
            except Transient as error:
                log.warning("router.release_waits", reason=str(error))
                await wait_for(stop, 1.0)
                continue
            if not more:
                await sleeper.wait(stop, PERIOD.total_seconds())


def _still_owed(lead: Lead, terms: Terms, owners: tuple[Owner, ...]) -> Ready:
    """The held lead with the rules' answer as of now; what asked for an owner then is still the cause."""
    assert lead.held_cause_id is not None
    return Ready.now(lead, EventId(lead.held_cause_id), terms, owners, f"held: {lead.held_reason}")
