"""Give a batch of ready leads away, in order, and announce each one's owner or why it has to wait.

Each assignment names the event that asked for it; ``UNIQUE (lead_id, cause_id)`` makes that once,
``uq_assignment_open`` makes it one owner at a time. A lead that had an owner in the same round and gets
another is *reassigned*; nobody gets it twice in a round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from leadpact.events import Away, LeadAssigned, LeadHeld, LeadReassigned
from leadpact.ids import EventId, new_id
from leadpact.storage.bulk import Insert, JsonText, insert_together
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.assignment_rows import Renewal, end_assignments, renew_assignments
from leadpact_router.decide import NO_LINES, Given, Kept, decide
from leadpact_router.floor import Floor
from leadpact_router.floor_rows import inserts_of_floor, lock_floor, reachable
from leadpact_router.hold_rows import Holds
from leadpact_router.lead import Lead, Stage
from leadpact_router.lead_rows import lines_since
from leadpact_router.owner import Owner
from leadpact_router.route import Route, route
from leadpact_router.tables import assignment as assignment_table
from leadpact_router.terms import Terms

ASKED_AGAIN = "asked again"
"""Stands where other assignments name the routing rule."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """While ``owner`` had the lead, the person asked sales for more."""

    owner: Owner
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Ready:
    """A lead that sales should have, as it stood when ``cause_id`` made it so.

    ``owners`` had it before in this round, in order.
    """

    lead: Lead
    cause_id: EventId
    route: Route
    owners: tuple[Owner, ...] = ()
    reason: str = ""
    asked_again: AskedAgain | None = None
    """Whose it is, from the round before this one."""

    @classmethod
    def now(
        cls,
        lead: Lead,
        cause_id: EventId,
        terms: Terms,
        owners: tuple[Owner, ...] = (),
        reason: str = "",
        asked_again: AskedAgain | None = None,
    ) -> Ready:
        """The lead with the answer that the pact's rules have for it at this point."""
        answer = route(lead.condition_facts(), terms.applied.pact.routing)
        return cls(lead, cause_id, answer, owners, reason, asked_again)

    @property
    def previous_assignment_id(self) -> UUID | None:
        """The ownership that this follows, if there was one."""
        if self.asked_again is not None:
            return self.asked_again.owner.assignment_id
        return self.owners[-1].assignment_id if self.owners else None


@dataclass(slots=True)
class Handover:
    """What a batch of decisions leaves to be written beside the leads themselves."""

    floor: Floor
    given: list[dict[str, Any]] = field(default_factory=list)
    taken: list[UUID] = field(default_factory=list)
    """The ownerships that ended, since the lead goes to somebody else or waits."""
    renewed: list[Renewal] = field(default_factory=list)
    holds: Holds = field(default_factory=Holds)

    async def save(self, tx: Transaction, *beside: Insert) -> None:
        """Write all of it, and with it what is to be written ``beside``: the leads, for one."""
        # Before the new owners are written: each lead has one open ownership at most (uq_assignment_open), and in which order the
        # parts of one statement write is PostgreSQL's affair.
        await end_assignments(tx, self.taken, "reassigned", self.floor.now)
        await renew_assignments(tx, self.renewed, self.floor.now)
        await insert_together(
            tx, *beside, Insert(assignment_table, self.given), *inserts_of_floor(self.floor)
        )
        # After the leads: a new one may wait at once, and what is noted of a wait names its lead.
        await self.holds.save(tx, self.floor.now)


async def lock_floor_for(tx: Transaction, ready: Sequence[Ready], terms: Terms) -> Floor:
    """The floor of every pool that these leads can reach."""
    owners = {one.lead.account.owner for one in ready if one.lead.account and one.lead.account.owner}
    owners |= {owner.rep_id for one in ready for owner in one.owners}
    owners |= {one.asked_again.owner.rep_id for one in ready if one.asked_again}
    pools = {one.route.pool for one in ready}
    return await lock_floor(tx, terms, pools=pools, others=owners)


async def assign_all(
    tx: Transaction,
    ready: Sequence[Ready],
    terms: Terms,
) -> Handover | None:
    """Decide each qualified lead in turn, once. Those that others wait before stand in line behind them."""
    if not ready:
        return None
    floor = await lock_floor_for(tx, ready, terms)
    pools = {one.route.pool for one in ready}
    waiting = await lines_since(tx, reachable(terms.applied.pact.routing, pools))
    handover = Handover(floor)
    for one in ready:
        if one.lead.stage is Stage.MQL:
            _renew_or_decide(tx, one, handover, terms, waiting)
    log.info(
        "router.leads_decided",
        ready=len(ready),
        given=len(handover.given),
        pact_version=terms.applied.version,
    )
    return handover


async def save_decided(tx: Transaction, handover: Handover | None, *beside: Insert) -> None:
    """Write what ``assign_all`` has decided, if there was anything to decide, and with it what is to be written ``beside``."""
    if handover is not None:
        await handover.save(tx, *beside)
    else:
        await insert_together(tx, *beside)


def _renew_or_decide(
    tx: Transaction, ready: Ready, handover: Handover, terms: Terms, waiting: Mapping[str, datetime]
) -> None:
    """Whoever has the lead keeps it for what the person asks now, whatever the hour and their limits; unless they are not there."""
    lead, floor = ready.lead, handover.floor
    if ready.asked_again is None:
        give_or_hold(tx, ready, handover, terms, waiting)
        return
    present = ready.asked_again.owner
    assert present.assignment_id == lead.assignment_id
    lead.owner = lead.assignment_id = None
    if not present.has_reached:
        floor.take_away(present.rep_id)
    rep = floor.rep(present.rep_id)
    missing = floor.why_not_there(rep)
    rule = {"rule": ASKED_AGAIN, "to": present.rep_id, "holds": True, "seen": []}
    if missing is None:
        assert rep is not None
        decision = f"{rep.name} has the lead, and the person asks again"
        explanation = {"decision": decision, "rules": [rule], "pools": []}
        give(tx, ready, Given(rep, ASKED_AGAIN, None, {}, explanation), handover, terms)
        assert lead.assignment_id is not None
        handover.renewed.append(
            Renewal(present.assignment_id, lead.assignment_id, ready.asked_again.asked_at)
        )
        return
    handover.taken.append(present.assignment_id)
    tried = Route(ready.route.targets, ({**rule, "passed_by": missing.because}, *ready.route.tried))
    give_or_hold(tx, replace(ready, route=tried), handover, terms, waiting)


def give_or_hold(
    tx: Transaction,
    ready: Ready,
    handover: Handover,
    terms: Terms,
    waiting: Mapping[str, datetime] = NO_LINES,
) -> Given | Kept:
    """Decide one lead, enter the decision on the lead and the floor, and announce it.

    ``waiting`` as for ``decide``. A lead that waits itself does not stand behind itself.
    """
    since = ready.lead.held_since
    older = {pool: at for pool, at in waiting.items() if since is None or at < since}
    decision = choose_for(ready, handover.floor, terms, older)
    if isinstance(decision, Given):
        give(tx, ready, decision, handover, terms)
    else:
        hold(tx, ready, decision, handover, terms)
    return decision


def choose_for(
    ready: Ready, floor: Floor, terms: Terms, waiting: Mapping[str, datetime] = NO_LINES
) -> Given | Kept:
    """The decision for one lead, entered nowhere."""
    account = ready.lead.account
    return decide(
        ready.route,
        terms.applied.pact.routing.pools,
        floor,
        account_owner=account.owner if account else None,
        excluded={owner.rep_id for owner in ready.owners},
        waiting=waiting,
    )


def give(
    tx: Transaction,
    ready: Ready,
    given: Given,
    handover: Handover,
    terms: Terms,
    stage: Stage = Stage.ASSIGNED,
) -> None:
    """The lead has an owner, and is at ``stage`` with them."""
    lead, floor = ready.lead, handover.floor
    cause_id = EventId(lead.held_cause_id) if lead.held_cause_id else ready.cause_id
    floor.give(given.rep.id)
    if given.pool is not None:
        floor.turn_taken(given.pool, given.rep.id, given.served)
    lead.owner, lead.assignment_id, lead.stage = given.rep.id, new_id(), stage
    lead.hop += 1
    lead.owner_count += 1
    lead.held_since = lead.held_reason = lead.held_pool = lead.held_cause_id = None
    handover.given.append(_row(lead, lead.assignment_id, cause_id, given, terms))
    tx.emit(_assigned(ready, lead.assignment_id, given, terms), caused_by=cause_id)


def hold(tx: Transaction, ready: Ready, kept: Kept, handover: Handover, terms: Terms) -> None:
    """The lead waits.

    It is announced when it begins to, or changes lines; not each time it is looked at again.
    """
    lead = ready.lead
    is_news = lead.held_pool != kept.pool
    lead.stage, lead.held_pool, lead.held_reason = Stage.HELD, kept.pool, kept.reason
    lead.held_since = lead.held_since or terms.now
    lead.held_cause_id = lead.held_cause_id or ready.cause_id
    version = terms.applied.version
    if not is_news:
        handover.holds.look(lead.id, kept.explanation, version)
    else:
        handover.holds.begin(lead.id, kept.pool, kept.explanation, version, terms.now)
        log.info("router.lead_held", lead_id=str(lead.id), pool=kept.pool, reason=kept.reason)
        tx.emit(
            LeadHeld(
                occurred_at=terms.now,
                lead_id=lead.id,
                reason=kept.reason,
                pool=kept.pool,
                previous_assignment_id=ready.previous_assignment_id,
                lead=lead.event_facts(),
                explanation=kept.explanation,
                pact_version=version,
            ),
            caused_by=ready.cause_id,
        )


def _row(lead: Lead, assignment_id: UUID, cause_id: EventId, given: Given, terms: Terms) -> dict[str, Any]:
    return {
        "id": assignment_id,
        "lead_id": lead.id,
        "rep_id": given.rep.id,
        "pool": given.pool,
        "rule": given.rule,
        "number": lead.owner_count,
        "hop": lead.hop,
        "cause_id": cause_id,
        "assigned_at": terms.now,
        "explanation": JsonText.of(given.explanation),
        "pact_version": terms.applied.version,
        "accepted_at": None,
        "contacted_at": None,
        "contact_channel": None,
    }


def _assigned(ready: Ready, assignment_id: UUID, given: Given, terms: Terms) -> LeadAssigned:
    lead, rep = ready.lead, given.rep
    said: dict[str, Any] = {
        "occurred_at": terms.now,
        "lead_id": lead.id,
        "assignment_id": assignment_id,
        "rep_id": rep.id,
        "rep_name": rep.name,
        "rep_timezone": rep.timezone,
        "rep_calendar": rep.calendar,
        # All that lie ahead: the floor reads those that have not ended yet.
        "rep_away": tuple(Away(starts_at=one.starts_at, ends_at=one.ends_at) for one in rep.absences),
        "rep_away_revision": rep.absences_revision,
        "pool": given.pool,
        # Whoever got it outside a pool's turns keeps, without hours of their own, those of the pool that
        # stood behind them.
        "pool_calendar": terms.applied.pact.routing.pools[given.pool or ready.route.pool].calendar,
        "rule": given.rule,
        "hop": lead.hop,
        "owner_number": lead.owner_count,
        "stage": lead.stage.value,
        "lead": lead.event_facts(),
        "explanation": given.explanation,
        "pact_version": terms.applied.version,
        "previous_assignment_id": ready.previous_assignment_id,
    }
    if not ready.owners:
        return LeadAssigned(**said)
    return LeadReassigned(**said, previous_rep_id=ready.owners[-1].rep_id, reason=ready.reason)
