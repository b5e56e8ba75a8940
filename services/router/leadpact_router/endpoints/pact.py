"""The pact over HTTP: which version is in force, which were, and the next one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Caller, Scope, require
from leadpact.errors import NotFound
from leadpact.pact.book import PactBook
from leadpact.pact.model import Pact, Signatures
from leadpact.pact.routing import Overflow
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.endpoints.bodies import FILE_IN_FORM, read_text
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.roster import not_on_the_roster

_LONGEST_PACT_BYTES = 1_048_576

_VERSIONS = """
SELECT version, fingerprint, applied_at, applied_by, text FROM pact_version WHERE {which} ORDER BY version DESC
"""


class PactVersion(BaseModel):
    """One applied version, without its text."""

    version: int = Field(description="Counted by Leadpact, whatever number the file gives itself.")
    name: str
    fingerprint: str = Field(
        description="SHA-256 over what was agreed; comments and spacing do not change it."
    )
    applied_at: datetime
    applied_by: str
    signatures: Signatures | None = Field(description="None: nobody is named to sign it.")


class PactShown(PactVersion):
    """One applied version."""

    text: str = Field(description="The file as it was applied.")


class PactApplied(PactShown):
    """What applying came to."""

    changed: bool = Field(description="False if this very agreement was in force already.")
    not_on_the_roster: list[str] = Field(
        description="Reps that a pool names and nobody has imported: until somebody does, they are given no lead."
    )


class PactHistory(BaseModel):
    """Every version, the newest first."""

    items: list[PactVersion]


def create_router(uow: UnitOfWork, book: PactBook, wake: Wake) -> APIRouter:
    """Routes for the pact."""
    router = APIRouter(prefix="/v1/pact", tags=["pact"], route_class=GuardedRoute)
    read = [require(Scope.READ)]

    @router.get("", dependencies=read)
    async def current() -> PactShown:
        """The version in force."""
        async with uow.transaction() as tx:
            return PactShown(**await _newest(tx, book))

    @router.post(
        "",
        status_code=201,
        openapi_extra={
            "requestBody": {"content": {"application/yaml": {}, **FILE_IN_FORM}, "required": True}
        },
    )
    async def apply(
        request: Request, response: Response, caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> PactApplied:
        """Put a pact in force: the YAML file is the body. 422 names every mistake with its line and column.

        Leads that come from now on go by it; running clocks keep the version that they started under. 200: it was in
        force already.
        """
        source = await read_text(request, at_most_bytes=_LONGEST_PACT_BYTES)
        async with uow.transaction() as tx:
            applied, changed = await book.apply(tx, source, applied_by=caller.name)
            shown = await _newest(tx, book)
            unknown = await _nobody_in_pools(tx, applied.pact)
        wake.poke([FLOOR_CHANGED])
        response.status_code = 201 if changed else 200
        return PactApplied(**shown, changed=changed, not_on_the_roster=unknown)

    @router.get("/versions", dependencies=read)
    async def history() -> PactHistory:
        """Every version that was ever applied."""
        async with uow.transaction() as tx:
            rows = (await tx.execute(text(_VERSIONS.format(which="true")))).all()
            return PactHistory(items=[PactVersion(**await _shown(tx, book, row)) for row in rows])

    @router.get("/versions/{version}", dependencies=read)
    async def one(version: Annotated[int, Path(ge=1, lt=2**31)]) -> PactShown:
        """One version."""
        async with uow.transaction() as tx:
            row = (
                await tx.execute(text(_VERSIONS.format(which="version = :version")), {"version": version})
            ).first()
            if row is None:
                raise NotFound(f"There is no pact version {version}")
            return PactShown(**await _shown(tx, book, row))

    return router


async def _nobody_in_pools(tx: Transaction, pact: Pact) -> list[str]:
    """Those whom a pool names, as it names them, and of whom nothing else is known."""
    named = {member.rep for pool in pact.routing.pools.values() for member in pool.members}
    named |= {
        pool.when_nobody.overflow
        for pool in pact.routing.pools.values()
        if isinstance(pool.when_nobody, Overflow)
    }
    return await not_on_the_roster(tx, named)


async def _newest(tx: Transaction, book: PactBook) -> dict[str, Any]:
    row = (await tx.execute(text(_VERSIONS.format(which="true") + " LIMIT 1"))).first()
    if row is None:
        raise NotFound("No pact has been applied yet: POST one to /v1/pact or run `leadpact pact apply FILE`")
    return await _shown(tx, book, row)


async def _shown(tx: Transaction, book: PactBook, row: Any) -> dict[str, Any]:
    pact = (await book.at(tx, row.version)).pact
    return {**row._mapping, "name": pact.pact, "signatures": pact.signatures}
