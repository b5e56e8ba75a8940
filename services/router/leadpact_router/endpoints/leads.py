"""Leads over HTTP: who they are, where they stand, whose they are and why; and that one is done with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.pact.book import NoPactYet, PactBook
from leadpact.runtime.pages import cursor, link_next, read_cursor
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact_router.endpoints.desk import Closing, ClosingOutcome, Desk
from leadpact_router.endpoints.fields import After, Limit, Word, unknown_word
from leadpact_router.endpoints.repeats import IdempotencyKey
from leadpact_router.lead import Stage
from leadpact_router.timeline import Happened, timeline
from leadpact_router.views import LeadFilter, LeadRow, LeadStory, page_of_leads, read_story

Search = Annotated[
    str | None,
    Query(
        min_length=2,
        max_length=200,
        pattern=NO_NUL,
        description="Part of a name, company, address or number.",
    ),
]


class LeadPage(BaseModel):
    """Leads, the newest first; ``next`` is the cursor of the following page."""

    items: list[LeadRow]
    next: str | None


class LeadDetail(LeadStory):
    """A lead with what happened, the oldest first, and why it is where it is."""

    timeline: list[Happened]


def create_router(desk: Desk, uow: UnitOfWork, book: PactBook, clock: Clock) -> APIRouter:
    """Routes for leads."""
    router = APIRouter(prefix="/v1/leads", tags=["leads"], route_class=GuardedRoute)
    read = [require(Scope.READ)]

    @router.get("", dependencies=read)
    async def list_leads(
        request: Request,
        response: Response,
        stage: Stage | None = None,
        owner: Annotated[Word, Query(description="A rep's id.")] = None,
        source: Annotated[Word, Query(description="A source of the pact.")] = None,
        band: Annotated[Word, Query(description="A band of the pact.")] = None,
        q: Search = None,
        limit: Limit = 50,
        after: After = None,
    ) -> LeadPage:
        """Leads, the newest first. Conditions are joined by *and*."""
        wanted = LeadFilter(stage, None if owner is None else (owner,), source, band, q)
        place = read_cursor(after, UUID)
        async with uow.transaction() as tx:
            found, following_id = await page_of_leads(tx, wanted, now=clock.now(), limit=limit, after=place)
            if not found:
                await refuse_unknown_words(tx, book, wanted)
        following = None if following_id is None else cursor(following_id)
        link_next(request, response, following)
        return LeadPage(items=found, next=following)

    @router.get("/{lead_id}", dependencies=read)
    async def show_lead(lead_id: UUID) -> LeadDetail:
        """One lead: answers, score with its parts, owners with the reasons, clocks, and all of it as a timeline."""
        async with uow.transaction() as tx:
            story = await read_story(tx, lead_id, clock.now())
        return LeadDetail(**dict(story), timeline=timeline(story))

    @router.post("/{lead_id}/close", dependencies=[require(Scope.WORK)])
    async def close_lead(
        lead_id: UUID, said: Closing, idempotency_key: IdempotencyKey = None
    ) -> ClosingOutcome:
        """The lead is done with, won or lost. It is opened again by the person asking again."""
        return await desk.close(lead_id, said, idempotency_key)

    return router


async def refuse_unknown_words(tx: Transaction, book: PactBook, wanted: LeadFilter) -> None:
    """Raise ``Problem`` if nothing can be found because a word is misspelt: neither the pact nor any lead knows it."""
    try:
        pact = (await book.current(tx)).pact
        sources, bands = tuple(pact.sources), pact.scoring.bands.names
    except NoPactYet:
        sources = bands = ()
    if wanted.owners:
        reps = [row.id for row in await tx.execute(text("SELECT id FROM rep ORDER BY id"))]
        for owner in wanted.owners:
            await _check(tx, "owner", owner, reps)
    if wanted.source is not None:
        await _check(tx, "source", wanted.source, sources)
    if wanted.band is not None:
        await _check(tx, "band", wanted.band, bands)


async def _check(tx: Transaction, field: str, word: str, words: Sequence[str]) -> None:
    if word in words:
        return
    used = text(f"SELECT EXISTS (SELECT FROM lead WHERE {field} = :word)")
    if (await tx.execute(used, {"word": word})).scalar_one():
        return
    raise unknown_word(field, word, words)
