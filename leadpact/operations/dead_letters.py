"""Dead letters over HTTP: what could not be applied, why, and the two ways to settle it.

Lists hold nothing personal; a body is shown one letter at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import AdminCaller, Scope, require
from leadpact.bus.settle_dead_letters import discard, open_letter, page_of_letters, replay
from leadpact.runtime.pages import cursor, link_next, read_cursor
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)


class Letter(BaseModel):
    """A message that could not be applied."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    consumer: str = Field(description="The group that set it aside.")
    topic: str
    position: str = Field(description="Where on the topic it stood.")
    event_id: UUID | None = Field(description="Null for a record that is no event; it cannot be replayed.")
    type: str
    source: str
    occurred_at: datetime | None
    reason: str
    set_aside_at: datetime
    settled_at: datetime | None = Field(description="Null while it waits.")
    settled_as: str | None = Field(description="`replayed` or `discarded`.")


class LetterOpened(Letter):
    """A letter with what was in it: personal data, most often."""

    key: str
    causation_id: UUID | None
    headers: Mapping[str, str]
    body: str = Field(description="In base64 where the header `leadpact-body-encoding` says so.")
    error: str = Field(description="The end of the trace.")


class LetterPage(BaseModel):
    """Letters, the newest first; ``next`` is the cursor of the following page."""

    items: list[Letter]
    next: str | None


def create_dead_letters_router(uow: UnitOfWork) -> APIRouter:
    """Routes for dead letters."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"], route_class=GuardedRoute)
    admin = [require(Scope.ADMIN)]

    @router.get("", dependencies=admin)
    async def list_letters(
        request: Request,
        response: Response,
        consumer: Annotated[str | None, Query(min_length=1, max_length=200, pattern=NO_NUL)] = None,
        settled: Annotated[bool | None, Query(description="`false` for what waits.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[str | None, Query(max_length=200)] = None,
    ) -> LetterPage:
        """Dead letters, the newest first, without their bodies."""
        place = read_cursor(after, UUID)
        async with uow.transaction() as tx:
            found, following_id = await page_of_letters(
                tx, consumer=consumer, settled=settled, limit=limit, after=place
            )
        following = None if following_id is None else cursor(following_id)
        link_next(request, response, following)
        return LetterPage(items=[Letter.model_validate(letter) for letter in found], next=following)

    @router.get("/{letter_id}", dependencies=admin)
    async def show_letter(letter_id: UUID) -> LetterOpened:
        """One letter with its body, its key and the trace."""
        async with uow.transaction() as tx:
            return LetterOpened.model_validate(await open_letter(tx, letter_id))

    @router.post("/{letter_id}/replay")
    async def replay_letter(letter_id: UUID, caller: AdminCaller) -> Letter:
        """Let its consumer try again, it alone, after what stood in the way is repaired."""
        async with uow.transaction() as tx:
            letter = Letter.model_validate(await replay(tx, letter_id))
        _say(letter, caller.token_id)
        return letter

    @router.post("/{letter_id}/discard")
    async def discard_letter(letter_id: UUID, caller: AdminCaller) -> Letter:
        """Let it go: it is never applied, and stays on record."""
        async with uow.transaction() as tx:
            letter = Letter.model_validate(await discard(tx, letter_id))
        _say(letter, caller.token_id)
        return letter

    return router


def _say(letter: Letter, token_id: str) -> None:
    log.info(
        "dead_letter.settled",
        dead_letter_id=str(letter.id),
        consumer=letter.consumer,
        settled_as=letter.settled_as,
        token_id=token_id,
    )
