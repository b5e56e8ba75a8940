"""Say who works leads and when they are away, and which companies are known: data that the pact refers to and
does not hold.

Lists are checked as a whole before anything is written; every fault is named with its place, and then nothing
is changed. A list updates and adds, it never removes: a rep who left is set inactive, so that what they did
stays explained.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text

from leadpact.domain.company_domain import domain_of_website
from leadpact.domain.mail_domains import is_free_mail
from leadpact.domain.time_zones import available_timezones
from leadpact.errors import Conflict, Fault, NotFound, Refused
from leadpact.events import Away, RepAbsencesChanged
from leadpact.ids import new_id
from leadpact.pact.words import COUNTRIES, nearest, nearest_country, one_of
from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.rep_refs import RepRefs
from leadpact_router.tables import absence as absence_table
from leadpact_router.tables import account as account_table
from leadpact_router.tables import rep as rep_table
from leadpact_router.tables import rep_load as load_table

_REP_ID = re.compile(r"[^\s,;/]{1,200}")
_EMAIL = re.compile(r"[^\s,;@]+@[^\s,;@]+\.[^\s,;@]+")
LONGEST_ABSENCE = timedelta(days=3 * 366)

_TAKEN = text(
    """
    SELECT r.email, r.id
    FROM rep r JOIN unnest(CAST(:emails AS text[]), CAST(:ids AS text[])) AS n(email, id) USING (email)
    WHERE r.id <> n.id AND r.id <> ALL(CAST(:ids AS text[]))
    """
)

# Counted with the rep locked, so that of two changes at once the later has the greater revision: times tell it not, since each is read
# before its turn. Assignments refer to the rep with a weaker lock than this and go on.
_COUNT_CHANGE = text(
    """
    UPDATE rep SET absences_revision = absences_revision + 1 WHERE id = :id
    RETURNING id, absences_revision AS revision
    """
)
_COUNT_CHANGE_BY_ABSENCE = text(
    """
    UPDATE rep r SET absences_revision = r.absences_revision + 1 FROM absence a
    WHERE a.id = :id AND r.id = a.rep_id RETURNING r.id, r.absences_revision AS revision
    """
)
_AHEAD = text(
    """
    SELECT starts_at, ends_at FROM absence
    WHERE rep_id = :id AND ends_at > :now ORDER BY starts_at, ends_at
    """
)


@dataclass(frozen=True, slots=True)
class RepEntry:
    """A rep as an import or a request gives them. ``calendar`` names one of the pact's; None is the pool's
    hours in ``timezone``.

    ``open_limit`` counts leads that wait for their first touch, ``daily_limit`` leads given on one of the
    rep's days; the lower of this and the pool's holds.
    """

    id: str
    name: str
    email: str
    timezone: str
    calendar: str | None = None
    active: bool = True
    open_limit: int | None = None
    daily_limit: int | None = None


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """A company as an import gives it.

    ``domain`` may be any host name or address of its website; ``owner`` a rep's id or e-mail.
    """

    name: str
    domain: str
    country: str | None = None
    employees: int | None = None
    industry: str | None = None
    tier: str | None = None
    owner: str | None = None


async def put_reps(
    tx: Transaction,
    entries: Sequence[RepEntry],
    now: datetime,
    *,
    calendars: Collection[str] | None = None,
) -> None:
    """Add or update reps by id. ``calendars`` are those of the pact in force; None if there is none yet.

    Raises ``Refused`` with every fault in the list, ``Conflict`` for another rep's e-mail.
    """
    _refuse(faults_of_reps(entries, calendars), "The reps cannot be taken as they are")
    rows = [{**asdict(one), "email": one.email.lower(), "updated_at": now} for one in entries]
    taken = await tx.execute(
        _TAKEN, {"emails": [row["email"] for row in rows], "ids": [row["id"] for row in rows]}
    )
    if found := taken.first():
        raise Conflict(f"{found.email} already belongs to the rep {found.id}")
    # In one order for everybody, so that two imports at once wait for each other instead of deadlocking.
    rows.sort(key=lambda row: row["id"])
    await insert_rows(tx, rep_table, rows, conflict=f"(id) DO UPDATE SET {_all_but('id', rows)}")
    loads = [{"rep_id": row["id"], "day": now.astimezone(ZoneInfo(row["timezone"])).date()} for row in rows]
    await insert_rows(tx, load_table, loads, conflict="(rep_id) DO NOTHING")


async def put_accounts(tx: Transaction, entries: Sequence[AccountEntry], now: datetime) -> None:
    """Add or update accounts by registrable domain; the last of several entries of one domain stands.

    Leads meet a new account at their next touch. Raises ``Refused`` with every fault in the list.
    """
    _refuse(faults_of_accounts(entries), "The accounts cannot be taken as they are")
    rows = {
        domain: {**asdict(one), "id": new_id(), "domain": domain, "updated_at": now}
        for one in entries
        if (domain := domain_of_website(one.domain))
    }
    in_order = [rows[domain] for domain in sorted(rows)]
    await insert_rows(
        tx, account_table, in_order, conflict=f"(domain) DO UPDATE SET {_all_but('domain', in_order, 'id')}"
    )


async def not_on_the_roster(tx: Transaction, refs: Iterable[str]) -> list[str]:
    """Those of ``refs`` (ids or e-mail addresses) that mean no rep, in the order of the alphabet."""
    known = RepRefs((row.id, row.email) for row in await tx.execute(text("SELECT id, email FROM rep")))
    return sorted(ref for ref in set(refs) if known.id_of(ref) is None)


async def add_absence(
    tx: Transaction, rep_id: str, starts_at: datetime, ends_at: datetime, note: str = "", *, now: datetime
) -> UUID:
    """The rep is away in [starts_at, ends_at): given nothing, and their hours do not count. Returns the
    absence's id. The absences that lie ahead are announced.

    Raises ``NotFound`` for an unknown rep and ``Refused`` for a span that is empty, backwards or longer than
    three years.
    """
    if not starts_at < ends_at <= starts_at + LONGEST_ABSENCE:
        fault = Fault("#/ends_at", "not after the start, or more than three years later", "check both dates")
        raise Refused("An absence ends after it starts and lasts at most three years", faults=[fault])
    changed = (await tx.execute(_COUNT_CHANGE, {"id": rep_id})).first()
    if changed is None:
        raise NotFound(f"There is no rep {rep_id}")
    absence_id = new_id()
    row = {"id": absence_id, "rep_id": rep_id, "starts_at": starts_at, "ends_at": ends_at, "note": note}
    await insert_rows(tx, absence_table, [row])
    await _announce_absences(tx, changed, now)
    return absence_id


async def remove_absence(tx: Transaction, absence_id: UUID, *, now: datetime) -> None:
    """The rep is not away after all. The absences that still lie ahead are announced. Raises ``NotFound``."""
    changed = (await tx.execute(_COUNT_CHANGE_BY_ABSENCE, {"id": absence_id})).first()
    gone = await tx.execute(text("DELETE FROM absence WHERE id = :id"), {"id": absence_id})
    if changed is None or gone.rowcount == 0:
        raise NotFound(f"There is no absence {absence_id}")
    await _announce_absences(tx, changed, now)


async def _announce_absences(tx: Transaction, changed: Row[Any], now: datetime) -> None:
    """To be done with the rep locked: of two changes at once, the later announcement has both."""
    rows = await tx.execute(_AHEAD, {"id": changed.id, "now": now})
    away = tuple(Away(starts_at=row.starts_at, ends_at=row.ends_at) for row in rows)
    tx.emit(RepAbsencesChanged(occurred_at=now, rep_id=changed.id, away=away, revision=changed.revision))


def faults_of_reps(entries: Sequence[RepEntry], calendars: Collection[str] | None = None) -> Iterator[Fault]:
    """What is wrong in a list of reps, each at its place: ``/3/email`` is the fourth entry's e-mail.

    A calendar is right if it is one of ``calendars``; any is if that is None.
    """
    for index, one in enumerate(entries):
        if not _REP_ID.fullmatch(one.id):
            yield Fault(
                f"/{index}/id",
                f"{one.id!r} is no rep id",
                "use 1 to 200 characters without blanks, commas and slashes",
            )
        if not one.name.strip():
            yield Fault(f"/{index}/name", "the name is empty", "give the name that others know them by")
        if not _EMAIL.fullmatch(one.email):
            yield Fault(
                f"/{index}/email", f"{one.email!r} is no e-mail address", "write it as name@company.example"
            )
        if one.timezone not in available_timezones():
            yield Fault(
                f"/{index}/timezone", f"{one.timezone!r} is no time zone", "use a name such as Europe/Berlin"
            )
        if one.calendar is not None and calendars is not None and one.calendar not in calendars:
            yield Fault(
                f"/{index}/calendar",
                f"{one.calendar!r} is no calendar of the pact in force",
                _instead(nearest(one.calendar, calendars), calendars),
            )
        for name, limit in (("open_limit", one.open_limit), ("daily_limit", one.daily_limit)):
            if limit is not None and limit < 1:
                yield Fault(
                    f"/{index}/{name}",
                    f"{limit} is no limit",
                    "use 1 or more; to give nothing, set active to false",
                )
    yield from _twice("id", [one.id for one in entries])
    yield from _twice("email", [one.email.lower() for one in entries])


def faults_of_accounts(entries: Sequence[AccountEntry]) -> Iterator[Fault]:
    """What is wrong in a list of accounts, placed as ``faults_of_reps`` does."""
    for index, one in enumerate(entries):
        if not one.name.strip():
            yield Fault(f"/{index}/name", "the name is empty", "give the company's name")
        domain = domain_of_website(one.domain)
        if domain is None:
            yield Fault(
                f"/{index}/domain",
                f"{one.domain!r} is no domain of a company",
                "use a domain such as acme.example",
            )
        elif is_free_mail(domain):
            yield Fault(
                f"/{index}/domain",
                f"anybody can have a mailbox at {domain}, so it tells no company",
                "use the company's own domain, or leave the account out",
            )
        if one.country is not None and one.country not in COUNTRIES:
            meant = _meant_country(one.country)
            yield Fault(
                f"/{index}/country",
                f"{one.country!r} is no country code",
                f"did you mean {meant}?" if meant else "use the country's two letters, such as DE",
            )
        if one.employees is not None and one.employees < 0:
            yield Fault(
                f"/{index}/employees", f"{one.employees} is no head count", "use 0 or more, or leave it out"
            )


def _instead(meant: str, known: Collection[str]) -> str:
    if meant:
        return f"did you mean {meant}?"
    return f"use {one_of(sorted(known))}, or leave it empty" if known else "leave it empty"


@lru_cache(maxsize=1024)
def _meant_country(word: str) -> str:
    """A long list says the same wrong word over and over."""
    return nearest_country(word) or nearest(word, sorted(COUNTRIES))


def _twice(name: str, values: Sequence[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Fault(f"/{index}/{name}", f"{value} is in the list already", "list each rep once")
        seen.add(value)


def _refuse(faults: Iterable[Fault], detail: str) -> None:
    found = list(faults)
    if found:
        raise Refused(f"{detail}: {found[0].what}", faults=found)


def _all_but(key: str, rows: Sequence[dict[str, Any]], *others: str) -> str:
    names = [name for name in (rows[0] if rows else ()) if name not in (key, *others)]
    return ", ".join(f"{name} = excluded.{name}" for name in names)
