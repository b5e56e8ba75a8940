"""Show the clocks over HTTP: which is due next, which were breached, whose they are, and what one of them is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.errors import Fault, NotFound
from leadpact.events.sla import Whose
from leadpact.pact.book import NoPactYet, PactBook
from leadpact.pact.model import Pact
from leadpact.pact.words import nearest
from leadpact.runtime.pages import link_next
from leadpact.runtime.problems import Problem
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_sla_timer.clock_facts import ClockFacts
from leadpact_sla_timer.explain import explain, second_zone, time_left
from leadpact_sla_timer.read_clocks import Filter, has_policy, moves_of, page_of_clocks, read_clock
from leadpact_sla_timer.sla_clock import ClockState, SlaClock

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)


# Warnings are told apart by their exact share; people are told the whole ones.
_WholePercent = Annotated[int, BeforeValidator(int)]


class PauseOut(BaseModel):
    """A time in which the clock stood still, or will."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    until: datetime | None = Field(description="None: until it is resumed.")
    because: str


class ClockOut(BaseModel):
    """One promise to one owner, team or customer."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    lead_id: UUID
    assignment_id: UUID | None = Field(description="Of an owner's clock, as are the rep's fields.")
    whose: Whose = Field(
        description="The owner's runs anew with each owner; the team's and the customer's once per request."
    )
    kind: str = Field(description="first_touch, attempts or decide.")
    policy: str = Field(description="The promise's name in the pact.")
    pact_version: int = Field(description="The version under which the clock started, unless it was moved.")
    state: ClockState
    rep_id: str | None
    rep_name: str | None
    hop: int = Field(description="1 for the first owner, 2 after one reassignment.")
    target: str = Field(description="The pact's words.")
    target_seconds: int
    calendar: str = Field(description="The calendar of the pact whose hours count.")
    timezone: str = Field(description="The zone in which that calendar is kept for this clock.")
    shared_calendar: str | None = Field(description="A second calendar that must be open as well.")
    shared_timezone: str | None
    released_at_pace: bool = Field(description="Came in bulk, and started at its turn.")
    pauses: list[PauseOut]
    started_at: datetime
    due_at: datetime | None = Field(description="None while it stands still until somebody resumes it.")
    warned_percent: _WholePercent | None = Field(
        description="How much of the time was used, in whole percent, at the last warning that was announced."
    )
    seconds_left: float | None = Field(
        default=None,
        description="Of an open clock: what is left of the target, in the time that counts for it.",
    )
    was_breached: bool = Field(description="Whether a breach was announced, be it void by now.")
    breached_at: datetime | None = Field(description="When the breach was announced.")
    met_at: datetime | None = Field(description="When the lead was touched; of a breached clock: after all.")
    met_by: str | None
    ended_at: datetime | None = Field(description="When a cancelled clock ended.")
    ended_because: str | None
    recorded_at: datetime | None = Field(description="When we heard of what ended it.")
    elapsed_seconds: float | None = Field(description="Wall time from the start to what ended it.")
    business_seconds: float | None = Field(description="Of that, what counts for the target.")


class ClockMoveOut(BaseModel):
    """The clock was moved from one version of the pact to another."""

    model_config = ConfigDict(from_attributes=True)

    moved_at: datetime
    moved_by: str
    pact_version_before: int
    pact_version: int
    target_before: str
    target: str
    due_before: datetime
    due_at: datetime


class ClockDetail(ClockOut):
    """A clock, and what it is about."""

    explanation: str
    second_timezone: str | None = Field(
        description="Where else people may want its times told: the owner's or the lead's zone, or UTC. None: all is UTC."
    )
    moves: list[ClockMoveOut] = Field(description="In the order in which it was moved.")


class ClockPage(BaseModel):
    """Clocks in the order of their due times; ``next`` is the cursor of the following page."""

    items: list[ClockOut]
    next: str | None


def create_router(uow: UnitOfWork, book: PactBook, clock: Clock) -> APIRouter:
    """The routes of clocks."""
    router = APIRouter(
        prefix="/v1/clocks", tags=["clocks"], dependencies=[require(Scope.READ)], route_class=GuardedRoute
    )

    @router.get("")
    async def list_clocks(
        request: Request,
        response: Response,
        state: ClockState | None = None,
        rep: Annotated[str | None, Query(min_length=1, max_length=200, pattern=NO_NUL)] = None,
        lead: UUID | None = None,
        whose: Whose | None = None,
        policy: Annotated[str | None, Query(min_length=1, max_length=63, pattern=NO_NUL)] = None,
        released_at_pace: bool | None = None,
        due_before: Annotated[AwareDatetime | None, Query(ge=_EARLIEST, le=_LATEST)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[str | None, Query(max_length=200)] = None,
    ) -> ClockPage:
        """Clocks by due time. Open ones (waiting, running, paused): what is due soonest comes first. Any others: the latest first.

        A clock that stands still until somebody resumes it is listed by when it was due before.

        `state=running` is who is due next, `state=breached` what went wrong, `rep` one person's clocks, `whose=team` those of
        the team, `released_at_pace=false` leaves out what came in bulk.
        """
        wanted = Filter(
            state=state,
            rep_id=rep,
            lead_id=lead,
            whose=whose,
            policy=policy,
            released_at_pace=released_at_pace,
            due_before=due_before,
        )
        async with uow.transaction() as tx:
            clocks, following = await page_of_clocks(tx, wanted, limit=limit, after=after)
            if policy is not None and not clocks:
                await _refuse_unknown_policy(tx, book, policy)
            versions = {one.pact_version for one in clocks}
            pacts = {version: (await book.at(tx, version)).pact for version in versions}
        link_next(request, response, following)
        now = clock.now()
        shown = [_shown(one, now, pacts[one.pact_version]) for one in clocks]
        return ClockPage(items=shown, next=following)

    @router.get("/{clock_id}")
    async def show_clock(clock_id: UUID) -> ClockDetail:
        """One clock, with a few sentences that say what it is about."""
        async with uow.transaction() as tx:
            found = await read_clock(tx, clock_id)
            if found is None:
                raise NotFound(f"There is no clock {clock_id}")
            pact = (await book.at(tx, found.pact_version)).pact
            moves = await moves_of(tx, clock_id)
            known = (await ClockFacts.read(tx, [found])).known_to(found)
        now = clock.now()
        return ClockDetail(
            **_shown(found, now, pact).model_dump(),
            explanation=explain(found, now, pact, known.attempts),
            second_timezone=second_zone(found),
            moves=[ClockMoveOut.model_validate(move) for move in moves],
        )

    return router


async def _refuse_unknown_policy(tx: Transaction, book: PactBook, policy: str) -> None:
    """Raise ``Problem`` if neither the pact nor any clock knows the promise. Who is a rep is the router's to know."""
    try:
        promises = list((await book.current(tx)).pact.sla)
    except NoPactYet:
        promises = []
    if policy in promises or await has_policy(tx, policy):
        return
    meant = nearest(policy, promises)
    fix = f"did you mean {meant}?" if meant else f"use one of: {', '.join(promises) or 'none is known yet'}"
    fault = Fault("query:policy", f"{policy!r} is no policy that anybody knows", fix)
    raise Problem(422, "invalid-field", "There is no such policy.", faults=[fault])


def _shown(clock: SlaClock, now: datetime, pact: Pact) -> ClockOut:
    left = time_left(clock, now, pact).total_seconds() if clock.state.is_open else None
    shown = ClockOut.model_validate(clock).model_copy(update={"seconds_left": left})
    return shown.model_copy(update={"due_at": None}) if clock.state is ClockState.PAUSED else shown
