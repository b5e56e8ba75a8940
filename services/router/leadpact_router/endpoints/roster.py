"""Reps, their absences, and accounts over HTTP: one by one, or a whole list as CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from leadpact.access.guarded_route import GuardedRoute
from leadpact.access.scopes import Scope, require
from leadpact.clock import Clock
from leadpact.domain.company_domain import domain_of_website
from leadpact.errors import NotFound, Refused
from leadpact.pact.book import NoPactYet, PactBook
from leadpact.runtime.pages import cursor, link_next, read_cursor
from leadpact.runtime.storable import NO_NUL
from leadpact.storage.unit_of_work import Transaction, UnitOfWork
from leadpact.storage.wake import Wake
from leadpact_router.endpoints.bodies import FILE_IN_FORM, read_text
from leadpact_router.endpoints.fields import After, Limit, Line, Moment, Note, Word
from leadpact_router.offline import bring_back
from leadpact_router.release_held import FLOOR_CHANGED
from leadpact_router.roster import (
    AccountEntry,
    RepEntry,
    add_absence,
    not_on_the_roster,
    put_accounts,
    put_reps,
    remove_absence,
)
from leadpact_router.roster_csv import read_accounts, read_reps, with_lines

_MOST_FILE_BYTES = 10_000_000
_CSV_BODY = {"requestBody": {"content": {"text/csv": {}, **FILE_IN_FORM}, "required": True}}

RepIdPath = Annotated[str, Path(min_length=1, max_length=200, pattern=NO_NUL)]
DomainPath = Annotated[str, Path(min_length=1, max_length=253, pattern=NO_NUL)]
Count = Annotated[int, Field(ge=1, lt=2**31)]

_REPS = """
SELECT r.id, r.name, r.email, r.timezone, r.calendar, r.active, r.open_limit, r.daily_limit,
       r.offline_since, r.offline_because, coalesce(l.open, 0) AS open_leads, away.ends_at AS away_until
FROM rep r
LEFT JOIN rep_load l ON l.rep_id = r.id
LEFT JOIN LATERAL (
    SELECT max(ends_at) AS ends_at FROM absence WHERE rep_id = r.id AND starts_at <= :now AND ends_at > :now
) away ON true
WHERE {which} ORDER BY r.id LIMIT :limit
"""
_ABSENCES = text(
    "SELECT id, rep_id, starts_at, ends_at, note FROM absence WHERE rep_id = :rep ORDER BY starts_at, id"
)
_ACCOUNTS = """
SELECT id, name, domain, country, employees, industry, tier, owner, updated_at FROM account
WHERE {which} ORDER BY domain LIMIT :limit
"""


class RepIn(BaseModel):
    """A rep."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    email: Line
    timezone: Line = Field(examples=["Europe/Berlin"])
    calendar: Line | None = Field(
        None, description="A calendar of the pact. None: the pool's hours in the rep's own zone."
    )
    active: bool = Field(
        True,
        description="False: is given nothing any more. Reps are not deleted, so that what they did stays explained.",
    )
    open_limit: Count | None = Field(None, description="Leads that may wait for their first touch at a time.")
    daily_limit: Count | None = Field(None, description="Leads that may be given on one of the rep's days.")


class RepOut(BaseModel):
    """A rep and what is on their desk."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    email: str
    timezone: str
    calendar: str | None
    active: bool
    open_limit: int | None
    daily_limit: int | None
    open_leads: int = Field(description="Leads that wait for their first touch.")
    away_until: datetime | None
    offline_since: datetime | None = Field(
        description="Since when they are given nothing, because they missed a promise whose pact says `take_offline`."
    )
    offline_because: str | None


class RepPage(BaseModel):
    """Reps by id."""

    items: list[RepOut]
    next: str | None


class AbsenceIn(BaseModel):
    """When somebody is away."""

    model_config = ConfigDict(extra="forbid")

    starts_at: Moment
    ends_at: Moment
    note: Note = ""


class AbsenceOut(BaseModel):
    """When a rep is away."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    rep_id: str
    starts_at: datetime
    ends_at: datetime
    note: str


class AbsenceList(BaseModel):
    """A rep's absences, the earliest first."""

    items: list[AbsenceOut]


class AccountIn(BaseModel):
    """A company."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    employees: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    industry: Line | None = None
    tier: Line | None = None
    owner: Line | None = Field(None, description="A rep's id or e-mail address.")


class AccountOut(BaseModel):
    """A company that leads are recognised as."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    domain: str
    country: str | None
    employees: int | None
    industry: str | None
    tier: str | None
    owner: str | None
    updated_at: datetime


class AccountPage(BaseModel):
    """Accounts by domain."""

    items: list[AccountOut]
    next: str | None


class Imported(BaseModel):
    """How many entries of a list were added or updated."""

    imported: int


class AccountsImported(Imported):
    """What importing accounts came to."""

    not_on_the_roster: list[str] = Field(
        description="Owners whom the list names and nobody has imported: until somebody does, they are given no lead."
    )


def create_reps_router(uow: UnitOfWork, book: PactBook, clock: Clock, wake: Wake) -> APIRouter:
    """Routes for reps and absences."""
    router = APIRouter(tags=["reps"], route_class=GuardedRoute)
    read, admin = [require(Scope.READ)], [require(Scope.ADMIN)]

    @router.get("/v1/reps", dependencies=read)
    async def list_reps(
        request: Request, response: Response, limit: Limit = 50, after: After = None
    ) -> RepPage:
        """Reps by id."""
        place = read_cursor(after, _word)
        which = "true" if place is None else "r.id > :after"
        async with uow.transaction() as tx:
            rows = await tx.execute(
                text(_REPS.format(which=which)),
                _known(after=place) | {"now": clock.now(), "limit": limit + 1},
            )
            found = [RepOut.model_validate(row) for row in rows]
        following = cursor(found[limit - 1].id) if len(found) > limit else None
        link_next(request, response, following)
        return RepPage(items=found[:limit], next=following)

    @router.post("/v1/reps/import", dependencies=admin, openapi_extra=_CSV_BODY)
    async def import_reps(request: Request) -> Imported:
        """Add or update reps from CSV: `id,name,email,timezone` and, if wanted, `calendar,active,open_limit,daily_limit`.

        All or nothing: 422 names every mistake with its line. Who is not in the list stays as they are.
        """
        file = await read_text(request, at_most_bytes=_MOST_FILE_BYTES)
        async with uow.transaction() as tx:
            calendars = await _calendars(tx, book)
            entries, lines = read_reps(file, calendars)
            try:
                await put_reps(tx, entries, clock.now(), calendars=calendars)
            except Refused as refused:
                raise _in_lines(refused, lines) from refused
        wake.poke([FLOOR_CHANGED])
        return Imported(imported=len(entries))

    @router.get("/v1/reps/{rep_id}", dependencies=read)
    async def show_rep(rep_id: RepIdPath) -> RepOut:
        """One rep."""
        async with uow.transaction() as tx:
            return await _rep(tx, rep_id, clock.now())

    @router.put("/v1/reps/{rep_id}", dependencies=admin)
    async def put_rep(rep_id: RepIdPath, wanted: RepIn) -> RepOut:
        """Add or update one rep."""
        now = clock.now()
        async with uow.transaction() as tx:
            entry = RepEntry(id=rep_id, **wanted.model_dump())
            calendars = await _calendars(tx, book)
            await _one_by_one(put_reps(tx, [entry], now, calendars=calendars))
            shown = await _rep(tx, rep_id, now)
        wake.poke([FLOOR_CHANGED])
        return shown

    @router.post("/v1/reps/{rep_id}/return", dependencies=admin)
    async def return_rep(rep_id: RepIdPath) -> RepOut:
        """The rep, who was taken offline for a missed promise, is given leads again. Who is not offline stays as they are."""
        now = clock.now()
        async with uow.transaction() as tx:
            await bring_back(tx, rep_id, now)
            shown = await _rep(tx, rep_id, now)
        wake.poke([FLOOR_CHANGED])
        return shown

    @router.get("/v1/reps/{rep_id}/absences", dependencies=read)
    async def list_absences(rep_id: RepIdPath) -> AbsenceList:
        """When the rep is away."""
        async with uow.transaction() as tx:
            await _rep(tx, rep_id, clock.now())
            rows = await tx.execute(_ABSENCES, {"rep": rep_id})
            return AbsenceList(items=[AbsenceOut.model_validate(row) for row in rows])

    @router.post("/v1/reps/{rep_id}/absences", status_code=201, dependencies=admin)
    async def new_absence(rep_id: RepIdPath, wanted: AbsenceIn) -> AbsenceOut:
        """The rep is away: given nothing, and their hours do not count."""
        async with uow.transaction() as tx:
            absence_id = await add_absence(
                tx, rep_id, wanted.starts_at, wanted.ends_at, wanted.note, now=clock.now()
            )
        wake.poke([FLOOR_CHANGED])
        return AbsenceOut(id=absence_id, rep_id=rep_id, **wanted.model_dump())

    @router.delete("/v1/absences/{absence_id}", status_code=204, dependencies=admin)
    async def delete_absence(absence_id: UUID) -> Response:
        """The rep is not away after all."""
        async with uow.transaction() as tx:
            await remove_absence(tx, absence_id, now=clock.now())
        wake.poke([FLOOR_CHANGED])
        return Response(status_code=204)

    return router


def create_accounts_router(uow: UnitOfWork, clock: Clock, wake: Wake) -> APIRouter:
    """Routes for accounts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=GuardedRoute)
    read, admin = [require(Scope.READ)], [require(Scope.ADMIN)]

    @router.get("", dependencies=read)
    async def list_accounts(
        request: Request,
        response: Response,
        domain: Word = None,
        limit: Limit = 50,
        after: After = None,
    ) -> AccountPage:
        """Accounts by domain."""
        place = read_cursor(after, _word)
        asked = _known(after=place, domain=domain)
        conditions = {"after": "domain > :after", "domain": "domain = :domain"}
        which = " AND ".join(conditions[name] for name in asked) or "true"
        async with uow.transaction() as tx:
            rows = await tx.execute(text(_ACCOUNTS.format(which=which)), asked | {"limit": limit + 1})
            found = [AccountOut.model_validate(row) for row in rows]
        following = cursor(found[limit - 1].domain) if len(found) > limit else None
        link_next(request, response, following)
        return AccountPage(items=found[:limit], next=following)

    @router.post("/import", dependencies=admin, openapi_extra=_CSV_BODY)
    async def import_accounts(request: Request) -> AccountsImported:
        """Add or update accounts from CSV: `name,domain` and, if wanted, `country,employees,industry,tier,owner`.

        All or nothing: 422 names every mistake with its line.
        """
        entries, lines = read_accounts(await read_text(request, at_most_bytes=_MOST_FILE_BYTES))
        async with uow.transaction() as tx:
            try:
                await put_accounts(tx, entries, clock.now())
            except Refused as refused:
                raise _in_lines(refused, lines) from refused
            unknown = await not_on_the_roster(tx, (one.owner for one in entries if one.owner is not None))
        wake.poke([FLOOR_CHANGED])
        return AccountsImported(imported=len(entries), not_on_the_roster=unknown)

    @router.put("/{domain}", dependencies=admin)
    async def put_account(domain: DomainPath, wanted: AccountIn) -> AccountOut:
        """Add or update the account of a company's domain."""
        entry = AccountEntry(domain=domain, **wanted.model_dump())
        query = text(_ACCOUNTS.format(which="domain = :domain"))
        async with uow.transaction() as tx:
            await _one_by_one(put_accounts(tx, [entry], clock.now()))
            row = await tx.execute(query, {"domain": domain_of_website(domain), "limit": 1})
            shown = AccountOut.model_validate(row.one())
        wake.poke([FLOOR_CHANGED])
        return shown

    return router


async def _calendars(tx: Transaction, book: PactBook) -> Collection[str] | None:
    """The calendars that a rep may have; None, which is any, before the first pact."""
    try:
        return (await book.current(tx)).pact.calendars
    except NoPactYet:
        return None


async def _rep(tx: Transaction, rep_id: str, now: datetime) -> RepOut:
    query = text(_REPS.format(which="r.id = :id"))
    row = (await tx.execute(query, {"id": rep_id, "now": now, "limit": 1})).first()
    if row is None:
        raise NotFound(f"There is no rep {rep_id}")
    return RepOut.model_validate(row)


async def _one_by_one(putting: Awaitable[None]) -> None:
    """Put a list of one; its faults (``/0/email``: entry and field) are told by field alone."""
    try:
        await putting
    except Refused as refused:
        if not refused.faults:
            raise
        faults = [replace(fault, where="#/" + fault.where.rpartition("/")[2]) for fault in refused.faults]
        raise Refused(refused.detail, faults=faults) from refused


def _in_lines(refused: Refused, lines: list[int]) -> Refused:
    """A list's refusal with the lines of its file; one without places (a conflict) as it is."""
    return with_lines(refused, lines) if refused.faults else refused


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _word(text: str) -> str:
    if "\0" in text:
        raise ValueError
    return text
