"""Read and claim identities for a whole batch, so that one address is one person however many instances meet
it at once.

Claims are inserted in sorted order. Of two transactions that claim the same address, the second waits for the
first to end and then finds the address taken. It gives up the claims it made meanwhile, which nobody has
seen, reads again and recognises anew; everything it must wait for it has waited for by then, so the second
round is the last (a person erased in between would cost another).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text

from leadpact.storage.bulk import insert_rows
from leadpact.storage.unit_of_work import Transaction
from leadpact_router.recognise import AddressBook, Caller, Identity, Recognition
from leadpact_router.tables import identity as identity_table

_READ = text(
    """
    SELECT i.kind, i.value, i.person_id,
           EXISTS (SELECT FROM identity e WHERE e.person_id = i.person_id AND e.kind = 'email') AS has_email
    FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS asked(kind, value)
    JOIN identity i USING (kind, value)
    """
)
_GIVE_UP = text(
    """
    DELETE FROM identity WHERE (kind, value) IN (
        SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])))
    """
)


async def read_address_book(tx: Transaction, callers: Sequence[Caller]) -> AddressBook:
    """Who is known behind the callers' addresses and numbers."""
    asked = sorted({identity for caller in callers for identity in caller.identities})
    rows = (await tx.execute(_READ, _columns(asked))).all() if asked else []
    return AddressBook(
        ((Identity(row.kind, row.value), row.person_id) for row in rows),
        (row.person_id for row in rows if row.has_email),
    )


async def recognise_all(
    tx: Transaction, callers: Sequence[Caller]
) -> tuple[list[Recognition], Collection[UUID]]:
    """Who each caller is, in order, and the people not met before: their identities are stored, they themselves are to be."""
    while True:
        book = await read_address_book(tx, callers)
        recognitions = [book.recognise(caller) for caller in callers]
        claimed = await _claim(tx, book)
        if claimed:
            return recognitions, book.new_people


async def _claim(tx: Transaction, book: AddressBook) -> bool:
    """Insert what is new; False, with nothing left inserted, when somebody else was first with any of it."""
    wanted = sorted(book.claims)
    rows = [{"kind": one.kind, "value": one.value, "person_id": book.claims[one]} for one in wanted]
    got = await insert_rows(
        tx, identity_table, rows, conflict="(kind, value) DO NOTHING", returning="kind, value"
    )
    if len(got) == len(wanted):
        return True
    await tx.execute(_GIVE_UP, _columns([Identity(row.kind, row.value) for row in got]))
    return False


def _columns(identities: Sequence[Identity]) -> dict[str, list[str]]:
    return {"kinds": [one.kind for one in identities], "values": [one.value for one in identities]}
