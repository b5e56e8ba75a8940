"""Route one captured lead in one transaction, the obvious way: look up what the rules need, apply them, add what they say.

The rules are the product's own pure functions, so both sides decide alike and write the same rows; what differs is how they come to the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bench.baseline.models import (
    AccountRow,
    AssignmentRow,
    LeadRow,
    LoadRow,
    OutgoingEvent,
    Person,
    PersonIdentity,
    ProcessedEvent,
    RepRow,
    SignalRow,
    TouchRow,
    TurnRow,
)
from leadpact.events import Event, LeadAssigned, LeadCaptured, LeadMatched
from leadpact.ids import EventId, new_id
from leadpact.pact.book import AppliedPact
from leadpact.pact.routing import Overflow
from leadpact.storage.outbox import shard_of
from leadpact_router.appraise import appraise
from leadpact_router.availability import Absence, Load, Rep
from leadpact_router.calendars import RepCalendars
from leadpact_router.decide import Given, Kept, decide
from leadpact_router.floor import Floor, seat_newcomers
from leadpact_router.floor_rows import reachable
from leadpact_router.lead import Account, Lead, Stage, full_name
from leadpact_router.recognise import AddressBook, Caller, Identity, Recognition
from leadpact_router.route import Route, route
from leadpact_router.signal import Signal, heard
from leadpact_router.unite import unite

CONSUMER = "baseline"


async def route_lead(
    session: AsyncSession,
    event_id: EventId,
    event: LeadCaptured,
    applied: AppliedPact,
    calendars: RepCalendars,
    now: datetime,
) -> OutgoingEvent | None:
    """Apply one captured lead. Returns the event that announces its owner, if it got one; the caller commits."""
    if await session.get(ProcessedEvent, (CONSUMER, event_id)) is not None:
        return None
    session.add(ProcessedEvent(consumer=CONSUMER, event_id=event_id))
    who = await _recognise(session, event, now)
    row = None
    if who.matched_by != "new":
        theirs = select(LeadRow).where(LeadRow.person_id == who.person_id)
        row = await session.scalar(theirs.with_for_update())
    lead = await _lead(session, row, who, event)
    await _hear(session, lead, event, applied)
    _announce(session, event_id, _matched(lead, who, event, now))
    for result in appraise(lead, applied, now):
        _announce(session, event_id, result)
    assigned = None
    if lead.stage is Stage.MQL:
        assigned = await _assign(session, lead, event_id, applied, calendars, now)
    _save(session, lead, row)
    session.add(_touch(lead, who, event))
    return assigned


async def _recognise(session: AsyncSession, event: LeadCaptured, now: datetime) -> Recognition:
    caller = Caller(event.lead.email, event.lead.phone)
    asked = select(PersonIdentity).where(
        tuple_(PersonIdentity.kind, PersonIdentity.value).in_([tuple(one) for one in caller.identities])
    )
    known = (await session.scalars(asked)).all()
    with_email: Iterable[UUID] = ()
    if known:
        people = {one.person_id for one in known}
        with_email = await session.scalars(
            select(PersonIdentity.person_id).where(
                PersonIdentity.person_id.in_(people), PersonIdentity.kind == "email"
            )
        )
    book = AddressBook(
        ((Identity(one.kind, one.value), one.person_id) for one in known),  # type: ignore[arg-type]  # the kinds are the two literals
        with_email,
    )
    who = book.recognise(caller)
    if who.matched_by == "new":
        session.add(Person(id=who.person_id, first_seen_at=now))
    for identity, person_id in book.claims.items():
        session.add(PersonIdentity(kind=identity.kind, value=identity.value, person_id=person_id))
    return who


async def _lead(session: AsyncSession, row: LeadRow | None, who: Recognition, event: LeadCaptured) -> Lead:
    account = None
    if event.lead.domain:
        account = await session.scalar(select(AccountRow).where(AccountRow.domain == event.lead.domain))
    said = event.lead.to_json()
    lead = Lead(
        id=row.id if row else new_id(),
        person_id=who.person_id,
        source=event.source,
        source_kind=event.source_kind,
        intent=event.intent,
        received_at=row.received_at if row else event.received_at,
        touched_at=event.received_at,
        draft=unite(row.draft, said) if row else said,
        account=_account(account),
    )
    if row is not None:
        lead.stage = Stage(row.stage)
        lead.score, lead.fit, lead.engagement, lead.band = row.score, row.fit, row.engagement, row.band
        lead.qualified_at, lead.qualified_because = row.qualified_at, row.qualified_because
        lead.owner, lead.assignment_id, lead.hop = row.owner, row.assignment_id, row.hop
        signals = await session.scalars(select(SignalRow).where(SignalRow.lead_id == row.id))
        lead.signals = {one.kind: Signal(one.strength, one.as_of, one.times) for one in signals}
    return lead


def _account(row: AccountRow | None) -> Account | None:
    if row is None:
        return None
    return Account(row.id, row.name, row.domain, row.tier, row.owner, row.employees, row.industry)


async def _hear(session: AsyncSession, lead: Lead, event: LeadCaptured, applied: AppliedPact) -> None:
    engagement = applied.pact.scoring.engagement
    worth = engagement.points.get(event.intent)
    if worth is None:
        return
    signal = heard(lead.signals.get(event.intent), event.occurred_at, engagement.half_life, once=worth.once)
    lead.signals[event.intent] = signal
    await session.merge(
        SignalRow(
            lead_id=lead.id,
            kind=event.intent,
            strength=signal.strength,
            as_of=signal.as_of,
            times=signal.times,
        )
    )


async def _assign(
    session: AsyncSession,
    lead: Lead,
    cause_id: EventId,
    applied: AppliedPact,
    calendars: RepCalendars,
    now: datetime,
) -> OutgoingEvent | None:
    routing = applied.pact.routing
    way = route(lead.condition_facts(), routing)
    owner = lead.account.owner if lead.account else None
    floor, loads, turns = await _floor(session, way, owner, applied, calendars, now)
    decision = decide(way, routing.pools, floor, account_owner=owner)
    if isinstance(decision, Kept):
        raise AssertionError(f"the workload has no lead that must wait: {decision.reason}")
    floor.give(decision.rep.id)
    if decision.pool is not None:
        floor.turn_taken(decision.pool, decision.rep.id, decision.served)
    load = loads[decision.rep.id]
    load.open, load.today = floor.loads[decision.rep.id].open, floor.loads[decision.rep.id].today
    load.day = _local_day(decision.rep, now)
    for place in floor.changed_turns:
        turns[place].served, turns[place].assigned = floor.served[place], floor.assigned[place]
    lead.owner, lead.assignment_id, lead.stage = decision.rep.id, new_id(), Stage.ASSIGNED
    lead.hop += 1
    session.add(
        AssignmentRow(
            id=lead.assignment_id,
            lead_id=lead.id,
            rep_id=decision.rep.id,
            pool=decision.pool,
            rule=decision.rule,
            number=lead.hop,  # of all that a lead has had; here that is one
            hop=lead.hop,
            cause_id=cause_id,
            assigned_at=now,
            explanation=decision.explanation,
            pact_version=applied.version,
        )
    )
    return _announce(session, cause_id, _assigned(lead, way, decision, applied, now))


async def _floor(
    session: AsyncSession,
    way: Route,
    owner: str | None,
    applied: AppliedPact,
    calendars: RepCalendars,
    now: datetime,
) -> tuple[Floor, dict[str, LoadRow], dict[tuple[str, str], TurnRow]]:
    """The reps whom the lead can reach, with their rows."""
    pools = reachable(applied.pact.routing, {way.pool})
    refs = {member.rep for pool in pools.values() for member in pool.members} | ({owner} if owner else set())
    refs |= {pool.when_nobody.overflow for pool in pools.values() if isinstance(pool.when_nobody, Overflow)}
    rep_rows = await session.scalars(select(RepRow).where(or_(RepRow.id.in_(refs), RepRow.email.in_(refs))))
    reps = [_rep(row) for row in rep_rows]
    asked = select(LoadRow).where(LoadRow.rep_id.in_([rep.id for rep in reps])).order_by(LoadRow.rep_id)
    loads = {row.rep_id: row for row in await session.scalars(asked.with_for_update())}
    turn_rows = await session.scalars(
        select(TurnRow)
        .where(TurnRow.pool.in_(sorted(pools)))
        .order_by(TurnRow.pool, TurnRow.rep_id)
        .with_for_update()
    )
    turns = {(row.pool, row.rep_id): row for row in turn_rows}
    ids = {ref: rep.id for rep in reps for ref in (rep.id, rep.email)}
    seats = seat_newcomers(pools, ids, {place: row.served for place, row in turns.items()})
    for (pool, rep_id), served in seats.items():
        turns[pool, rep_id] = TurnRow(pool=pool, rep_id=rep_id, served=served, assigned=0)
        session.add(turns[pool, rep_id])
    floor = Floor(
        now,
        calendars,
        reps,
        {rep.id: _load(loads[rep.id], _local_day(rep, now)) for rep in reps},
        {place: row.served for place, row in turns.items()},
        {place: row.assigned for place, row in turns.items()},
    )
    return floor, loads, turns


def _rep(row: RepRow) -> Rep:
    absences = tuple(Absence(one.starts_at, one.ends_at) for one in row.absences)
    return Rep(
        row.id,
        row.name,
        row.email,
        row.timezone,
        row.calendar,
        row.active,
        row.open_limit,
        row.daily_limit,
        absences,
    )


def _load(row: LoadRow, today: date) -> Load:
    return Load(row.open, row.today if row.day == today else 0)


def _local_day(rep: Rep, now: datetime) -> date:
    return now.astimezone(ZoneInfo(rep.timezone)).date()


def _save(session: AsyncSession, lead: Lead, row: LeadRow | None) -> None:
    if row is None:
        row = LeadRow(id=lead.id, person_id=lead.person_id, received_at=lead.received_at)
        session.add(row)
    said = lead.draft
    row.stage, row.source, row.source_kind, row.intent = (
        lead.stage.value,
        lead.source,
        lead.source_kind,
        lead.intent,
    )
    row.touched_at, row.draft = lead.touched_at, said
    row.email, row.phone, row.full_name = said.get("email"), said.get("phone"), full_name(said)
    row.company, row.country = said.get("company"), said.get("country")
    row.account_id = lead.account.id if lead.account else None
    row.score, row.fit, row.engagement, row.band = lead.score, lead.fit, lead.engagement, lead.band
    row.contributions = [one.model_dump() for one in lead.contributions]
    row.qualified_at, row.qualified_because = lead.qualified_at, lead.qualified_because
    row.unqualified_because = lead.unqualified_because
    row.owner, row.assignment_id, row.hop = lead.owner, lead.assignment_id, lead.hop


def _touch(lead: Lead, who: Recognition, event: LeadCaptured) -> TouchRow:
    return TouchRow(
        receipt_id=event.receipt_id,
        lead_id=lead.id,
        source=event.source,
        source_kind=event.source_kind,
        intent=event.intent,
        matched_by=who.matched_by,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        draft=event.lead.to_json(),
    )


def _matched(lead: Lead, who: Recognition, event: LeadCaptured, now: datetime) -> LeadMatched:
    return LeadMatched(
        occurred_at=now,
        lead_id=lead.id,
        person_id=lead.person_id,
        receipt_id=event.receipt_id,
        source=event.source,
        matched_by=who.matched_by,
        account_id=lead.account.id if lead.account else None,
        account_name=lead.account.name if lead.account else None,
    )


def _assigned(lead: Lead, way: Route, given: Given, applied: AppliedPact, now: datetime) -> LeadAssigned:
    assert lead.assignment_id is not None
    return LeadAssigned(
        occurred_at=now,
        lead_id=lead.id,
        assignment_id=lead.assignment_id,
        rep_id=given.rep.id,
        rep_name=given.rep.name,
        rep_timezone=given.rep.timezone,
        rep_calendar=given.rep.calendar,
        pool=given.pool,
        pool_calendar=applied.pact.routing.pools[given.pool or way.pool].calendar,
        rule=given.rule,
        hop=lead.hop,
        lead=lead.event_facts(),
        explanation=given.explanation,
        pact_version=applied.version,
    )


def _announce(session: AsyncSession, cause_id: EventId, event: Event) -> OutgoingEvent:
    row = OutgoingEvent(
        event_id=new_id(),
        topic=event.TOPIC.value,
        shard=shard_of(event.key),
        type=event.TYPE,
        source="/leadpact/baseline",
        key=event.key,
        occurred_at=event.occurred_at,
        causation_id=cause_id,
        data=event.model_dump(mode="json", exclude_defaults=True),
    )
    session.add(row)
    return row
